import type { CodeInfo } from './diagnostic.js';

export const LEGACY = {
  // The document
  'xml-syntax': { severity: 'error', meaning: 'the text is not well-formed XML' },
  'xml-doctype': {
    severity: 'error',
    meaning: 'the document has a DOCTYPE; entities are never expanded, so none is accepted',
    hint: 'remove the <!DOCTYPE …>',
  },
  'xml-encoding': {
    severity: 'error',
    meaning: 'the text is not UTF-8, or declares another encoding',
    hint: 'convert it to UTF-8 (iconv -t UTF-8) and mend the declaration',
  },
  'xml-too-large': { severity: 'error', meaning: 'the document has more than 16 MiB or a million elements' },

  // The domain
  'domain-root': {
    severity: 'error',
    meaning: 'the document is not a libvirt `<domain>`',
    hint: 'give what `virsh dumpxml` prints',
  },
  'address-invalid': { severity: 'error', meaning: 'a PCI address has a part that is no number or out of range' },
  'number-invalid': { severity: 'error', meaning: 'an attribute is no number, or out of range' },
  'controller-index-duplicate': {
    severity: 'error',
    meaning: 'two PCI controllers have one index',
    hint: 'give one of them an index of its own',
  },
  'guest-address-duplicate': {
    severity: 'error',
    meaning: 'two devices have one guest address',
    hint: 'remove the <address> of one of them, and define the domain: libvirt finds it a free one',
  },
  'host-device-duplicate': {
    severity: 'error',
    meaning: 'one host device is in the domain twice',
    hint: 'remove one of the two',
  },

  // Whether the domain is to change at all
  'domain-not-aarch64': { severity: 'note', meaning: 'a domain for another architecture; nothing changes' },
  'domain-not-virt': { severity: 'note', meaning: "a machine other than QEMU's `virt`; nothing changes" },
  'domain-without-host-device': { severity: 'note', meaning: 'a domain without a PCI host device; nothing changes' },
  'domain-without-kvm': {
    severity: 'error',
    meaning: 'an accelerated vSMMU needs KVM, and the domain is of another type',
    hint: "use <domain type='kvm'>",
  },
  'domain-without-acpi': {
    severity: 'error',
    meaning: 'an accelerated vSMMU needs ACPI, and the domain has none',
    hint: 'add <acpi/> to <features>, and UEFI firmware',
  },
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
  'commandline-conflict': {
    severity: 'error',
    meaning: '`<qemu:commandline>` adds expander buses, SMMUs or host devices that nothing else knows of',
    hint: "say the same in libvirt's own elements, or give --ignore-commandline",
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
  'metadata-invalid': {
    severity: 'warning',
    meaning:
      "the record of vsmmu in the domain's `<metadata>` is broken, or would change what vsmmu does not manage; it is not used",
    hint: 'vsmmu revert --force takes out what carries the aliases of vsmmu; then rewrite the domain again',
  },
  'revert-nothing': { severity: 'note', meaning: 'nothing in the domain is of vsmmu; nothing changes' },
  'revert-unrecorded': {
    severity: 'error',
    meaning: 'the domain has expander buses for vSMMUs, and no record says what was there before',
    hint: 'give --force to take them out all the same; libvirt then chooses new places for the devices behind them',
  },
  'revert-incomplete': {
    severity: 'error',
    meaning:
      '`revert` leaves something of vsmmu in the domain; the message says what. The result is written all the same',
    hint: 'take out what is left with vsmmu revert --force, or by hand',
  },
  'address-dropped': {
    severity: 'warning',
    meaning: 'a device loses its guest address, and libvirt chooses it a new one when the domain is defined',
  },
  'revert-port-left': {
    severity: 'note',
    meaning: 'plain root ports stay for controller indexes that others come after, where libvirt would add them itself',
  },
  'relayout-moved': {
    severity: 'note',
    meaning:
      '`--relayout` gives a device that is behind an expander bus made by hand, and is no host device, a port of pcie.0',
  },
  'expander-bus-not-restored': {
    severity: 'warning',
    meaning: '`revert` does not put back an expander bus made by hand that `--relayout` took out: its place is taken',
    hint: 'take the expander buses from the definition of before, or run vsmmu rewrite once more',
  },

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
  'domain-without-gicv3': {
    severity: 'warning',
    meaning:
      'a domain with an accelerated vSMMU has an interrupt controller without an ITS, which interrupts behind it go through',
    hint: "give it <gic version='3'/>",
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
  'alias-duplicate': {
    severity: 'error',
    meaning: 'two devices have the same user alias; libvirt refuses the domain',
    hint: 'give one of them an alias of its own',
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
  'metadata-stale': {
    severity: 'note',
    meaning:
      "what vsmmu wrote down in the domain's `<metadata>` was changed since by others; a revert leaves it as they did",
  },

  // Policy, command line, files
  'policy-invalid': { severity: 'error', meaning: 'the policy is no JSON, or does not fit its schema' },
  usage: { severity: 'error', meaning: 'the command line is wrong', hint: 'see vsmmu --help' },
  'file-unreadable': { severity: 'error', meaning: 'a file cannot be read' },
  'file-unwritable': { severity: 'error', meaning: 'a file cannot be written' },
  'attributes-lost': {
    severity: 'warning',
    meaning: 'a file was replaced, and its owner, access control list or extended attributes could not be kept',
    hint: 'set them again',
  },
  'backup-numbered': { severity: 'note', meaning: 'a backup exists already, so the new one got a number' },

  // The host
  'topology-invalid': { severity: 'error', meaning: 'the host snapshot is no JSON, or does not fit its schema' },
  'target-unknown': {
    severity: 'error',
    meaning: 'libvirt or QEMU is not installed here, so what it can do cannot be asked',
  },
  'libvirt-too-old': {
    severity: 'warning',
    meaning: 'the libvirt installed here would drop parts of the result without an error',
    hint: 'install libvirt 12.7 or newer, define it with --validate, or give the version that it is for with --libvirt',
  },
  'sysfs-invalid': {
    severity: 'error',
    meaning: 'the folder given with `--sysfs` is not a /sys',
    hint: 'give the folder that has bus/pci below it',
  },
  'host-unknown': {
    severity: 'error',
    meaning: 'the map of domains to hosts names none for a domain',
    hint: "name one for it, or for all others as '*'",
  },
  'topology-map-invalid': {
    severity: 'error',
    meaning: 'the map of domains to hosts is no JSON object of file names',
  },
  'sysfs-unreadable': { severity: 'error', meaning: 'a file of sysfs could not be read' },

  // libvirt
  'domain-unknown': { severity: 'error', meaning: 'the libvirt of `--connect` has no domain of that name or UUID' },
  'libvirt-unreachable': {
    severity: 'error',
    meaning: 'libvirt does not answer: virsh is not installed, cannot connect, or takes too long',
  },
  'libvirt-refused': { severity: 'error', meaning: 'libvirt answers a command with an error, which is told' },
  'domain-transient': {
    severity: 'error',
    meaning: 'a domain that only runs and is not defined cannot be changed for its next start',
  },
  'domain-edited': {
    severity: 'error',
    meaning: 'a domain was edited by somebody else, and stays as they left it',
  },
  'define-declined': { severity: 'error', meaning: 'asked whether to define the domain, the user did not say yes' },
  'editor-failed': {
    severity: 'error',
    meaning: 'the editor that `vsmmu edit` opens is not there, or ended with an error; the file is as it was',
    hint: 'name one in VSMMU_EDITOR',
  },
  'vmi-invalid': {
    severity: 'error',
    meaning: 'what KubeVirt gives as the virtual machine is no JSON of a VirtualMachineInstance',
  },
  'kubevirt-gate-missing': {
    severity: 'error',
    meaning: "KubeVirt gives the virtual machine's pod no `/dev/iommu`, which an accelerated vSMMU needs",
    hint: 'enable the feature gate IOMMUFD of KubeVirt',
  },
  'kubevirt-root-complex': {
    severity: 'error',
    meaning: '`kubevirt.io/placePCIDevicesOnRootComplex` and vSMMUs exclude each other',
    hint: 'remove the annotation, or the sidecar',
  },
  'hook-foreign': {
    severity: 'error',
    meaning: "there is a hook of somebody else's where libvirt takes only one",
    hint: 'call vsmmu-qemu-hook from it, or use a libvirt of 6.5 or newer, which takes many',
  },
  'hook-exposed': {
    severity: 'warning',
    meaning: "somebody else than root may change what libvirt's hook runs as root",
    hint: 'install Node and vsmmu where root alone may write, and install the hook from there',
  },
  'hook-differs': {
    severity: 'warning',
    meaning: 'the policy asks for another mode of the hook than the one that it was installed with',
    hint: 'run vsmmu hook install again',
  },
  'domain-running': { severity: 'note', meaning: 'a domain that runs changes for its next start only' },
  'domain-saved': {
    severity: 'warning',
    meaning: 'a domain has saved memory (managed save, snapshots), which would not fit the domain as it would become',
  },

  // Many domains at once
  'ssh-failed': {
    severity: 'error',
    meaning: 'the topology of a remote host could not be asked for by ssh',
    hint: 'see that vsmmu is installed there and that ssh asks for no password, or give --topology',
  },
  'state-unwritable': {
    severity: 'error',
    meaning: 'the folder that runs are kept in, or a file of it, cannot be written; nothing is done without it',
  },
  'state-locked': { severity: 'error', meaning: 'another batch uses the same state folder, or changes the same files' },
  'journal-invalid': { severity: 'error', meaning: 'a line of the journal of a run is none that vsmmu writes' },
  'backup-damaged': { severity: 'error', meaning: 'the kept XML of a domain is not what it was when it was kept' },
  'run-incomplete': {
    severity: 'error',
    meaning: 'a batch ended without exactly one result for each domain; it can be resumed',
    hint: 'run `vsmmu batch resume`, and report this as a bug',
  },
  'run-unknown': { severity: 'error', meaning: 'there is no such run, or none that could be meant' },
  'domain-gone': { severity: 'error', meaning: 'a domain was removed by somebody else' },
  'read-back-differs': {
    severity: 'error',
    meaning: 'what is stored of a domain is not what was written, nor as good',
  },
} as const satisfies Record<string, Pick<CodeInfo, 'severity' | 'meaning' | 'hint'>>;
