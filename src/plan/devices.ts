import { type Diagnostic, diagnostic } from '../diagnostics.js';
import { formatGuestAddress } from '../domain/address.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { PciTree } from '../domain/pci-tree.js';
import type { Device, Renumbered } from '../generated/plan.js';
import type { Host } from '../host/host.js';
import type { Backends } from './iommufd.js';
import type { Layout } from './ports.js';
import type { Verdict } from './verdict.js';

/** A placeable device as it is now, with the verdict on it. */
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

/** What has been decided on devices so far. */
export interface DeviceDecisions {
  readonly verdicts: ReadonlyMap<HostDevice, Verdict>;
  readonly addresses: Layout['addresses'];
  readonly renumbered: readonly Renumbered[];
  readonly backends: Backends;
}

/** Every placeable device of a domain as it will be, in its order. */
export function planDevices(domain: Domain, host: Host, decisions: DeviceDecisions): Device[] {
  const { verdicts, addresses, renumbered, backends } = decisions;
  return domain.hostDevices.map((device) => {
    const { address } = device;
    const moved = addresses.get(device);
    const becomesZero =
      address && renumbered.find(({ from }) => formatGuestAddress(from) === formatGuestAddress(address));
    return {
      ...describeDevice(device, host, verdicts.get(device)),
      to: moved?.address ?? becomesZero?.to ?? address ?? null,
      multifunction: moved?.multifunction ?? (device.multifunction || (becomesZero?.multifunction ?? false)),
      iommufd: backends.devices.has(device) ? 'yes' : (device.iommufd ?? null),
    };
  });
}

/** Says where each device moves, and what gets the function 0 of a slot. */
export function moveDiagnostics(
  domain: Domain,
  tree: PciTree,
  devices: readonly Device[],
  { addresses, renumbered }: DeviceDecisions,
): readonly Diagnostic[] {
  const moves = domain.hostDevices.flatMap((device, i) => {
    const moved = addresses.get(device);
    const described = devices[i];
    if (!moved || !described) return [];
    const from = device.address ? `from ${formatGuestAddress(device.address)}` : 'from nowhere yet';
    const behind = described.verdict === 'placed' ? `behind the vSMMU of ${described.smmu}` : 'behind no vSMMU';
    const message = `${device.bdf} moves ${from} to ${formatGuestAddress(moved.address)}, ${behind}`;
    return [diagnostic('device-moved', message, { location: device.location })];
  });
  const neighbours = renumbered.map(({ from, to }) => {
    const occupant = tree.inSlot(from).find((o) => o.address?.function === from.function);
    const name = occupant && 'bdf' in occupant ? occupant.bdf : `<${occupant?.element.name}>`;
    if (from.bus !== to.bus) {
      const message = `${name} goes from ${formatGuestAddress(from)}, behind a vSMMU, back to pcie.0, to ${formatGuestAddress(to)}`;
      return diagnostic('emulated-returned', message, { location: occupant?.location });
    }
    const move = `moves from ${formatGuestAddress(from)} to ${formatGuestAddress(to)}, since function 0 of its slot leaves`;
    return diagnostic('device-moved', `${name} ${move}`, { location: occupant?.location });
  });
  return [...moves, ...neighbours];
}
