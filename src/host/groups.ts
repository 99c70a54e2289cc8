import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { groupDirectRegion, groupNotViable } from '../diagnostics/groups.js';
import type { Bdf } from '../domain/address.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { PciDevice } from '../generated/topology.js';
import { groupBy } from '../group-by.js';
import type { Host } from './host.js';

/** An IOMMU group with devices of a domain. */
export interface DomainGroup {
  readonly group: number;
  /** All members, including PCI bridges. */
  readonly members: readonly PciDevice[];
  /** The domain's devices. */
  readonly devices: readonly HostDevice[];
  /** The domain's devices without those that the guest does not see (`unassigned`). */
  readonly given: readonly HostDevice[];
  /** The endpoints that a host driver holds and that the domain does not have. VFIO accepts endpoints without a driver. */
  readonly held: readonly (PciDevice & { readonly driver: string })[];
}

/** Returns the IOMMU groups that a domain's devices are in. */
export function groupsOf({ hostDevices }: Domain, host: Host): readonly DomainGroup[] {
  const byGroup = groupBy(hostDevices, ({ bdf }) => host.device(bdf)?.group ?? null);
  return [...byGroup].map(([group, devices]) => {
    const members = host.groupMembers(group);
    const own = new Set(devices.map(({ bdf }) => bdf));
    const held = members.flatMap((member) => {
      const { bdf, bridge, vfio, driver } = member;
      return bridge || vfio || driver === null || own.has(bdf) ? [] : [{ ...member, driver }];
    });
    return { group, members, devices, given: devices.filter(({ unassigned }) => !unassigned), held };
  });
}

/** Returns an error if a group has a reserved region of type `direct`, because Linux does not assign such a group. */
export function directRegionDiagnostics({ group, members, given: [first] }: DomainGroup): readonly Diagnostic[] {
  const [region] = members.flatMap((device) => device.directRegions ?? []);
  if (!first || region === undefined) return [];
  return [groupDirectRegion({ device: first.bdf, group, region, location: first.location })];
}

/** Returns a warning if VFIO would refuse a group. libvirt unbinds the domain's own devices from their drivers. */
export function viabilityDiagnostics({ group, given: [first], held }: DomainGroup): readonly Diagnostic[] {
  if (!first || held.length === 0) return [];
  return [groupNotViable({ device: first.bdf, group, held, location: first.location })];
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
