import { define, defineCases } from './diagnostic.js';

export const domainRoot = define('domain-root', {
  severity: 'error',
  message: (a: { element: string }) => `the root element is <${a.element}>, not <domain>`,
  hint: 'give what `virsh dumpxml` prints',
  meaning: 'the document is not a libvirt `<domain>`',
  why: `libvirt has other XML as well: networks, storage pools, snapshots, capabilities. The file of a snapshot contains its
    <domain>.`,
  remedy: `Give the XML of the domain itself.`,
  example: `virsh dumpxml --inactive --security-info vm > vm.xml`,
});

export const addressInvalid = defineCases('address-invalid', {
  severity: 'error',
  messages: {
    part: (a: { name: string; value: string; maximum: number }) => ({
      message: `${a.name}='${a.value}' is not a PCI ${a.name}`,
      hint: `give a number from 0x0 to 0x${a.maximum.toString(16)}`,
    }),
    guestDomain: (a: { value: string }) => ({
      message: `domain='${a.value}' is not a PCI domain of a guest`,
      hint: 'libvirt has only domain 0 for guests',
    }),
  },
  meaning: 'a part of a PCI address is not a number or is out of range',
  why: `A PCI address has a domain, a bus (0 to 0xff), a slot (0 to 0x1f) and a function (0 to 7). libvirt reads the numbers as C
    does: 0x10 is hexadecimal, 010 is octal, and 08 is invalid. A guest has PCI domain 0 only.`,
  remedy: `Correct the part that the message names.`,
  example: `<address type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x0'/>`,
});

export const numberInvalid = defineCases('number-invalid', {
  severity: 'error',
  messages: {
    range: (a: { name: string; value: string; minimum: number; maximum: number }) =>
      `${a.name}='${a.value}' is not a number from ${a.minimum} to ${a.maximum}`,
    rootIndex: (a: { value: string; index: number }) =>
      `index='${a.value}' of pcie-root is ${a.index}, and libvirt accepts only 0`,
    controllers: (a: { limit: number }) => `more than ${a.limit} PCI controllers, which libvirt refuses`,
    pcihole64: (a: { value: string }) => `<pcihole64> '${a.value}' is not a size`,
    numa: (a: { element: string; name: string; value: string; kind: 'number' | 'list of numbers' | 'size' }) =>
      `${a.name}='${a.value}' of <${a.element}> is not a ${a.kind}`,
  },
  meaning: 'an attribute is not a number, or is out of range',
  why: `The index of a controller, its busNr and its chassis number decide where devices are. vsmmu cannot place devices when one of
    them is not a valid number.`,
  remedy: `Correct the number, or remove the attribute: libvirt chooses one when the domain is defined.`,
  example: `<target busNr='254'/>   <!-- 1 to 254 -->`,
});

export const controllerIndexDuplicate = define('controller-index-duplicate', {
  severity: 'error',
  message: (a: { index: number; line: number }) => `PCI controller index ${a.index} is already used in line ${a.line}`,
  hint: 'give one of them an index of its own',
  meaning: 'two PCI controllers have the same index',
  why: `An <address> names the controller of a device by its index: bus='0x03' is the controller with index 3. With two
    controllers of one index, an address is ambiguous. libvirt refuses such a domain.`,
  remedy: `Give one of them a free index, and adapt the addresses of the devices on it.`,
  example: `<controller type='pci' index='3' model='pcie-root-port'/>
<controller type='pci' index='3' model='pcie-root-port'/>   <!-- 4, for example -->`,
});

export const guestAddressDuplicate = define('guest-address-duplicate', {
  severity: 'error',
  message: (a: { address: string; line: number }) => `guest address ${a.address} is already used in line ${a.line}`,
  hint: 'remove the <address> of one of them, and define the domain: libvirt gives it a free one',
  meaning: 'two devices have the same guest address',
  why: `Two devices cannot be the same function of a slot. A typical cause is an element that was copied with its <address>.`,
  remedy: `Remove the <address> of the newer one and define the domain: libvirt gives it a free address. Only a host device may be
    on a port behind a vSMMU.`,
  example: `<address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>   <!-- remove the second -->`,
});

export const hostDeviceDuplicate = define('host-device-duplicate', {
  severity: 'error',
  message: (a: { device: string; line: number }) =>
    `host device ${a.device} is already in the domain, in line ${a.line}`,
  hint: 'remove one of the two',
  meaning: 'a host device is in the domain twice',
  why: `A host device can be assigned to a guest only once. A <hostdev> and an <interface type='hostdev'> with the same address
    are the same device.`,
  remedy: `Remove one of the two; keep the <interface> if it sets the guest's MAC address.`,
  example: `<interface type='hostdev' managed='yes'>
  <mac address='52:54:00:11:22:33'/>
  <source>
    <address type='pci' domain='0x0000' bus='0x31' slot='0x10' function='0x2'/>
  </source>
</interface>`,
});

export const aliasDuplicate = define('alias-duplicate', {
  severity: 'error',
  message: (a: { alias: string }) => `two devices have the alias ${a.alias}`,
  hint: 'give one of them another alias',
  meaning: 'two devices have the same user alias; libvirt refuses the domain',
  why: `An alias that begins with ua- becomes the ID of a device in QEMU, which must be unique. libvirt (12.8) refuses the domain:
    "non unique alias detected". It ignores other aliases in a definition.`,
  remedy: `Change one of the two, or remove it.`,
  example: `<alias name='ua-nvme-1'/>`,
});

export const domainNotAarch64 = define('domain-not-aarch64', {
  severity: 'note',
  message: (a: { arch: string | undefined }) =>
    a.arch === undefined
      ? 'the domain has no architecture, so it is not for aarch64'
      : `the domain is for ${a.arch}, not aarch64`,
  meaning: 'a domain for another architecture is left unchanged',
  why: `Only Arm machines have SMMUs. A domain for another architecture is printed unchanged, so a hook or a batch can process
    all domains of a host.`,
  remedy: `Nothing needs to be done, unless the domain is meant for Arm.`,
  example: `<type arch='aarch64' machine='virt'>hvm</type>`,
});

export const domainNotVirt = define('domain-not-virt', {
  severity: 'note',
  message: (a: { machine: string }) => `the machine is ${a.machine}, not virt`,
  meaning: "a domain for a machine other than QEMU's `virt` is left unchanged",
  why: `QEMU supports several SMMUs only on its machine virt.`,
  remedy: `Nothing needs to be done, unless the domain should have that machine: give virt, or a version of it from virt-6.2 on.`,
  example: `<type arch='aarch64' machine='virt'>hvm</type>`,
});

export const domainWithoutHostDevice = define('domain-without-host-device', {
  severity: 'note',
  message: 'the domain has no PCI host device to place',
  meaning: 'a domain without a PCI host device is left unchanged',
  why: `An accelerated vSMMU is for host devices. Emulated devices (virtio and others) belong on pcie.0, where they are.`,
  remedy: `Nothing needs to be done. To use a vSMMU, give the domain a <hostdev> and run the command again.`,
  example: `<hostdev mode='subsystem' type='pci' managed='yes'>
  <source>
    <address domain='0x0000' bus='0x91' slot='0x00' function='0x0'/>
  </source>
</hostdev>`,
});

export const domainWithoutKvm = define('domain-without-kvm', {
  severity: 'error',
  message: (a: { type: string }) => `the domain is of type '${a.type}'; an accelerated vSMMU needs KVM`,
  hint: "use <domain type='kvm'>",
  meaning: 'an accelerated vSMMU needs KVM, and the domain is of another type',
  why: `The host's SMMU does the guest's first stage of translation, and its interrupts go through KVM. QEMU refuses to start:
    "SMMUv3 accel=on requires KVM with kernel-irqchip=on support".`,
  remedy: `Use KVM. --force-tcg accepts the domain; it is for test labs that remove the acceleration afterwards.`,
  example: `<domain type='kvm'>`,
});

export const domainWithoutAcpi = define('domain-without-acpi', {
  severity: 'error',
  message: 'the domain has no <acpi/>; an accelerated vSMMU needs ACPI',
  hint: 'add <acpi/> to <features>, and UEFI firmware',
  meaning: 'an accelerated vSMMU needs ACPI, and the domain does not have it',
  why: `An ACPI table, the IORT, lists for the guest which devices are behind which vSMMU. A device tree cannot describe this for
    expander buses, and QEMU refuses accel=on without ACPI.`,
  remedy: `Add <acpi/> to <features>, and UEFI firmware, which passes the tables to the guest.`,
  example: `<os firmware='efi'>…</os>
<features>
  <acpi/>
  <gic version='3'/>
</features>`,
});

export const domainWithoutGicv3 = define('domain-without-gicv3', {
  severity: 'warning',
  message: (a: { version: string }) =>
    `the domain has a GICv${a.version}, which has no ITS; devices behind a vSMMU need one`,
  hint: "give it <gic version='3'/>",
  meaning:
    'a domain with an accelerated vSMMU has an interrupt controller without an ITS, which the devices behind it need',
  why: `A device behind a vSMMU signals interrupts by writing to the interrupt translation service (ITS), and the IORT lists the ITS
    of each SMMU. Only GICv3 and newer have an ITS, and hosts with an SMMUv3 have no older GIC.`,
  remedy: `Set version 3, or remove the element: libvirt then uses the version of the host's KVM.`,
  example: `<features>
  <acpi/>
  <gic version='3'/>
</features>`,
});

export const commandlineConflict = define('commandline-conflict', {
  severity: 'error',
  message: (a: { device: string }) => `<qemu:commandline> adds ${a.device}, which libvirt does not know`,
  hint: "use libvirt's own elements instead, or give --ignore-commandline",
  meaning:
    '`<qemu:commandline>` adds expander buses, SMMUs or host devices that libvirt does not know (a warning in `check`)',
  why: `libvirt does not know what <qemu:commandline> adds, and these devices have no address in the domain. vsmmu cannot keep bus
    numbers and slots free for them, and does not plan host devices that are added there.`,
  remedy: `Use libvirt's own elements: <controller>, <iommu>, <hostdev>. If these devices do not conflict with vSMMUs, give
    --ignore-commandline.`,
  example: `<qemu:arg value='pxb-pcie,id=pcie.1,bus_nr=8,bus=pcie.0'/>   <!-- becomes: -->
<controller type='pci' model='pcie-expander-bus'><target busNr='8'/></controller>`,
});
