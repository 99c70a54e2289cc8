import { deviceMoved, emulatedReturned } from '../diagnostics/devices.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { formatGuestAddress } from '../domain/address.js';
import type { HostDevice } from '../domain/device.js';
import type { Device, Renumbered } from '../generated/plan.js';
import type { Host } from '../host/host.js';
import type { Backends } from './iommufd.js';
import type { PortPlan } from './ports.js';
import type { PlanContext } from './stage.js';
import type { Verdict, Verdicts } from './verdict.js';

/** Returns a placeable device in its present state, with its verdict. */
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
  readonly verdicts: Verdicts['of'];
  readonly addresses: PortPlan['addresses'];
  readonly renumbered: readonly Renumbered[];
  readonly backends: Backends;
}

/** Returns every placeable device in its planned state, in the order of the domain. */
export function planDevices(
  { domain, host }: PlanContext,
  decisions: DeviceDecisions,
): ReadonlyMap<HostDevice, Device> {
  const { verdicts, addresses, renumbered, backends } = decisions;
  const planned = domain.hostDevices.map((device): [HostDevice, Device] => {
    const { address } = device;
    const moved = addresses.get(device);
    const becomesZero =
      address && renumbered.find(({ from }) => formatGuestAddress(from) === formatGuestAddress(address));
    const described = {
      ...describeDevice(device, host, verdicts.get(device)),
      to: moved?.address ?? becomesZero?.to ?? address ?? null,
      multifunction: moved?.multifunction ?? (device.multifunction || (becomesZero?.multifunction ?? false)),
      iommufd: backends.devices.has(device) ? ('yes' as const) : (device.iommufd ?? null),
    };
    return [device, described];
  });
  return new Map(planned);
}

/** Reports where each device moves, and which device becomes function 0 of a slot. */
export function moveDiagnostics(
  { domain, tree }: PlanContext,
  { verdicts, addresses, renumbered }: DeviceDecisions,
): readonly Diagnostic[] {
  const moves = domain.hostDevices.flatMap((device) => {
    const moved = addresses.get(device);
    if (!moved) return [];
    return [
      deviceMoved.host({
        device: device.bdf,
        from: device.address && formatGuestAddress(device.address),
        to: formatGuestAddress(moved.address),
        smmu: verdicts.get(device)?.smmu,
        location: device.location,
      }),
    ];
  });
  const neighbours = renumbered.map(({ from, to }) => {
    const occupant = tree.inSlot(from).find((o) => o.address?.function === from.function);
    const move = {
      device: occupant && 'bdf' in occupant ? occupant.bdf : `<${occupant?.element.name}>`,
      from: formatGuestAddress(from),
      to: formatGuestAddress(to),
      location: occupant?.location,
    };
    return from.bus === to.bus ? deviceMoved.functionZero(move) : emulatedReturned(move);
  });
  return [...moves, ...neighbours];
}
