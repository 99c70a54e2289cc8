import { define, defineCases } from './diagnostic.js';
import { listNames, type NamedFunction, nameFunctions } from './words.js';

/** The XML of a device that the guest does not see. */
const HIDDEN = `<hostdev mode='subsystem' type='pci' managed='yes'>
  <source>
    <address domain='0x0000' bus='0x11' slot='0x00' function='0x1'/>
  </source>
  <address type='unassigned'/>
</hostdev>`;

/** Returns a hint that names the ports to enable ACS on. If there are none, the functions of one card share the group. */
export function acsHint(portsWithoutAcs: readonly string[]): string {
  if (portsWithoutAcs.length === 0) {
    return 'these functions have no ACS between them; with ACS, each gets a group of its own';
  }
  const have = portsWithoutAcs.length > 1 ? 'have' : 'has';
  return `${listNames(portsWithoutAcs)} ${have} no ACS; if the firmware enables it, each device gets a group of its own`;
}

export const groupShared = define('group-shared', {
  severity: 'warning',
  message: (a: {
    devices: readonly string[];
    group: number;
    /** Members of the group that are not among the devices. */
    others: readonly NamedFunction[];
    portsWithoutAcs: readonly string[];
    refused: boolean;
  }) => {
    const outcome = a.refused ? 'cannot be placed' : a.devices.length > 1 ? 'stay on pcie.0' : 'stays on pcie.0';
    const why =
      a.others.length === 0
        ? `they share IOMMU group ${a.group}`
        : `IOMMU group ${a.group} also has ${nameFunctions(a.others)}`;
    return { message: `${listNames(a.devices)} ${outcome}: ${why}`, hint: acsHint(a.portsWithoutAcs) };
  },
  meaning:
    'a device is not alone in its IOMMU group (PCI bridges count) and stays on `pcie.0`: it does not work behind an accelerated vSMMU',
  why: `The SMMU cannot distinguish the members of an IOMMU group, or they can reach each other without passing it: the
    functions of one card, or everything below a port or switch without ACS, bridges included. When a guest enables
    translation, Linux (7.2) attaches the whole group to the guest's page tables, and fails if a member is not a device of
    the guest's vSMMU. A bridge never is one. The guest would start, and the device would not work. With a second endpoint of
    the group in the guest, QEMU (11.1) does not start ("Invalid argument"). On pcie.0 these devices work.`,
  remedy: `Enable ACS on the port named in the message: it is a setting of the firmware, or of the switch. A card with
    SR-IOV often has a group for each virtual function.`,
  example: `vsmmu topology            # which devices share a group
vsmmu rewrite --group-mates error vm.xml`,
});

export const groupDirectRegion = define('group-direct-region', {
  severity: 'error',
  message: (a: { device: string; group: number; region: string }) =>
    `${a.device} cannot be assigned: IOMMU group ${a.group} has a reserved region of type direct, ${a.region}`,
  hint: 'remove the device from the domain',
  meaning:
    'firmware needs a fixed mapping (a reserved region of type `direct`) for an IOMMU group; Linux does not assign its devices',
  why: `Firmware has declared a memory range that must stay mapped 1:1 for this device (an RMR node of the IORT). Linux
    refuses to assign such a group to a guest: "Firmware has requested this device have a 1:1 IOMMU mapping". Regions of
    type direct-relaxable do not matter.`,
  remedy: `Remove the device from the domain, or ask the platform's vendor for firmware without the region.`,
  example: `cat /sys/kernel/iommu_groups/7/reserved_regions`,
});

export const groupNotViable = define('group-not-viable', {
  severity: 'warning',
  message: (a: { device: string; group: number; held: readonly { bdf: string; driver: string | null }[] }) =>
    `IOMMU group ${a.group} of ${a.device} also has ${a.held.map(({ bdf, driver }) => `${bdf} (${driver})`).join(', ')}, bound to a host driver`,
  hint: "bind it to vfio-pci, or add it to the domain with <address type='unassigned'/>, as --complete-groups does",
  meaning: 'a device shares its IOMMU group with a device that is bound to a host driver; VFIO refuses such a group',
  why: `VFIO assigns whole groups. While another device of the group is bound to a host driver, that device could reach
    the guest's memory, so the kernel refuses: "Operation not permitted" when the domain starts.`,
  remedy: `Bind the others to vfio-pci, or let libvirt do it when the domain starts: --complete-groups adds them as devices
    that the guest does not see. The host cannot use them while the guest runs, so check what they are.`,
  example: `vsmmu rewrite --complete-groups vm.xml
virsh nodedev-detach pci_0000_11_00_1`,
});

export const groupCompleted = define('group-completed', {
  severity: 'note',
  message: (a: { member: string; group: number; device: string; driver: string }) =>
    `${a.member} of IOMMU group ${a.group} is added with ${a.device}; libvirt detaches it from ${a.driver} at each start`,
  meaning: "a member of a device's IOMMU group is added to the domain, hidden from the guest",
  why: `--complete-groups adds the group members that are bound to a host driver, so that libvirt detaches them from it
    while the guest runs. The host cannot use them during that time.`,
  remedy: `Check that the host can do without them: its own disk or network card may be among them.`,
  example: HIDDEN,
});

export const groupBehindVsmmu = define('group-behind-vsmmu', {
  severity: 'error',
  message: (a: {
    device: string;
    vsmmu: string;
    group: number;
    others: readonly NamedFunction[];
    portsWithoutAcs: readonly string[];
  }) => ({
    message: `${a.device} is behind ${a.vsmmu}, and its IOMMU group ${a.group} also has ${nameFunctions(a.others)}`,
    hint: `move it to pcie.0, as \`vsmmu rewrite\` does; ${acsHint(a.portsWithoutAcs)}`,
  }),
  meaning:
    'a device behind an accelerated vSMMU is not alone in its IOMMU group, PCI bridges counted; it does not work there',
  why: `Linux (7.2) attaches a whole IOMMU group to the guest's page tables, and fails if a member is not a device of the
    guest's vSMMU: another function, or a bridge without ACS. QEMU logs "error attach … No such file or directory" when the
    guest enables translation, and the device does not respond. With a second device of the group in the guest, QEMU (11.1)
    does not start ("Invalid argument").`,
  remedy: `Put all devices of the group on pcie.0, either all with iommufd or none, as vsmmu rewrite does.`,
  example: `vsmmu topology            # which devices share a group
vsmmu rewrite --diff vm.xml`,
});

export const groupBackendsDiffer = define('group-backends-differ', {
  severity: 'error',
  message: (a: { group: number; withIommufd: string; without: string }) =>
    `${a.withIommufd} uses iommufd and ${a.without} does not, and they share IOMMU group ${a.group}`,
  hint: 'give all of them the same iommufd in their <driver>',
  meaning: 'two devices share an IOMMU group, and only one uses iommufd; the other cannot open the group',
  why: `The kernel gives a group to one owner, and VFIO's group file is a different owner than /dev/iommu. For the second
    device QEMU says "Could not open '/dev/vfio/3': Device or resource busy".`,
  remedy: `Give every device of the group iommufd='yes', or none of them.`,
  example: `<driver iommufd='yes'/>`,
});

export const orphanedRemoved = defineCases('orphaned-removed', {
  severity: 'note',
  messages: {
    groupMembers: (a: { devices: readonly string[] }) =>
      `${a.devices.join(', ')} removed: the device of the same IOMMU group is no longer in the domain`,
    cells: (a: { cells: string }) =>
      `NUMA cells ${a.cells} removed: the device that they were added for is no longer in the domain`,
  },
  meaning: 'what vsmmu added for a device is removed, because that device is no longer in the domain',
  why: `vsmmu adds elements for some devices: the other endpoints of their IOMMU group, hidden from the guest, and NUMA cells
    for their Generic Initiators. When such a device has left the domain, they have no use. The record in <metadata> lists
    them, so only elements that vsmmu added are removed.`,
  remedy: `Nothing needs to be done.`,
  example: `virsh detach-device vm gpu.xml --config
vsmmu rewrite --diff vm.xml`,
});
