import type { CodeInfo } from './diagnostic.js';

export const LEGACY = {
  // The document

  // The domain

  // Whether the domain is to change at all
  'host-without-smmu': {
    severity: 'error',
    meaning: 'the host has no SMMUv3, so no device of it can be behind a vSMMU',
    hint: 'run this for the host that the domain is for (--sysfs, --topology), and see that its firmware offers the SMMUs',
  },
  'target-without-acceleration': {
    severity: 'error',
    meaning: 'the libvirt or the QEMU that the domain is for has no accelerated vSMMU',
  },
  'target-value-unsupported': {
    severity: 'warning',
    meaning: 'the libvirt or the QEMU that the domain is for cannot be given a value, which is left out',
  },
  'iommu-conflict': {
    severity: 'error',
    meaning: 'an `<iommu>` of the domain cannot be beside the vSMMUs',
    hint: 'remove that <iommu>',
  },

  // Each device
  'expander-bus-full': {
    severity: 'note',
    meaning: 'an expander bus has no bus number or slot left for a device, which gets a further one for its SMMU',
    hint: '--relayout puts all devices of an SMMU behind one expander bus, and gives them new addresses in the guest',
  },
  'spare-ports-left-out': {
    severity: 'warning',
    meaning: 'an expander bus has no bus number or slot left for a spare port',
    hint: '--relayout gives it more, and its devices new addresses in the guest',
  },
  'switch-not-mirrored': {
    severity: 'note',
    meaning:
      'devices below one PCIe switch of the host are not all below one in the guest, though the policy asks for it',
  },

  // What may run out
  'bus-numbers-exhausted': {
    severity: 'error',
    meaning: "the guest's 256 PCI bus numbers do not suffice; the message says who takes how many",
  },
  'bus-window-too-small': {
    severity: 'error',
    meaning: 'an expander bus has fewer bus numbers than it and its ports need; the guest would panic',
  },
  'controller-indexes-exhausted': {
    severity: 'error',
    meaning: "libvirt's 255 PCI controller indexes do not suffice",
  },
  'slots-exhausted': {
    severity: 'error',
    meaning: 'a PCI bus has fewer free slots than are needed',
  },
  'vsmmus-exhausted': {
    severity: 'error',
    meaning: 'more vSMMUs than QEMU has room for (16)',
  },
  'spare-port-exposed': {
    severity: 'error',
    meaning: 'libvirt would put an emulated device on a spare port behind a vSMMU, and QEMU would refuse it',
    hint: 'define the domain first, so that every device has an address, and rewrite what `virsh dumpxml --inactive` prints',
  },
  'spare-port-unguarded': {
    severity: 'warning',
    meaning:
      'a free port behind a vSMMU has no free port of `pcie.0` with a lower index before it, which libvirt would take first',
    hint: '--relayout puts enough of them there',
  },
  'vsmmu-values-missing': {
    severity: 'error',
    meaning: 'a vSMMU without a device needs all its values given, since QEMU has nothing to read them off',
  },
  'vsmmu-value-invalid': {
    severity: 'error',
    meaning: 'a vSMMU has a value that QEMU does not take; libvirt does not look',
    hint: 'give ssidsize as 0 to 20, oas as 44 or 48, the others as on or off',
  },
  'vsmmu-value-beyond-host': {
    severity: 'error',
    meaning: "a vSMMU has a value above what the host's SMMU behind it is known to have; QEMU does not start with it",
    hint: 'give a value that the SMMU has, or auto',
  },

  // What an earlier run did

  // NUMA and memory
  'numa-cell-unknown': {
    severity: 'warning',
    meaning: "an expander bus is put on no NUMA cell, since none is known to stand for its devices' node of the host",
    hint: 'bind each cell to one node of the host: <numatune><memnode cellid nodeset>, or pin its vCPUs to it',
  },
  'numa-cell-differs': {
    severity: 'warning',
    meaning: 'an expander bus that is there already is on another NUMA cell than its devices are nearest to',
    hint: 'change the <node> in its <target>, or remove it for vsmmu to choose',
  },
  'numa-node-unknown': {
    severity: 'error',
    meaning:
      'a NUMA cell with memory stands for no known node of the host, so its distances to Generic Initiators cannot be told',
    hint: 'bind it with <numatune><memnode cellid nodeset>, or give --initiators none',
  },
  'numa-node-shared': {
    severity: 'error',
    meaning:
      'two NUMA cells of the guest stand for one node of the host, so distances to Generic Initiators cannot be told',
    hint: 'bind each cell to a node of its own, or give --initiators none',
  },
  'numa-distance-missing': {
    severity: 'error',
    meaning: 'the host does not say how far two of its NUMA nodes are from each other',
    hint: 'see `vsmmu topology` for what it says, or give --initiators none',
  },
  'numa-cells-exhausted': {
    severity: 'error',
    meaning: 'more NUMA cells than QEMU has room for (128)',
    hint: 'give the domain fewer such devices, or --initiators none',
  },
  'numa-cells-many': {
    severity: 'note',
    meaning:
      'the guest gets more NUMA cells than an arm64 Linux is built for unless told otherwise (16); its kernel drops the rest',
    hint: 'see that its kernel has CONFIG_NODES_SHIFT=6 or more',
  },
  'initiators-left-out': {
    severity: 'warning',
    meaning: 'a device has Generic Initiators, and the guest no NUMA cells to which theirs could be added',
    hint: 'give --numa create, or --initiators none to be content with that',
  },
  'initiator-nodes-partial': {
    severity: 'error',
    meaning: 'the host says of some devices which Generic Initiator nodes are theirs, and not of others',
    hint: "see that the devices' host driver is loaded, or give --initiators none",
  },
  'initiator-nodes-missing': {
    severity: 'error',
    meaning: 'the host has fewer Generic Initiator nodes than its devices need',
    hint: 'see that its kernel shows them (/sys/devices/system/node/has_generic_initiator), or give --initiators none',
  },
  'initiator-cell-missing': {
    severity: 'error',
    meaning: "a device's `<acpi nodeset>` names a NUMA cell that the guest does not have; QEMU refuses it",
    hint: 'add the <cell>, or remove the <acpi nodeset>',
  },
  'pcihole64-off': {
    severity: 'error',
    meaning: '`<pcihole64>` is 0, which switches off the space that devices with 64-bit prefetchable BARs need',
    hint: 'remove the <pcihole64>',
  },
  'pcihole64-exhausted': {
    severity: 'error',
    meaning: "the devices' BARs do not fit into the guest's address space",
    hint: 'give the domain fewer such devices, or --oas 48 where the host has 48-bit addresses',
  },

  // What only a check finds
  'device-behind-other-smmu': {
    severity: 'error',
    meaning:
      'a device is behind the vSMMU of another SMMU: the guest starts, and every device behind that vSMMU fails in it',
    hint: 'move it to an expander bus of its own SMMU, as `vsmmu rewrite` does',
  },
  'device-behind-emulated-smmu': {
    severity: 'error',
    meaning: 'a host device is behind an SMMU that QEMU emulates; QEMU takes it behind an accelerated one only',
    hint: "give that SMMU accel='on', or move the device away, as `vsmmu rewrite` does",
  },
  'device-without-iommufd': {
    severity: 'error',
    meaning: 'a host device behind an accelerated vSMMU does not use iommufd; QEMU takes no other backend there',
    hint: "give it <driver iommufd='yes'/>",
  },
  'iommu-ignored': {
    severity: 'warning',
    meaning: 'libvirt ignores an `<iommu>`, or what its `<driver>` says',
    hint: 'give it the pciBus that it is for, or remove it',
  },
  'iommu-unsupported': {
    severity: 'error',
    meaning: 'an SMMUv3 in a domain for another machine than `virt` for Arm',
    hint: 'remove that <iommu>',
  },
  'chassis-duplicate': {
    severity: 'error',
    meaning: 'two ports have one chassis; QEMU refuses the second',
    hint: 'give one of them a chassis of its own; one without has its index',
  },
  'slot-invalid': {
    severity: 'error',
    meaning: 'a device is in a slot that its bus does not have: behind a port there is slot 0 only',
    hint: 'remove its <address>, and define the domain: libvirt finds it a free one',
  },
  'slot-without-function-zero': {
    severity: 'error',
    meaning: 'nothing is function 0 of a slot, so the guest does not look for the others',
    hint: 'give one of them function 0',
  },
  'multifunction-off': {
    severity: 'error',
    meaning: "function 0 of a slot has `multifunction='off'`, and other functions share the slot; QEMU refuses them",
    hint: "remove multifunction='off'",
  },
  'controller-index-order': {
    severity: 'error',
    meaning: 'a PCI controller has a lower index than the controller it is on; QEMU does not find its bus',
    hint: 'give it a higher index',
  },
  'device-on-expander-bus': {
    severity: 'error',
    meaning: 'a device is directly on an expander bus; libvirt accepts only ports there',
    hint: 'put a pcie-root-port on the expander bus, and the device on that port',
  },
  'expander-bus-misplaced': {
    severity: 'error',
    meaning: 'an expander bus is not on `pcie.0`; libvirt refuses it',
    hint: 'give it a slot of pcie.0',
  },
  'driver-unsupported': {
    severity: 'error',
    meaning: 'a host device has a `<driver name>` other than `vfio`; libvirt cannot start the domain',
    hint: 'remove the name from its <driver>',
  },
  'numa-cell-missing': {
    severity: 'error',
    meaning: 'an expander bus is on a NUMA cell that the guest does not have',
    hint: 'add the <cell>, or remove the <node>',
  },
  'pcihole64-invalid': {
    severity: 'error',
    meaning: '`<pcihole64>` is not a power of two, or less than 512 GiB; QEMU takes neither',
    hint: "remove it, or give it 1, 2, 4 … in unit='TiB'",
  },
  'pcihole64-too-small': {
    severity: 'error',
    meaning:
      "the space for 64-bit BARs is smaller than those of the guest's devices, or (a warning) than their platform asks for",
    hint: 'give <pcihole64> the next power of two, as `vsmmu rewrite` does',
  },
  'expander-bus-misnamed': {
    severity: 'warning',
    meaning: 'the alias of an expander bus names another SMMU than its devices are behind',
    hint: 'rewrite the domain, which moves them to an expander bus of their own SMMU',
  },

  // Policy, command line, files
  usage: { severity: 'error', meaning: 'the command line is wrong', hint: 'see vsmmu --help' },

  // The host

  // libvirt

  // Many domains at once
} as const satisfies Record<string, Pick<CodeInfo, 'severity' | 'meaning' | 'hint'>>;
