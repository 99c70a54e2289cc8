import { deviceMoved, emulatedReturned } from '../diagnostics/devices.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { formatGuestAddress, type Place } from '../domain/address.js';
import { type HostDevice, isHostDevice } from '../domain/device.js';
import type { Occupant } from '../domain/pci-tree.js';
import type { Device, Renumbered } from '../generated/plan.js';
import type { Host } from '../host/host.js';
import type { Backends } from './iommufd.js';
import type { PortPlan } from './ports.js';
import type { SlotMoves } from './slots.js';
import type { PlanContext } from './stage.js';
import type { Selection, Verdict } from './verdict.js';

/** Describes a placeable device for the plan: its present state, and the verdict on it. */
export function describeDevice(device: HostDevice, host: Host, verdict: Verdict | undefined): Device {
  const onHost = host.device(device.bdf);
  return {
    bdf: device.bdf,
    element: device.name,
    verdict: verdict?.smmu === undefined ? 'bypassed' : 'placed',
    reason: verdict?.smmu === undefined ? (verdict?.reason ?? 'domain-not-applicable') : null,
    smmu: onHost?.smmu ?? null,
    group: onHost?.group ?? null,
    from: device.address ?? null,
    to: device.address ?? null,
    multifunction: device.multifunction,
    iommufd: device.iommufd ?? null,
    nodeset: device.nodeset ?? null,
  };
}

/** The decisions on devices so far. */
export interface DeviceDecisions {
  readonly verdicts: Selection['verdicts'];
  /** The new places of devices that move to another slot. */
  readonly places: PortPlan['places'];
  /** The new places of controllers and devices that become function 0 of their slot. */
  readonly promoted: SlotMoves['promoted'];
  readonly backends: Backends;
}

/** Returns every placeable device in its planned state, in the order of the domain. */
export function planDevices(
  { domain, host }: PlanContext,
  { verdicts, places, promoted, backends }: DeviceDecisions,
): ReadonlyMap<HostDevice, Device> {
  const planned = domain.hostDevices.map((device): [HostDevice, Device] => {
    const present = describeDevice(device, host, verdicts.get(device));
    const place = places.get(device) ?? promoted.get(device);
    const keeps = device.multifunction && !places.has(device);
    return [
      device,
      {
        ...present,
        to: place?.address ?? present.to,
        multifunction: keeps || place?.multifunction === true,
        iommufd: backends.devices.has(device) ? 'yes' : present.iommufd,
      },
    ];
  });
  return new Map(planned);
}

/** Returns the address changes of emulated devices, and of controllers and devices that become function 0 of their slot. */
export function renumberedAddresses({ places, promoted }: DeviceDecisions): readonly Renumbered[] {
  const emulated = [...places].filter(([device]) => !isHostDevice(device));
  return [...promoted, ...emulated].flatMap(([{ address: from }, { address: to, multifunction }]) =>
    from ? [{ from, to, multifunction }] : [],
  );
}

/** Reports where each device moves, and which device becomes function 0 of a slot. */
export function moveDiagnostics({ domain }: PlanContext, decisions: DeviceDecisions): readonly Diagnostic[] {
  const { verdicts, places, promoted } = decisions;
  const describe = (occupant: Occupant, { address }: Place) => ({
    device: isHostDevice(occupant) ? occupant.bdf : `<${occupant.element.name}>`,
    from: occupant.address ? formatGuestAddress(occupant.address) : '',
    to: formatGuestAddress(address),
    location: occupant.location,
  });
  return [
    ...domain.hostDevices.flatMap((device) => {
      const place = places.get(device);
      if (!place) return [];
      const move = describe(device, place);
      return [deviceMoved.host({ ...move, from: move.from || undefined, smmu: verdicts.get(device)?.smmu })];
    }),
    ...[...promoted].map(([occupant, place]) => deviceMoved.functionZero(describe(occupant, place))),
    ...[...places].flatMap(([device, place]) =>
      isHostDevice(device) ? [] : [emulatedReturned(describe(device, place))],
    ),
  ];
}
