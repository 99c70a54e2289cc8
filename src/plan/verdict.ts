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
import { groupCompleted, groupShared } from '../diagnostics/groups.js';
import type { Bdf } from '../domain/address.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import {
  type DomainGroup,
  directRegionDiagnostics,
  groupsOf,
  portsWithoutAcs,
  viabilityDiagnostics,
} from '../host/groups.js';
import type { Host } from '../host/host.js';
import type { Policy } from '../policy/policy.js';
import { changesOf, type StageResult } from './stage.js';

/** The decision on a placeable device: behind the vSMMU of its SMMU, or not behind a vSMMU, with the reason. */
export type Verdict = { readonly smmu: string } | { readonly smmu: undefined; readonly reason: string };

/** The verdict on each placeable device of a domain. */
export interface Selection extends StageResult {
  readonly verdicts: ReadonlyMap<HostDevice, Verdict>;
  /** Endpoints of IOMMU groups to add as unassigned devices (`completeGroups`). */
  readonly groupMembers: readonly Bdf[];
}

/**
 * Decides for each placeable device whether it goes behind a vSMMU: first by device, then by IOMMU group. Behind an accelerated
 * vSMMU, Linux 7.2 translates only for a device that is alone in its group; PCI bridges count as members.
 */
export function judgeDevices(domain: Domain, host: Host, policy: Policy): Selection {
  const verdicts = new Map<HostDevice, Verdict>();
  const diagnostics: Diagnostic[] = [];
  const stays = (device: HostDevice, why: Definition<string, { device: string }>) => {
    verdicts.set(device, { smmu: undefined, reason: why.code });
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
    else verdicts.set(device, { smmu: onHost.smmu });
  }
  diagnostics.push(...domain.mediatedDevices.map(({ location }) => deviceMediated({ location })));
  for (const { element, location } of domain.pooledInterfaces) {
    const network = element.child('source')?.attribute('network') ?? '';
    diagnostics.push(devicePooled({ network, location }));
  }

  const groupMembers: Bdf[] = [];
  for (const each of groupsOf(domain, host)) {
    const { group, devices, given, held } = each;
    diagnostics.push(...directRegionDiagnostics(each), ...keepShared(each, policy, verdicts));
    if (!policy.completeGroups) diagnostics.push(...viabilityDiagnostics(each));
    else if (given.length > 0) {
      groupMembers.push(...held.map(({ bdf }) => bdf));
      const { bdf: device = '', location } = devices[0] ?? {};
      diagnostics.push(
        ...held.map(({ bdf, driver }) => groupCompleted({ member: bdf, group, device, driver, location })),
      );
    }
  }
  return { verdicts, groupMembers, diagnostics, changes: changesOf('add', 'device', groupMembers) };
}

/** Keeps the devices of a group on `pcie.0` if the group has more than one member. */
function keepShared(
  { group, members, devices }: DomainGroup,
  { groupMates }: Policy,
  verdicts: Map<HostDevice, Verdict>,
): readonly Diagnostic[] {
  const candidates = devices.filter((device) => verdicts.get(device)?.smmu !== undefined);
  if (candidates.length === 0 || members.length < 2) return [];
  for (const device of candidates) verdicts.set(device, { smmu: undefined, reason: groupShared.code });
  const own = candidates.map(({ bdf }) => bdf);
  const others = members.filter(({ bdf }) => !own.includes(bdf));
  const refused = groupMates === 'error';
  const severity = refused ? 'error' : undefined;
  const ports = portsWithoutAcs(members);
  const location = candidates[0]?.location;
  return [groupShared({ devices: own, group, others, portsWithoutAcs: ports, refused, location, severity })];
}
