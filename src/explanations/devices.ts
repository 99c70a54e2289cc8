import type { DiagnosticCode } from '../codes.js';
import type { Explanation } from '../explanations.js';

/** A device that the guest does not see. */
const HIDDEN = `<hostdev mode='subsystem' type='pci' managed='yes'>
  <source>
    <address domain='0x0000' bus='0x11' slot='0x00' function='0x1'/>
  </source>
  <address type='unassigned'/>
</hostdev>`;

/** Each device and its IOMMU group. */
export const devices = {
  'device-missing': {
    why: `The host has no PCI device at that address. Addresses change when cards are moved, firmware is updated or the
      number of virtual functions is 0 since the last boot.`,
    remedy: `See what is there now, and name that. Virtual functions have to be made first: write their number to the
      physical function's sriov_numvfs.`,
    example: `vsmmu topology
echo 4 > /sys/bus/pci/devices/0000:31:00.0/sriov_numvfs`,
  },
  'device-unassigned': {
    why: `libvirt takes such a device from its host driver and gives it to nobody: that makes an IOMMU group viable of which
      the guest gets one device only. The guest does not see it, so it has no place.`,
    remedy: `Nothing, if that is what it is there for.`,
    example: HIDDEN,
  },
  'device-without-group': {
    why: `The kernel has put the device in no IOMMU group, since no IOMMU translates for it. Without one VFIO cannot keep its
      DMA inside the guest, and does not assign it at all.`,
    remedy: `Remove it from the domain, or put the card in a slot that is behind an SMMU.`,
    example: `readlink /sys/bus/pci/devices/0000:00:10.0/iommu_group`,
  },
  'device-without-smmu': {
    why: `The device's requests pass no SMMUv3 on the host, so that no vSMMU could stand for one. Behind an expander bus with
      acceleration QEMU would refuse it.`,
    remedy: `Nothing: on pcie.0 it works as it did. In a slot behind an SMMU it would be placed.`,
    example: `vsmmu topology | sed -n '/Behind no SMMUv3/,/^$/p'`,
  },
  'device-bypassed': {
    why: `The policy names it among those that stay on pcie.0, where the host alone translates for it: no ATS, no PASID, and
      no cost of a guest's own mappings.`,
    remedy: `Take it off the list to have it placed.`,
    example: `vsmmu rewrite --bypass 0006:01:00.0 vm.xml`,
  },
  'device-mediated': {
    why: `A mediated device is made by a driver of the host, and its DMA is that driver's. It is behind no SMMU of its own.`,
    remedy: `Nothing: it stays on pcie.0.`,
    example: `<hostdev mode='subsystem' type='mdev' model='vfio-pci'>…</hostdev>`,
  },
  'device-pooled': {
    why: `A network of libvirt's can have a pool of host devices, of which an interface gets a free one at each start. Which SMMU
      that is behind is not known before, so the interface stays on pcie.0, behind no vSMMU. A domain tells of it only
      by the interface's driver; the network itself says it with <forward mode='hostdev'>.`,
    remedy: `Give the domain a device of its own in the pool's place, if it is to be behind a vSMMU.`,
    example: `<interface type='hostdev' managed='yes'>
  <source>
    <address type='pci' domain='0x0000' bus='0x31' slot='0x10' function='0x2'/>
  </source>
</interface>`,
  },
  'device-without-bar': {
    why: `The GPU of an NVIDIA Grace chip has its memory behind a 64-bit prefetchable BAR. Without one in sysfs, the guest
      gets a GPU without memory. That is so where the GPU's firmware did not come up.`,
    remedy: `See whether the host's own driver can use the GPU, and reset or reboot it where it cannot.`,
    example: `cat /sys/bus/pci/devices/0009:01:00.0/resource`,
  },
  'device-bridge': {
    why: `VFIO assigns endpoints. A PCI bridge forwards the requests of the devices below it and belongs to the host; libvirt
      refuses it ("Non-endpoint PCI devices cannot be assigned to guests").`,
    remedy: `Remove it, and name the device below it where that is what you want.`,
    example: `vsmmu topology            # which devices the host has`,
  },
  'group-shared': {
    why: `The SMMU cannot tell the members of an IOMMU group apart, or they can reach each other without passing it: the
      functions of one card, or everything below a port or switch without ACS, bridges included. When a guest turns translation
      on, Linux (7.2) attaches the whole group to the guest's page tables, and fails if a member is not a device of the
      guest's vSMMU. A bridge never is. The guest would start, and the device would not work. With a second endpoint of the
      group in the guest, QEMU (11.1) does not start ("Invalid argument"). On pcie.0 these devices work.`,
    remedy: `Enable ACS on the port named in the message: it is a setting of the firmware, or of the switch. A card with
      SR-IOV often has a group for each virtual function.`,
    example: `vsmmu topology            # which devices share a group
vsmmu rewrite --group-mates error vm.xml`,
  },
  'group-direct-region': {
    why: `Firmware has declared a memory range that must stay mapped 1:1 for this device (an RMR node of the IORT). Linux
      refuses to hand such a group to a guest: "Firmware has requested this device have a 1:1 IOMMU mapping". Regions of type
      direct-relaxable do not matter.`,
    remedy: `Remove the device from the domain, or ask the platform's vendor for firmware without the region.`,
    example: `cat /sys/kernel/iommu_groups/7/reserved_regions`,
  },
  'group-not-viable': {
    why: `VFIO hands out whole groups. While a host driver holds another device of the group, that driver could reach
      the guest's memory, so the kernel refuses: "Operation not permitted" when the domain starts.`,
    remedy: `Bind the others to vfio-pci, or let libvirt do it when the domain starts: --complete-groups adds them as devices
      that the guest does not see. The host loses them meanwhile, so look at what they are.`,
    example: `vsmmu rewrite --complete-groups vm.xml
virsh nodedev-detach pci_0000_11_00_1`,
  },
  'group-completed': {
    why: `--complete-groups adds the group members that a host driver holds, so that libvirt takes them from their drivers
      while the guest runs. The host cannot use them in that time.`,
    remedy: `See that the host can do without them: its own disk or network card may be among them.`,
    example: HIDDEN,
  },
  'leftover-removed': {
    why: `For some devices vsmmu adds more than a place: the other endpoints of their IOMMU group, held for the guest, and NUMA
      cells for their Generic Initiators. Once such a device has left the domain they serve nobody. By the record in
      <metadata> they are known to be vsmmu's, so nothing else goes with them.`,
    remedy: `Nothing needs to be done.`,
    example: `virsh detach-device vm gpu.xml --config
vsmmu rewrite --diff vm.xml`,
  },
  'device-moved': {
    why: `A device behind a vSMMU is on another bus than before, so the guest sees it at another PCI address. Names that
      follow from the address change with it: a NIC called enp3s0 may come to be enp253s0.`,
    remedy: `See what the guest has written down by address or by name: network configuration, udev rules, GPU lists. A rule
      by MAC address does not mind.`,
    example: `vsmmu plan --guest vm.xml
[Match]
MACAddress=52:54:00:11:22:33`,
  },
  'emulated-returned': {
    why: `QEMU (11.1) refuses an emulated device behind an accelerated vSMMU. libvirt puts one there when it gets the free port with
      the lowest index: after a device was detached, the port of that device may be it.`,
    remedy: `Nothing needs to be done. The device has another PCI address in the guest; vsmmu revert leaves it there.`,
    example: `virsh attach-disk vm data.img vdb --config
vsmmu rewrite --diff vm.xml`,
  },
  'expander-bus-full': {
    why: `Every port takes a bus number, and those of an expander bus are in one piece: from its busNr to the next expander bus.
      Where none is left, the device gets a further expander bus with a vSMMU for the same SMMU, which works as well. The
      expander buses that are there keep their numbers, so that the guest finds its devices where they were.`,
    remedy: `Nothing needs to be done. With --relayout all devices of an SMMU are behind one expander bus again.`,
    example: `vsmmu rewrite --relayout --diff vm.xml`,
  },
  'spare-ports-left-out': {
    why: `Every port takes a bus number and a slot, and the expander bus has none left between its own numbers and the next expander
      bus.`,
    remedy: `Use --relayout where the devices may get other addresses in the guest.`,
    example: `vsmmu rewrite --relayout --spare-ports 1 --diff vm.xml`,
  },
  'switch-not-mirrored': {
    why: `With --mirror-switches, devices that are below one PCIe switch of the host get a switch in the guest, so that it can
      see that they are near each other. Some did not: a device that is in place already is not moved for one that
      joins it, an expander bus may have no bus number left for another port, and a switch has 32.`,
    remedy: `Plan all expander buses anew, if the devices in place may get other addresses in the guest.`,
    example: `vsmmu rewrite -i --relayout --mirror-switches vm.xml`,
  },
  'emulated-behind-vsmmu': {
    why: `An accelerated vSMMU has the host's SMMU translate, and what QEMU emulates is behind no SMMU of the host: "Emulated
      endpoint devices are not allowed when using arm-smmuv3,accel=on". It gets there by hand, or since libvirt gave a
      new device the free port with the lowest index.`,
    remedy: `Remove its <address>; libvirt then finds it a port on pcie.0. See that pcie.0 has a free one.`,
    example: `<disk type='file' device='disk'>
  <target dev='vdb' bus='virtio'/>
  <address type='pci' domain='0x0000' bus='0x0b' slot='0x00' function='0x0'/>   <!-- remove this -->
</disk>`,
  },
  'iommufd-changed': {
    why: `Behind an accelerated vSMMU QEMU takes a host device with an iommufd backend only: the older VFIO container cannot
      nest a guest's translation.`,
    remedy: `Nothing, unless the device was kept off iommufd for a reason; then put it on the bypass list.`,
    example: `<driver name='vfio' iommufd='yes'/>`,
  },
  'attach-impossible': {
    why: `A device can be plugged in behind the vSMMU of its own SMMU only, on a free port with room for its BARs: firmware
      gave each expander bus its memory window at boot. On a port that keeps no memory at all, a Linux guest would take that
      of the devices beside it, which are dead then. A device of another SMMU would be taken without an error and
      would not work.`,
    remedy: `Give the expander buses spare ports before the domain is started, with memory kept free for large BARs.`,
    example: `vsmmu rewrite -i --spare-ports 2 --spare-memory 128G vm.xml
vsmmu attach vm.xml 0009:01:00.0 > device.xml`,
  },
  'acceleration-cost': {
    why: `The state of the host's SMMU that a guest uses cannot be carried over, so QEMU says "Migration not supported with
      SMMUv3 accelerator mode enabled" to live migration, save, managed save and snapshots with memory. Snapshots of the
      disks alone work.`,
    remedy: `Nothing, if the domain can be shut down instead. vsmmu revert gives back the domain as it was.`,
    example: `virsh snapshot-create-as vm before --disk-only
vsmmu revert -i vm.xml`,
  },
} as const satisfies Partial<Record<DiagnosticCode, Explanation>>;
