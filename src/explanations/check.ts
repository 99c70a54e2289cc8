import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** What only `vsmmu check` finds: `vsmmu rewrite` does not write it. */
export const check = {
  'device-behind-other-smmu': {
    why: `A vSMMU stands for one SMMU of the host: QEMU (11.1) takes its values off the first device and passes the guest's
      commands to that device's SMMU. It starts all the same with a device of another SMMU there ("Failed to attach GBPA
      hwpt" is all that its log has), and the guest's driver then fails for every device behind that vSMMU, the rightly
      placed ones, too ("CMD_SYNC timeout").`,
    remedy: `Move the device to a port of an expander bus whose vSMMU serves its own SMMU, or to pcie.0: vsmmu rewrite does that.`,
    example: `vsmmu topology            # which device is behind which SMMU
vsmmu check --fix vm.xml`,
  },
  'device-behind-emulated-smmu': {
    why: `An SMMU that QEMU emulates would have to tell VFIO of every mapping that the guest makes, which QEMU's (11.1) cannot:
      "requires iommu MAP notifier which is not currently supported". One for the whole machine is in the way of host
      devices on every bus that has none of its own.`,
    remedy: `Give the SMMU accel='on' where only host devices are behind it. Otherwise put the host devices behind an accelerated
      one, as vsmmu rewrite does, or remove the SMMU.`,
    example: `<iommu model='smmuv3'>
  <driver pciBus='10' accel='on'/>
</iommu>`,
  },
  'device-without-iommufd': {
    why: `Acceleration means that the host's SMMU walks the guest's own page tables, and /dev/iommu is the only way to tell it
      so. QEMU (11.1) refuses a host device there that has the older VFIO backend: "vfio-pci endpoint devices without an
      iommufd backend not allowed when using arm-smmuv3,accel=on".`,
    remedy: `Give the device the driver below (libvirt 12.1), or all host devices of the domain <iommufd enabled='yes'/>
      (libvirt 12.2). The host's kernel needs CONFIG_IOMMUFD.`,
    example: `<driver iommufd='yes'/>`,
  },
  'iommu-ignored': {
    why: `libvirt (12.8) makes QEMU's machine-wide SMMU of the first <iommu> of the domain if that has no pciBus, and of no other.
      What the <driver> of such a one says beyond pciBus goes nowhere.`,
    remedy: `Name the PCI controller that it is to translate for. 0 is pcie.0.`,
    example: `<iommu model='smmuv3'>
  <driver pciBus='10' accel='on'/>
</iommu>`,
  },
  'iommu-unsupported': {
    why: `The SMMUv3 is Arm's, and of QEMU's machines libvirt offers it on virt only; it refuses to define such a domain.`,
    remedy: `Remove it, or take the IOMMU of that machine: model='intel' on x86, model='virtio' where the machine has none.`,
    example: `<iommu model='intel'/>`,
  },
  'chassis-duplicate': {
    why: `Hot-plug tells ports apart by the number of their chassis, and QEMU (11.1) ends with "Can't add chassis slot, error -16"
      on the second port that has one. libvirt takes any, and gives a port without one its index, even where another port
      has that number.`,
    remedy: `Remove <target> from both ports, and define the domain: libvirt numbers them by their indexes.`,
    example: `<target chassis='9' port='0x8'/>`,
  },
  'slot-invalid': {
    why: `A root port, or the downstream port of a switch, is one end of a PCI Express link, and at the other end there is one
      device: slot 0. libvirt refuses to define anything else.`,
    remedy: `Give the device slot 0. What is to share the port takes another function of it.`,
    example: `<address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x1'/>`,
  },
  'slot-without-function-zero': {
    why: `Whoever scans a PCI bus reads function 0 of each slot first, and goes on to the next slot where nobody answers. libvirt
      and QEMU take a device at another function alone, and no guest sees it.`,
    remedy: `Make one of them function 0.`,
    example: `<address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>`,
  },
  'multifunction-off': {
    why: `libvirt sets multifunction on function 0 when other functions share its slot, unless the domain says off. QEMU (11.1)
      then refuses the other functions: "PCI: single function device can't be populated in function 1.1".`,
    remedy: `Remove the attribute, or write multifunction='on'.`,
    example: `<address type='pci' domain='0x0000' bus='0x00' slot='0x01' function='0x0' multifunction='on'/>`,
  },
  'controller-index-order': {
    why: `libvirt (12.8) passes PCI controllers to QEMU in the order of their indexes. A controller that comes before the one it
      is on fails: "Bus 'pci.9' not found".`,
    remedy: `Give the expander bus, or the upper port, the lower index.`,
    example: `<controller type='pci' index='8' model='pcie-expander-bus'/>
<controller type='pci' index='9' model='pcie-root-port'>
  <address type='pci' domain='0x0000' bus='0x08' slot='0x00' function='0x0'/>
</controller>`,
  },
  'device-on-expander-bus': {
    why: `An expander bus is a root bus of PCI Express, and libvirt accepts only root ports and DMI bridges on it: "cannot be
      plugged into the PCI controller with index='8'".`,
    remedy: `Add a pcie-root-port on the expander bus, and put the device on that port, as vsmmu rewrite does.`,
    example: `<controller type='pci' index='9' model='pcie-root-port'>
  <address type='pci' domain='0x0000' bus='0x08' slot='0x00' function='0x0'/>
</controller>`,
  },
  'expander-bus-misplaced': {
    why: `QEMU attaches a pxb-pcie to pcie.0 only, and libvirt refuses every other place: "It requires a controller that accepts
      a pcie-expander-bus".`,
    remedy: `Give it a free slot of pcie.0, or remove its <address>: libvirt then chooses one.`,
    example: `<controller type='pci' index='8' model='pcie-expander-bus'>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x03' function='0x0'/>
</controller>`,
  },
  'driver-unsupported': {
    why: `Legacy assignment by KVM is gone, and Xen's is for Xen. libvirt (12.8) accepts the names in a definition, and fails at
      start: "QEMU does not support device assignment mode 'kvm'".`,
    remedy: `Remove the attribute: vfio is the default.`,
    example: `<driver iommufd='yes'/>`,
  },
  'numa-cell-missing': {
    why: `The <node> in an expander bus's <target> is the id of one of the guest's own NUMA cells. libvirt refuses to define a
      domain without it, and QEMU says "Illegal numa node".`,
    remedy: `Add the cell, or leave the bus on none.`,
    example: `<target busNr='240'>
  <node>1</node>
</target>`,
  },
  'pcihole64-invalid': {
    why: `For the virt machine libvirt makes highmem-mmio-size of it, which QEMU (11.1) takes as a power of two, 512 GiB at
      least. libvirt takes any number, and the domain does not start.`,
    remedy: `Without it there are 512 GiB. More is needed only for devices with very large BARs, and vsmmu rewrite finds out how
      much.`,
    example: `<controller type='pci' index='0' model='pcie-root'>
  <pcihole64 unit='KiB'>1073741824</pcihole64>
</controller>`,
  },
  'pcihole64-too-small': {
    why: `Firmware gives each port one window for the BARs behind it. Where they do not fit it leaves some out, without a word: the
      guest sees the device, and its driver finds no memory to map. NVIDIA's Grace platforms ask for more than the BARs
      themselves take; less than that is a warning only.`,
    remedy: `Let vsmmu rewrite grow it, or write what the message says.`,
    example: `<controller type='pci' index='0' model='pcie-root'>
  <pcihole64 unit='KiB'>4294967296</pcihole64>
</controller>`,
  },
  'expander-bus-misnamed': {
    why: `An expander bus that vsmmu made carries the address of its SMMU in its alias, and vsmmu goes by that: rewrite moves a device of
      another SMMU away, attach plugs one of the named SMMU in. A device of another SMMU was put there since, or the domain
      comes from another host.`,
    remedy: `Rewrite the domain for this host.`,
    example: `vsmmu rewrite --relayout vm.xml`,
  },
} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
