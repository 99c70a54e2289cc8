import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { rootOf } from './libvirt.js';
import type { Device } from './reader.js';
import { busOf, isBehindVsmmu, onHost, type PlanView, placeable } from './rules.js';

/** Whether a refusal has a reason, by the judge's own count. An error that is not here has none. */
const REASONS: Readonly<Record<string, (scene: PlanView) => boolean>> = {
  'group-shared': ({ policy }) => policy.groupMates === 'error',
  'group-not-single': ({ policy }) => policy.groupMates === 'error',
  'bus-window-too-small': ({ policy }) => typeof policy.busWindow === 'number' && policy.busWindow > 0,
  'bus-numbers-exhausted': (scene) => neededBusNumbers(scene) > 256 || explicitWindows(scene) > 256,
  'vsmmus-exhausted': (scene) => neededVsmmus(scene) > 16 || scene.guest.smmus.length >= 16,
  'slots-exhausted': (scene) => neededVsmmus(scene) + takenSlots(scene) > 31,
  'controller-indexes-exhausted': (scene) => neededBusNumbers(scene) > 255,
  'numa-node-unknown': hasInitiators,
  'numa-node-shared': hasInitiators,
  'initiator-nodes-missing': hasInitiators,
};

/** The errors of a refusal that has no reason; one is enough. */
export function needless(diagnostics: readonly Diagnostic[], scene: PlanView): string[] {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.some(({ code }) => REASONS[code]?.(scene))) return [];
  return errors.map(({ code, message }) => `refused without need: ${code}: ${message}`);
}

function neededVsmmus(scene: PlanView): number {
  const { host, policy } = scene;
  const devices = placeable(scene);
  const smmuOf = ({ bdf }: Device) => onHost(scene, bdf)?.smmu;
  const served = new Set(devices.map(smmuOf)).size;
  const idle = policy.expanderBuses === 'all' ? host.smmus.length - served : 0;
  if (policy.grouping === 'device') return idle + devices.length;
  // Devices that are behind a vSMMU stay there, so an SMMU may have two.
  const inUse = policy.relayout ? [] : devices.filter((device) => isBehindVsmmu(scene, device));
  const buses = new Set(inUse.map((device) => busOf(scene, device)));
  return idle + served - new Set(inUse.map(smmuOf)).size + buses.size;
}

/** At least so many, with one port per device and one per spare. */
function neededBusNumbers(scene: PlanView): number {
  const { guest, policy } = scene;
  const vsmmus = neededVsmmus(scene);
  const ports = placeable(scene).length + vsmmus * policy.sparePorts * 2;
  const root = [...guest.controllers.values()].filter(({ index, model }) => {
    return index !== 0 && model !== 'pcie-expander-bus' && rootOf(guest, index) === 0;
  });
  const awaiting = guest.devices.filter((device) => device.awaits && !placeable(scene).includes(device));
  return 1 + root.length + awaiting.length + vsmmus + ports;
}

function explicitWindows(scene: PlanView): number {
  const { busWindow } = scene.policy;
  return typeof busWindow === 'number' ? neededBusNumbers(scene) + neededVsmmus(scene) * busWindow : 0;
}

function takenSlots({ guest }: PlanView): number {
  const occupants = [...guest.controllers.values(), ...guest.devices];
  return new Set(occupants.flatMap(({ address }) => (address?.bus === 0 ? [address.slot] : []))).size;
}

function hasInitiators(scene: PlanView): boolean {
  return placeable(scene).some(
    (device) => onHost(scene, device.bdf)?.vendor === '0x10de' && busOf(scene, device) !== -1,
  );
}
