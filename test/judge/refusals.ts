import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { rootOf } from './libvirt.js';
import type { Device } from './reader.js';
import { busOf, isBehindVsmmu, onHost, placeable, type RuleInput } from './rules.js';

/** Decides per code whether a refusal is justified, by the judge's own count. Other codes are never justified. */
const REASONS: Readonly<Record<string, (view: RuleInput) => boolean>> = {
  'group-shared': ({ policy }) => policy.groupMates === 'error',
  'group-not-single': ({ policy }) => policy.groupMates === 'error',
  'bus-window-too-small': ({ policy }) => typeof policy.busWindow === 'number' && policy.busWindow > 0,
  'bus-numbers-exhausted': (view) => neededBusNumbers(view) > 256 || explicitWindows(view) > 256,
  'vsmmus-exhausted': (view) => neededVsmmus(view) > 16 || view.guest.smmus.length >= 16,
  'slots-exhausted': (view) => neededVsmmus(view) + takenSlots(view) > 31,
  'controller-indexes-exhausted': (view) => neededBusNumbers(view) > 255,
  'numa-node-unknown': hasInitiators,
  'numa-node-shared': hasInitiators,
  'initiator-nodes-missing': hasInitiators,
};

/** Returns the errors of a refusal, unless one of them is justified. */
export function unjustifiedErrors(diagnostics: readonly Diagnostic[], view: RuleInput): string[] {
  const errors = diagnostics.filter(({ severity }) => severity === 'error');
  if (errors.some(({ code }) => REASONS[code]?.(view))) return [];
  return errors.map(({ code, message }) => `refused without a reason: ${code}: ${message}`);
}

function neededVsmmus(view: RuleInput): number {
  const { host, policy } = view;
  const devices = placeable(view);
  const smmuOf = ({ bdf }: Device) => onHost(view, bdf)?.smmu;
  const served = new Set(devices.map(smmuOf)).size;
  const idle = policy.expanderBuses === 'all' ? host.smmus.length - served : 0;
  if (policy.grouping === 'device') return idle + devices.length;
  // Devices behind a vSMMU stay there, so several vSMMUs may serve one SMMU.
  const inUse = policy.relayout ? [] : devices.filter((device) => isBehindVsmmu(view, device));
  const buses = new Set(inUse.map((device) => busOf(view, device)));
  return idle + served - new Set(inUse.map(smmuOf)).size + buses.size;
}

/** Returns the minimum number of bus numbers, with one port per device and per spare port. */
function neededBusNumbers(view: RuleInput): number {
  const { guest, policy } = view;
  const vsmmus = neededVsmmus(view);
  const ports = placeable(view).length + vsmmus * policy.sparePorts * 2;
  const root = [...guest.controllers.values()].filter(({ index, model }) => {
    return index !== 0 && model !== 'pcie-expander-bus' && rootOf(guest, index) === 0;
  });
  const awaiting = guest.devices.filter((device) => device.needsAddress && !placeable(view).includes(device));
  return 1 + root.length + awaiting.length + vsmmus + ports;
}

function explicitWindows(view: RuleInput): number {
  const { busWindow } = view.policy;
  return typeof busWindow === 'number' ? neededBusNumbers(view) + neededVsmmus(view) * busWindow : 0;
}

function takenSlots({ guest }: RuleInput): number {
  const occupants = [...guest.controllers.values(), ...guest.devices];
  return new Set(occupants.flatMap(({ address }) => (address?.bus === 0 ? [address.slot] : []))).size;
}

function hasInitiators(view: RuleInput): boolean {
  return placeable(view).some((device) => onHost(view, device.bdf)?.vendor === '0x10de' && busOf(view, device) !== -1);
}
