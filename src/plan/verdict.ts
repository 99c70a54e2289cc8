import {
  deviceBridge,
  deviceBypassed,
  deviceMediated,
  deviceMissing,
  devicePooled,
  deviceUnassigned,
  deviceWithoutGroup,
  deviceWithoutSmmu,
} from '../diagnostics/devices.js';
import type { Definition, Diagnostic } from '../diagnostics/diagnostic.js';
import { groupCompleted, groupDirectRegion, groupNotViable, groupShared } from '../diagnostics/groups.js';
import type { Bdf } from '../domain/address.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { PciDevice } from '../generated/topology.js';
import { groupBy } from '../group-by.js';
import type { Host } from '../host/host.js';
import type { Policy } from '../policy/policy.js';
import { changesOf, type StageResult } from './stage.js';

/** The decision on a placeable device: behind the vSMMU of its SMMU, or not behind a vSMMU, with the reason. */
export type Verdict = { readonly smmu: string } | { readonly smmu: undefined; readonly reason: string };

/** The verdict on each placeable device of a domain, with its diagnostics. */
export interface Verdicts extends StageResult {
  readonly of: ReadonlyMap<HostDevice, Verdict>;
  /** Endpoints of IOMMU groups to add as unassigned devices (`completeGroups`). */
  readonly groupMembers: readonly Bdf[];
}

/**
 * Decides for each placeable device whether it goes behind a vSMMU: first by device, then by IOMMU group. Behind an accelerated
 * vSMMU, Linux 7.2 translates only for a device that is alone in its group; PCI bridges count as members.
 */
export function judgeDevices(domain: Domain, host: Host, policy: Policy): Verdicts {
  const of = new Map<HostDevice, Verdict>();
  const diagnostics: Diagnostic[] = [];
  const stays = (device: HostDevice, why: Definition<string, { device: string }>) => {
    of.set(device, { smmu: undefined, reason: why.code });
    diagnostics.push(why({ device: device.bdf, location: device.location }));
  };

  for (const device of domain.hostDevices) {
    const onHost = host.device(device.bdf);
    if (!onHost) stays(device, deviceMissing);
    else if (onHost.bridge) stays(device, deviceBridge);
    else if (device.unassigned) stays(device, deviceUnassigned);
    else if (onHost.group === null) stays(device, deviceWithoutGroup);
    else if (onHost.smmu === null) stays(device, deviceWithoutSmmu);
    else if (policy.bypass.includes(device.bdf)) stays(device, deviceBypassed);
    else of.set(device, { smmu: onHost.smmu });
  }
  diagnostics.push(...domain.mediatedDevices.map(({ location }) => deviceMediated({ location })));
  for (const { element, location } of domain.pooledInterfaces) {
    const network = element.child('source')?.attribute('network') ?? '';
    diagnostics.push(devicePooled({ network, location }));
  }

  const groupMembers: Bdf[] = [];
  for (const [group, members] of groupsOf(domain, host)) {
    diagnostics.push(...directRegions(group, members, host), ...keepShared(group, members, host, policy, of));
    const held = heldByHost(group, members, host);
    if (!policy.completeGroups) diagnostics.push(...viability(group, members, host));
    else if (members.some((device) => !device.unassigned)) {
      groupMembers.push(...held.map(({ bdf }) => bdf));
      const { bdf: device = '', location } = members[0] ?? {};
      diagnostics.push(
        ...held.map(({ bdf, driver }) => groupCompleted({ member: bdf, group, device, driver, location })),
      );
    }
  }
  return { of, groupMembers, diagnostics, changes: changesOf('add', 'device', groupMembers) };
}

/** Keeps the devices of a group on `pcie.0` if the group has more than one member. */
function keepShared(
  group: number,
  members: readonly HostDevice[],
  host: Host,
  policy: Policy,
  of: Map<HostDevice, Verdict>,
): readonly Diagnostic[] {
  const candidates = members.filter((device) => of.get(device)?.smmu !== undefined);
  const inGroup = host.groupMembers(group);
  if (candidates.length === 0 || inGroup.length < 2) return [];
  for (const device of candidates) of.set(device, { smmu: undefined, reason: groupShared.code });
  const devices = candidates.map(({ bdf }) => bdf);
  return [
    groupShared({
      devices,
      group,
      others: inGroup.filter(({ bdf }) => !devices.includes(bdf)),
      portsWithoutAcs: portsWithoutAcs(inGroup),
      refused: policy.groupMates === 'error',
      location: candidates[0]?.location,
      severity: policy.groupMates === 'error' ? 'error' : undefined,
    }),
  ];
}

/** Returns the host devices of a domain by their IOMMU group on the host. */
export function groupsOf(domain: Domain, host: Host): ReadonlyMap<number, readonly HostDevice[]> {
  return groupBy(domain.hostDevices, ({ bdf }) => host.device(bdf)?.group ?? null);
}

/**
 * Returns the ports without ACS that make devices share a group. If the path from a device to the root lacks
 * ACS, Linux puts the device into the group of the bridge above it (7.2, `pci_device_group`). So these ports are
 * the topmost bridges of the group.
 */
export function portsWithoutAcs(members: readonly PciDevice[]): readonly Bdf[] {
  const within = new Set(members.map(({ bdf }) => bdf));
  return members
    .filter(({ bridge, parent }) => bridge && (parent === null || !within.has(parent)))
    .map(({ bdf }) => bdf);
}

/**
 * Returns an error if the group of a domain's device has a reserved region of type `direct`:
 * Linux does not assign such a group.
 */
export function directRegions(group: number, members: readonly HostDevice[], host: Host): readonly Diagnostic[] {
  const first = members.find((device) => !device.unassigned);
  const region = host.groupMembers(group).flatMap((device) => device.directRegions ?? [])[0];
  if (!first || region === undefined) return [];
  return [groupDirectRegion({ device: first.bdf, group, region, location: first.location })];
}

/**
 * Warns if VFIO would refuse the group that these devices are in. libvirt unbinds the domain's own devices from their drivers.
 */
export function viability(group: number, members: readonly HostDevice[], host: Host): readonly Diagnostic[] {
  const first = members.find((device) => !device.unassigned);
  const held = heldByHost(group, members, host);
  if (!first || held.length === 0) return [];
  return [groupNotViable({ device: first.bdf, group, held, location: first.location })];
}

type HeldDevice = PciDevice & { readonly driver: string };

/**
 * Returns the endpoints of a group that a host driver holds and that the domain does not have. VFIO
 * accepts endpoints without a driver.
 */
function heldByHost(group: number, members: readonly HostDevice[], host: Host): readonly HeldDevice[] {
  const inDomain = new Set(members.map(({ bdf }) => bdf));
  return host
    .groupMembers(group)
    .filter((d): d is HeldDevice => !d.bridge && !inDomain.has(d.bdf) && !d.vfio && d.driver !== null);
}
