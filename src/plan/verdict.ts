import { type Diagnostic, type DiagnosticCode, diagnostic } from '../diagnostics.js';
import type { Bdf } from '../domain/address.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { PciDevice } from '../generated/topology.js';
import type { Host } from '../host/host.js';
import type { Policy } from './policy.js';
import { changesOf, type StageResult } from './stage.js';

/** What is to become of a placeable device: behind the vSMMU of its SMMU, or behind none, and why. */
export type Verdict = { readonly smmu: string } | { readonly smmu: undefined; readonly reason: DiagnosticCode };

/** The verdict on each placeable device of a domain, with its diagnostics. */
export interface Verdicts extends StageResult {
  readonly of: ReadonlyMap<HostDevice, Verdict>;
  /** Endpoints of IOMMU groups that are to be added, unassigned (`completeGroups`). */
  readonly groupMembers: readonly Bdf[];
}

/**
 * Decides for each placeable device whether it goes behind a vSMMU: by itself first, then by IOMMU group. Linux 7.2
 * translates behind an accelerated vSMMU only for a device that is alone in its group, PCI bridges counted.
 */
export function judgeDevices(domain: Domain, host: Host, policy: Policy): Verdicts {
  const of = new Map<HostDevice, Verdict>();
  const diagnostics: Diagnostic[] = [];
  const stays = (device: HostDevice, code: DiagnosticCode, message: string) => {
    of.set(device, { smmu: undefined, reason: code });
    diagnostics.push(diagnostic(code, `${device.bdf} ${message}`, { location: device.location }));
  };

  for (const device of domain.hostDevices) {
    const onHost = host.device(device.bdf);
    if (!onHost) stays(device, 'device-missing', 'is not on this host');
    else if (onHost.bridge) stays(device, 'device-bridge', 'is a PCI bridge and cannot be assigned');
    else if (device.unassigned) stays(device, 'device-unassigned', 'is held for the guest, not given to it');
    else if (onHost.group === null)
      stays(device, 'device-without-group', 'is in no IOMMU group and cannot be assigned');
    else if (onHost.smmu === null) stays(device, 'device-without-smmu', 'is behind no SMMU and stays where it is');
    else if (policy.bypass.includes(device.bdf))
      stays(device, 'device-bypassed', 'stays behind no vSMMU, as the policy says');
    else of.set(device, { smmu: onHost.smmu });
  }
  for (const device of domain.mediatedDevices) {
    diagnostics.push(
      diagnostic('device-mediated', 'a mediated device stays where it is', { location: device.location }),
    );
  }
  for (const { element, location } of domain.pooledInterfaces) {
    const network = element.child('source')?.attribute('network') ?? '';
    const message = `the interface of network ${network} stays where it is: libvirt chooses its host device at each start`;
    diagnostics.push(diagnostic('device-pooled', message, { location }));
  }

  const groupMembers: Bdf[] = [];
  for (const [group, members] of groupsOf(domain, host)) {
    diagnostics.push(...directRegions(group, members, host), ...keepShared(group, members, host, policy, of));
    const foreign = heldByHost(group, members, host);
    if (!policy.completeGroups) diagnostics.push(...viability(group, members, host));
    else if (members.some((device) => !device.unassigned)) {
      groupMembers.push(...foreign.map(({ bdf }) => bdf));
      diagnostics.push(...foreign.map((mate) => completed(group, mate, members)));
    }
  }
  const added = groupMembers.map((bdf) => `device ${bdf}`);
  return { of, groupMembers, diagnostics, changes: changesOf('add', added) };
}

/** Keeps the devices of a group on `pcie.0` where the group has more than one member. */
function keepShared(
  group: number,
  members: readonly HostDevice[],
  host: Host,
  policy: Policy,
  of: Map<HostDevice, Verdict>,
): readonly Diagnostic[] {
  const candidates = members.filter((device) => of.get(device)?.smmu !== undefined);
  const [first] = candidates;
  const inGroup = host.groupMembers(group);
  if (!first || inGroup.length < 2) return [];
  for (const device of candidates) of.set(device, { smmu: undefined, reason: 'group-shared' });
  const refused = policy.groupMates === 'error';
  const names = listNames(candidates.map(({ bdf }) => bdf));
  const outcome = refused ? 'cannot be placed' : candidates.length > 1 ? 'stay on pcie.0' : 'stays on pcie.0';
  const own = new Set(candidates.map(({ bdf }) => bdf));
  const others = inGroup.filter(({ bdf }) => !own.has(bdf));
  const why =
    others.length === 0 ? `they share IOMMU group ${group}` : `IOMMU group ${group} also has ${nameMembers(others)}`;
  const message = `${names} ${outcome}: ${why}`;
  return [
    diagnostic('group-shared', message, {
      location: first.location,
      severity: refused ? 'error' : undefined,
      hint: acsHint(inGroup),
    }),
  ];
}

/** The host devices of a domain by the IOMMU group that they are in on the host. */
export function groupsOf(domain: Domain, host: Host): ReadonlyMap<number, readonly HostDevice[]> {
  const groups = new Map<number, HostDevice[]>();
  for (const device of domain.hostDevices) {
    const group = host.device(device.bdf)?.group ?? null;
    if (group === null) continue;
    const members = groups.get(group);
    if (members) members.push(device);
    else groups.set(group, [device]);
  }
  return groups;
}

/** The members of a group in words: `0000:31:00.0 and the bridge 0000:30:00.0`. */
export function nameMembers(members: readonly PciDevice[]): string {
  return listNames(members.map(({ bdf, bridge }) => (bridge ? `the bridge ${bdf}` : bdf)));
}

/** Names beyond these are only counted. */
const MAX_NAMES = 8;

function listNames(names: readonly string[]): string {
  const shown = names.length > MAX_NAMES ? [...names.slice(0, MAX_NAMES), `${names.length - MAX_NAMES} more`] : names;
  return shown.length > 1 ? `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}` : shown.join('');
}

/**
 * Says which ports lack ACS. Linux puts a device into the group of the bridge above it where the path to the root lacks
 * ACS (7.2, `pci_device_group`), so the ports in question are the topmost bridges of the group.
 */
export function acsHint(members: readonly PciDevice[]): string {
  const within = new Set(members.map(({ bdf }) => bdf));
  const topmost = members.filter(({ bridge, parent }) => bridge && (parent === null || !within.has(parent)));
  if (topmost.length === 0) return 'these functions have no ACS between them; with ACS each gets a group of its own';
  const ports = listNames(topmost.map(({ bdf }) => bdf));
  return `${ports} ${topmost.length > 1 ? 'have' : 'has'} no ACS; where the firmware can enable it, each device gets a group of its own`;
}

/** Errors for the devices of a domain whose group has a reserved region of type `direct`, which Linux does not assign. */
export function directRegions(group: number, members: readonly HostDevice[], host: Host): readonly Diagnostic[] {
  const first = members.find((device) => !device.unassigned);
  const region = host.groupMembers(group).flatMap((device) => device.directRegions ?? [])[0];
  if (!first || region === undefined) return [];
  const message = `${first.bdf} cannot be assigned: IOMMU group ${group} has a reserved region of type direct, ${region}`;
  return [diagnostic('group-direct-region', message, { location: first.location })];
}

/** Warns where VFIO would refuse a group of which a domain has these devices; libvirt takes those from their drivers itself. */
export function viability(group: number, members: readonly HostDevice[], host: Host): readonly Diagnostic[] {
  const first = members.find((device) => !device.unassigned);
  const foreign = heldByHost(group, members, host);
  if (!first || foreign.length === 0) return [];
  const holders = foreign.map(({ bdf, driver }) => `${bdf} (${driver})`).join(', ');
  const message = `IOMMU group ${group} of ${first.bdf} has ${holders}, not held by vfio`;
  return [diagnostic('group-not-viable', message, { location: first.location })];
}

/** The endpoints of a group that a driver of the host holds and the domain does not have. VFIO accepts those without a driver. */
function heldByHost(group: number, members: readonly HostDevice[], host: Host): readonly PciDevice[] {
  const inDomain = new Set(members.map(({ bdf }) => bdf));
  return host
    .groupMembers(group)
    .filter(({ bdf, bridge, vfio, driver }) => !bridge && !inDomain.has(bdf) && !vfio && driver !== null);
}

function completed(group: number, { bdf, driver }: PciDevice, [first]: readonly HostDevice[]): Diagnostic {
  const message = `${bdf} of IOMMU group ${group} goes with ${first?.bdf}; libvirt takes it from ${driver} at each start`;
  return diagnostic('group-completed', message, { location: first?.location });
}
