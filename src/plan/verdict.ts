import { type Diagnostic, type DiagnosticCode, diagnostic } from '../diagnostics.js';
import type { Bdf } from '../domain/address.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { PciDevice } from '../generated/topology.js';
import type { Host } from '../host/host.js';
import type { Policy } from './policy.js';

/** What is to become of a placeable device: behind the vSMMU of its SMMU, or behind none, and why. */
export type Verdict = { readonly smmu: string } | { readonly smmu: undefined; readonly reason: DiagnosticCode };

/** The verdict on each placeable device of a domain, and what there is to say about it. */
export interface Verdicts {
  readonly of: ReadonlyMap<HostDevice, Verdict>;
  /** Endpoints of placed devices' groups that are to be added, unassigned (`completeGroups`). */
  readonly companions: readonly Bdf[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Decides for each placeable device by itself, then by IOMMU group, whether it goes behind a vSMMU (rules 3 and 4):
 * QEMU 11.1 refuses a second endpoint of a group as soon as one of them is behind an accelerated vSMMU.
 */
export function judgeDevices(domain: Domain, host: Host, policy: Policy): Verdicts {
  const of = new Map<HostDevice, Verdict>();
  const diagnostics: Diagnostic[] = [];
  const stays = (device: HostDevice, code: DiagnosticCode, message: string) => {
    of.set(device, { smmu: undefined, reason: code });
    diagnostics.push(diagnostic(code, `${device.bdf} ${message}`, { place: device.place }));
  };

  for (const device of domain.hostDevices) {
    const onHost = host.device(device.bdf);
    if (!onHost) stays(device, 'device-missing', 'is not on this host');
    else if (device.unassigned) stays(device, 'device-unassigned', 'is held for the guest, not given to it');
    else if (onHost.group === null)
      stays(device, 'device-without-group', 'is in no IOMMU group and cannot be assigned');
    else if (onHost.smmu === null) stays(device, 'device-without-smmu', 'is behind no SMMU and stays where it is');
    else if (policy.bypass.includes(device.bdf))
      stays(device, 'device-bypassed', 'stays behind no vSMMU, as the policy says');
    else of.set(device, { smmu: onHost.smmu });
  }
  for (const device of domain.mediatedDevices) {
    diagnostics.push(diagnostic('device-mediated', 'a mediated device stays where it is', { place: device.place }));
  }
  for (const { element, place } of domain.pooledInterfaces) {
    const network = element.child('source')?.attribute('network') ?? '';
    const message = `the interface of network ${network} stays where it is: libvirt chooses its host device at each start`;
    diagnostics.push(diagnostic('device-pooled', message, { place }));
  }

  const companions = judgeGroups(domain, host, policy, of, diagnostics);
  return { of, companions, diagnostics };
}

/**
 * Keeps the devices of one group together, and looks at who holds those that the domain does not have.
 * @returns those that are to be added to it
 */
function judgeGroups(
  domain: Domain,
  host: Host,
  policy: Policy,
  of: Map<HostDevice, Verdict>,
  diagnostics: Diagnostic[],
): readonly Bdf[] {
  const companions: Bdf[] = [];
  for (const [group, members] of groupsOf(domain, host)) {
    const given = members.filter((d) => !d.unassigned);
    const placed = given.filter((d) => of.get(d)?.smmu !== undefined);
    const [first] = placed;
    if (!first) continue;
    if (given.length > 1) {
      for (const device of placed) of.set(device, { smmu: undefined, reason: 'group-shared' });
      const refused = policy.groupMates === 'error';
      const outcome = refused ? '' : ', so they stay together behind none';
      diagnostics.push(
        diagnostic(
          'group-shared',
          `${given.map((d) => d.bdf).join(' and ')} share IOMMU group ${group} and do not work behind a vSMMU${outcome}`,
          { place: first.place, severity: refused ? 'error' : undefined },
        ),
      );
      continue;
    }
    diagnostics.push(...singleness(first, host));
    const inDomain = new Set(members.map((d) => d.bdf));
    const missing = host.groupMembers(group).filter((mate) => !inDomain.has(mate.bdf));
    if (policy.completeGroups) {
      companions.push(...missing.map((mate) => mate.bdf));
      for (const mate of missing) {
        const holder = mate.vfio || mate.driver === null ? '' : `; libvirt takes it from ${mate.driver} at each start`;
        diagnostics.push(
          diagnostic('group-completed', `${mate.bdf} of IOMMU group ${group} goes with ${first.bdf}${holder}`, {
            place: first.place,
          }),
        );
      }
      continue;
    }
    diagnostics.push(...viability(group, members, host));
  }
  return companions;
}

/** The host devices of a domain by the IOMMU group that they are in on the host. */
export function groupsOf(domain: Domain, host: Host): ReadonlyMap<number, readonly HostDevice[]> {
  const groups = new Map<number, HostDevice[]>();
  for (const device of domain.hostDevices) {
    const group = host.device(device.bdf)?.group ?? null;
    if (group !== null) groups.set(group, [...(groups.get(group) ?? []), device]);
  }
  return groups;
}

/**
 * Whether Linux (7.2) lets a vSMMU translate for a device: it attaches whole groups, and fails for what of one is no device
 * of the guest's vIOMMU, bridges too (`error attach … No such file or directory`).
 */
export function singleness({ bdf, place }: HostDevice, host: Host): readonly Diagnostic[] {
  const device = host.device(bdf);
  const company = device ? host.groupCompany(device) : [];
  if (!device || company.length === 0) return [];
  const names = company.map((other) => (other.bridge ? `the bridge ${other.bdf}` : other.bdf)).join(' and ');
  const message = `${bdf} shares IOMMU group ${device.group} with ${names}, and does not work behind a vSMMU`;
  return [diagnostic('group-not-single', message, { place })];
}

/** Whether VFIO would hand out a group of which a domain has these devices; libvirt takes those from their drivers itself. */
export function viability(group: number, members: readonly HostDevice[], host: Host): readonly Diagnostic[] {
  const first = members.find((device) => !device.unassigned);
  const inDomain = new Set(members.map((d) => d.bdf));
  const foreign = host.groupMembers(group).filter((mate) => !inDomain.has(mate.bdf) && !mate.vfio);
  if (!first || foreign.length === 0) return [];
  const message = `IOMMU group ${group} of ${first.bdf} has ${foreign.map(describeHolder).join(', ')}, not held by vfio`;
  return [diagnostic('group-not-viable', message, { place: first.place })];
}

/** `0000:11:00.1 (igb)`. */
function describeHolder({ bdf, driver }: PciDevice): string {
  return `${bdf} (${driver ?? 'no driver'})`;
}
