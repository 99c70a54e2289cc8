import { define, defineCases } from './diagnostic.js';

export const deviceMissing = define('device-missing', {
  severity: 'error',
  message: (a: { device: string }) => `${a.device} is not on this host`,
  hint: 'see `vsmmu topology` for the devices of this host',
  meaning: 'a host device of the domain is not on this host',
  why: `The host has no PCI device at that address. Addresses change when cards are moved or firmware is updated. Virtual
    functions disappear when the host boots.`,
  remedy: `See which devices the host has now, and name one of them. Virtual functions have to be created first: write their
    number to the physical function's sriov_numvfs.`,
  example: `vsmmu topology
echo 4 > /sys/bus/pci/devices/0000:31:00.0/sriov_numvfs`,
});

export const deviceUnassigned = define('device-unassigned', {
  severity: 'note',
  message: (a: { device: string }) => `${a.device} is detached from its host driver but not visible to the guest`,
  meaning: "a device with `<address type='unassigned'/>` is not visible to the guest",
  why: `libvirt detaches such a device from its host driver and does not pass it to the guest. This makes an IOMMU group viable
    when the guest gets only one device of it. The guest does not see the device, so it needs no port.`,
  remedy: `Nothing needs to be done if that is intended.`,
  example: `<hostdev mode='subsystem' type='pci' managed='yes'>
  <source>
    <address domain='0x0000' bus='0x11' slot='0x00' function='0x1'/>
  </source>
  <address type='unassigned'/>
</hostdev>`,
});

export const deviceWithoutGroup = define('device-without-group', {
  severity: 'warning',
  message: (a: { device: string }) => `${a.device} is in no IOMMU group and cannot be assigned`,
  hint: 'remove it from the domain',
  meaning: 'a device is in no IOMMU group: VFIO cannot assign it, and the domain will not start (an error in `check`)',
  why: `The kernel has put the device in no IOMMU group, because no IOMMU translates for it. Without a group VFIO cannot keep
    its DMA inside the guest, and does not assign it.`,
  remedy: `Remove it from the domain, or move the card to a slot behind an SMMU.`,
  example: `readlink /sys/bus/pci/devices/0000:00:10.0/iommu_group`,
});

export const deviceWithoutSmmu = define('device-without-smmu', {
  severity: 'note',
  message: (a: { device: string }) => `${a.device} is behind no SMMU and stays where it is`,
  meaning: 'a device is behind no SMMU on the host and stays on `pcie.0`',
  why: `The device's DMA passes no SMMUv3 on the host, so no vSMMU can represent one. QEMU would refuse the device behind an
    accelerated vSMMU.`,
  remedy: `Nothing needs to be done: on pcie.0 it works as before. If its card is moved to a slot behind an SMMU, vsmmu
    places it.`,
  example: `vsmmu topology | sed -n '/Behind no SMMUv3/,/^$/p'`,
});

export const deviceBypassed = define('device-bypassed', {
  severity: 'note',
  message: (a: { device: string }) => `${a.device} stays behind no vSMMU, because it is on the bypass list`,
  meaning: 'a device is on the `bypass` list of the policy',
  why: `The policy lists it among the devices that stay on pcie.0, where the guest does not translate its DMA: the guest
    cannot use ATS or PASID, and mapping memory costs it no time.`,
  remedy: `Remove it from the list to have it placed.`,
  example: `vsmmu rewrite --bypass 0006:01:00.0 vm.xml`,
});

export const deviceMediated = define('device-mediated', {
  severity: 'note',
  message: 'a mediated device has no SMMU of its own and stays where it is',
  meaning: 'a mediated device (mdev) has no SMMU of its own',
  why: `A mediated device is created by a host driver, and that driver does its DMA. The device itself is behind no SMMU.`,
  remedy: `Nothing needs to be done: it stays on pcie.0.`,
  example: `<hostdev mode='subsystem' type='mdev' model='vfio-pci'>…</hostdev>`,
});

export const devicePooled = define('device-pooled', {
  severity: 'note',
  message: (a: { network: string }) =>
    `the interface of network ${a.network} stays where it is: libvirt chooses its host device at each start`,
  meaning: "an interface gets its host device from a network's pool, so its SMMU is not known",
  why: `A libvirt network can have a pool of host devices. An interface of that network gets a free one at each start. Its SMMU
    is not known before, so the interface stays on pcie.0, behind no vSMMU. The network has <forward mode='hostdev'>;
    in the domain's XML, only the <driver> of the interface shows that.`,
  remedy: `To have it behind a vSMMU, give the domain a host device of its own instead.`,
  example: `<interface type='hostdev' managed='yes'>
  <source>
    <address type='pci' domain='0x0000' bus='0x31' slot='0x10' function='0x2'/>
  </source>
</interface>`,
});

export const deviceWithoutBar = define('device-without-bar', {
  severity: 'warning',
  message: (a: { device: string }) =>
    `${a.device} has no 64-bit prefetchable BAR on this host, and its platform needs one`,
  hint: 'see `vsmmu topology`; bind it to nvgrace_gpu_vfio_pci, or reboot the host if its firmware did not initialize it',
  meaning: 'a GPU whose platform maps its memory with a large BAR has no such BAR on this host',
  why: `The GPU of an NVIDIA Grace chip has its memory behind a 64-bit prefetchable BAR. Without that BAR in sysfs, the guest
    gets a GPU without memory. This happens when the GPU's firmware did not initialize it.`,
  remedy: `Check whether the host's own driver can use the GPU. If not, reset it or reboot the host.`,
  example: `cat /sys/bus/pci/devices/0009:01:00.0/resource`,
});

export const deviceBridge = define('device-bridge', {
  severity: 'error',
  message: (a: { device: string }) => `${a.device} is a PCI bridge and cannot be assigned`,
  hint: 'remove it from the domain',
  meaning: 'a PCI bridge is given as a host device; libvirt and VFIO assign endpoints only',
  why: `VFIO assigns endpoints. A PCI bridge forwards the DMA of the devices below it and belongs to the host; libvirt refuses
    it ("Non-endpoint PCI devices cannot be assigned to guests").`,
  remedy: `Remove it. To assign a device below it, name that device.`,
  example: `vsmmu topology            # which devices the host has`,
});

/** Printed only with `--verbose`, because `plan` lists these addresses. */
export const deviceMoved = defineCases('device-moved', {
  severity: 'note',
  messages: {
    /** `from` is undefined if the device had no address yet, `smmu` if it is behind no vSMMU. */
    host: (a: { device: string; from: string | undefined; to: string; smmu: string | undefined }) => {
      const from = a.from === undefined ? '' : ` from ${a.from}`;
      const behind = a.smmu === undefined ? 'behind no vSMMU' : `behind the vSMMU of ${a.smmu}`;
      return `${a.device} moves${from} to ${a.to}, ${behind}`;
    },
    functionZero: (a: { device: string; from: string; to: string }) =>
      `${a.device} moves from ${a.from} to ${a.to}, because function 0 of its slot moves away`,
  },
  meaning: 'the address of a device in the guest before and after',
  why: `A device behind a vSMMU is on another bus than before, so the guest sees it at another PCI address. Names that depend on
    the address change with it: a NIC called enp3s0 may become enp253s0.`,
  remedy: `Check where the guest refers to the address or the name: network configuration, udev rules, GPU lists. A rule that
    matches the MAC address keeps working.`,
  example: `vsmmu plan --guest vm.xml
[Match]
MACAddress=52:54:00:11:22:33`,
});

export const emulatedReturned = define('emulated-returned', {
  severity: 'note',
  message: (a: { device: string; from: string; to: string }) =>
    `${a.device} moves from ${a.from}, behind a vSMMU, to ${a.to} on pcie.0`,
  meaning: 'an emulated device behind an accelerated vSMMU, where QEMU refuses it, moves back to `pcie.0`',
  why: `QEMU (11.1) refuses an emulated device behind an accelerated vSMMU. libvirt puts one there when the free port with the
    lowest index is behind a vSMMU, for example after the host device on that port was detached.`,
  remedy: `Nothing needs to be done. The device has another PCI address in the guest; vsmmu revert leaves it there.`,
  example: `virsh attach-disk vm data.img vdb --config
vsmmu rewrite --diff vm.xml`,
});

export const emulatedBehindVsmmu = define('emulated-behind-vsmmu', {
  severity: 'error',
  message: (a: { element: string; vsmmu: string }) => `<${a.element}> is behind ${a.vsmmu}`,
  hint: 'remove its <address>, so that libvirt puts it on pcie.0',
  meaning: 'an emulated device is behind a vSMMU; QEMU refuses it behind an accelerated one',
  why: `An accelerated vSMMU uses the host's SMMU for translation, and a device that QEMU emulates is behind no SMMU of the
    host: "Emulated endpoint devices are not allowed when using arm-smmuv3,accel=on". The domain was edited by hand, or
    libvirt gave a new device the free port with the lowest index.`,
  remedy: `Remove its <address>; libvirt then puts it on a port of pcie.0. Check that pcie.0 has a free one.`,
  example: `<disk type='file' device='disk'>
  <target dev='vdb' bus='virtio'/>
  <address type='pci' domain='0x0000' bus='0x0b' slot='0x00' function='0x0'/>   <!-- remove this -->
</disk>`,
});

export const iommufdChanged = defineCases('iommufd-changed', {
  severity: 'warning',
  messages: {
    device: (a: { device: string; why: 'accelerated' | 'group' }) =>
      `${a.device} has iommufd='no', which becomes 'yes': ${a.why === 'group' ? 'a device of its IOMMU group has iommufd' : 'an accelerated vSMMU needs it'}`,
    domain: "<iommufd enabled='no'/> becomes 'yes', because the policy sets iommufd to domain",
  },
  meaning: "`iommufd='no'` of a device becomes `'yes'`: QEMU accepts no other backend behind an accelerated vSMMU",
  why: `Behind an accelerated vSMMU QEMU accepts a host device only with an iommufd backend: the older VFIO container does
    not support nested translation.`,
  remedy: `Nothing needs to be done, unless the device must not use iommufd; then add it to the bypass list.`,
  example: `<driver name='vfio' iommufd='yes'/>`,
});

export const accelerationCost = define('acceleration-cost', {
  severity: 'note',
  message: 'the domain can no longer be migrated, saved, or snapshotted with its memory',
  meaning: 'a domain with an accelerated vSMMU cannot be migrated, saved, or snapshotted with its memory',
  why: `The state of the host's SMMU cannot be transferred, so QEMU refuses live migration, save, managed save and snapshots
    with memory: "Migration not supported with SMMUv3 accelerator mode enabled". Snapshots of the disks alone work.`,
  remedy: `Nothing needs to be done if the domain can be shut down instead. vsmmu revert restores the former domain.`,
  example: `virsh snapshot-create-as vm before --disk-only
vsmmu revert -i vm.xml`,
});

export const platformSettingMissing = defineCases('platform-setting-missing', {
  severity: 'note',
  messages: {
    rom: (a: { devices: readonly string[] }) => ({
      message: `the platform guide of ${a.devices.join(', ')} recommends disabling the option ROM`,
      hint: "add <rom bar='off'/>, or give --rom-bar off",
    }),
    ras: (a: { device: string }) => ({
      message: `the guest gets no reports of memory errors (RAS), which the platform guide of ${a.device} recommends`,
      hint: "add <ras state='on'/> to <features>, or give --ras on",
    }),
    distance: (a: { device: string; cells: string; cell: number; distance: number }) => ({
      message: `the Generic Initiators of ${a.device} (cells ${a.cells}) have libvirt's default distance of 20 from cell ${a.cell}`,
      hint: `write <distances>; the platform guide uses ${a.distance}`,
    }),
  },
  meaning: 'a domain lacks a setting that the platform guide of its devices recommends',
  why: `Guides for NVIDIA Grace use three settings. GPUs have no option ROM, which is code for x86 and takes MMIO space. RAS
    is on, so that QEMU reports memory errors to the guest. Generic Initiators are far from memory, so that the guest does
    not use GPU memory like nearby memory. vsmmu writes the first two only if the policy asks for them (romBar, ras),
    because no vSMMU needs them. It writes distances only for cells that it adds.`,
  remedy: `Add the setting that the message names. Nothing needs to be done if the guest can do without it.`,
  example: `<features>
  <ras state='on'/>
</features>
<rom bar='off'/>   <!-- in the <hostdev> -->`,
});

export const settingKept = defineCases('setting-kept', {
  severity: 'warning',
  messages: {
    rom: (a: { device: string; present: string }) =>
      `${a.device} has ${a.present}, so its option ROM stays although the policy disables it (romBar)`,
    ras: (a: { present: string }) =>
      `the domain has ${a.present}, so it gets no reports of memory errors although the policy enables them (ras)`,
    hugePages: (a: { wanted: string }) => ({
      message: `the domain has other huge pages than the ${a.wanted} of the policy (hugePages), and keeps them`,
      hint: 'remove its <hugepages>, or give --relayout if vsmmu added it',
    }),
    conflict: (a: { wanted: string; present: string }) =>
      `the domain has ${a.present} in its <memoryBacking>, and libvirt refuses huge pages with it (hugePages ${a.wanted})`,
    uneven: (a: { wanted: string; memory: string }) => ({
      message: `${a.memory} of memory is not a multiple of ${a.wanted} (hugePages), so the domain keeps its page size`,
      hint: 'give the guest and each NUMA cell a multiple of that size',
    }),
  },
  hint: 'remove that element if the policy should decide',
  meaning:
    'the policy asks for a setting (`romBar`, `ras`, `hugePages`) that the domain cannot have or sets to another value',
  why: `These settings are optional, so vsmmu does not replace what the domain says about them. libvirt refuses huge pages
    with memory of type anonymous or allocated on demand. QEMU refuses them if the memory of the guest, or of a NUMA cell,
    is not a multiple of their size.`,
  remedy: `Remove or change the element that the message names, and run the command again.`,
  example: `<memoryBacking>
  <hugepages>
    <page size='512' unit='MiB'/>
  </hugepages>
</memoryBacking>`,
});
