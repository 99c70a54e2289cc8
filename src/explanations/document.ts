import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** The document, the domain as such, and whether it is to change at all. */
export const document = {
  'xml-syntax': {
    why: `A domain is edited at the very places that its XML has, so it has to be XML that libvirt's own parser takes: an
      element that is not closed, an attribute given twice, a stray & or < are refused, with the line and column.`,
    remedy: `Mend the text at the line that is named. A domain that libvirt has is well-formed: virsh dumpxml prints it.`,
    example: `<name>R&D</name>       <!-- wrong -->
<name>R&amp;D</name>   <!-- right -->`,
  },
  'xml-doctype': {
    why: `A DOCTYPE can define entities, and what they stand for can be huge or lie in another file. libvirt prints none and
      needs none.`,
    remedy: `Remove the DOCTYPE, and write out what its entities stand for.`,
    example: `<!DOCTYPE domain>   <!-- remove this -->
<domain type='kvm'>`,
  },
  'xml-encoding': {
    why: `Bytes that are no UTF-8 cannot be kept as they are while the text around them is edited. Editors on other systems
      save Latin-1 or UTF-16, and some leave a declaration that no longer tells the truth.`,
    remedy: `Convert the file and mend the encoding in its first line, or remove it: UTF-8 is the default.`,
    example: `iconv -f LATIN1 -t UTF-8 vm.xml | sed "1s/encoding=['\\"][^'\\"]*['\\"]//" > vm-utf8.xml`,
  },
  'xml-too-large': {
    why: `Domains have 3 to 20 KB. What has more than 16 MiB, or a million elements, is another file or an
      attempt to keep the tool busy.`,
    remedy: `Look at what you gave: a disk image, a memory dump or the wrong path, most likely.`,
    example: `ls -l vm.xml`,
  },
  'domain-root': {
    why: `libvirt has other XML as well: networks, storage pools, snapshots, capabilities. A snapshot's file has its
      <domain> inside.`,
    remedy: `Give the XML of the domain itself.`,
    example: `virsh dumpxml --inactive --security-info vm > vm.xml`,
  },
  'address-invalid': {
    why: `A PCI address has a domain, a bus (0 to 0xff), a slot (0 to 0x1f) and a function (0 to 7), numbers as in C: 0x10 is
      hexadecimal, 010 is octal, and 08 is none at all. A guest has PCI domain 0 only.`,
    remedy: `Mend the part that is named.`,
    example: `<address type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x0'/>`,
  },
  'number-invalid': {
    why: `A controller's index, its busNr or its chassis number decides where devices are. One that is no number, or that
      there cannot be, leaves nothing to place anything by.`,
    remedy: `Give the number that is meant, or remove the attribute: libvirt chooses one when the domain is defined.`,
    example: `<target busNr='254'/>   <!-- 1 to 254 -->`,
  },
  'controller-index-duplicate': {
    why: `An <address> names the controller that a device is on by its index (bus='0x03' is the controller with index 3),
      so two controllers of one index are one address with two meanings. libvirt refuses such a domain.`,
    remedy: `Give one of them an index that is free, and see that the devices on it name that one.`,
    example: `<controller type='pci' index='3' model='pcie-root-port'/>
<controller type='pci' index='3' model='pcie-root-port'/>   <!-- 4, say -->`,
  },
  'guest-address-duplicate': {
    why: `Two devices cannot be one function of one slot. It comes of copying an element with its <address>.`,
    remedy: `Remove the <address> of the newer one and define the domain: libvirt finds it a free place. Its port has to be
      below pcie.0, or it has to be a host device, for expander buses with a vSMMU take no others.`,
    example: `<address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0'/>   <!-- remove the second -->`,
  },
  'host-device-duplicate': {
    why: `A host device can be given to a guest once. A <hostdev> and an <interface type='hostdev'> of one address are the
      same device, too.`,
    remedy: `Remove one of the two; keep the <interface> where the guest's MAC address is to be set.`,
    example: `<interface type='hostdev' managed='yes'>
  <mac address='52:54:00:11:22:33'/>
  <source>
    <address type='pci' domain='0x0000' bus='0x31' slot='0x10' function='0x2'/>
  </source>
</interface>`,
  },
  'domain-not-aarch64': {
    why: `SMMUs are Arm's. A domain for another architecture has nothing that could be put behind one, and comes out as it
      went in, so that a hook or a batch can be given all domains there are.`,
    remedy: `Nothing, unless the domain should be an Arm one.`,
    example: `<type arch='aarch64' machine='virt'>hvm</type>`,
  },
  'domain-not-virt': {
    why: `QEMU can give several SMMUs to its machine virt only.`,
    remedy: `Nothing, unless the domain should have that machine: give virt, or a version of it from virt-6.2 on.`,
    example: `<type arch='aarch64' machine='virt'>hvm</type>`,
  },
  'domain-without-host-device': {
    why: `A vSMMU with acceleration is for devices of the host. Emulated ones (virtio and others) belong on pcie.0, where
      they are.`,
    remedy: `Nothing. Give the domain a <hostdev>, and run this again.`,
    example: `<hostdev mode='subsystem' type='pci' managed='yes'>
  <source>
    <address domain='0x0000' bus='0x91' slot='0x00' function='0x0'/>
  </source>
</hostdev>`,
  },
  'domain-without-kvm': {
    why: `The host's SMMU does the guest's first stage of translation, and its interrupts go through KVM. QEMU says
      "SMMUv3 accel=on requires KVM with kernel-irqchip=on support" and ends.`,
    remedy: `Use KVM. --force-tcg takes the domain all the same; that is for test labs that take the acceleration off again.`,
    example: `<domain type='kvm'>`,
  },
  'domain-without-acpi': {
    why: `The guest learns which devices are behind which vSMMU from an ACPI table, the IORT. A device tree cannot say it for
      expander buses, and QEMU refuses accel=on without ACPI.`,
    remedy: `Add <acpi/> to <features>, and UEFI firmware, which passes the tables on.`,
    example: `<os firmware='efi'>…</os>
<features>
  <acpi/>
  <gic version='3'/>
</features>`,
  },
  'host-without-smmu': {
    why: `Nothing in /sys/class/iommu begins with smmu3. Either the machine is no Arm server, or its firmware hides the
      SMMUs (a setting of the BIOS, an IORT without them), or its kernel was told to leave them alone.`,
    remedy: `Run this on the host that the domain is for, or give its snapshot. On an Arm server look for "SMMU" in the
      firmware's settings, and for arm-smmu-v3 in the kernel's log. See what vsmmu doctor says.`,
    example: `vsmmu topology --json > host.json                  # on the host
vsmmu rewrite --topology host.json vm.xml          # anywhere`,
  },
  'target-without-acceleration': {
    why: `libvirt can say accel='on' since 12.7 and give a host device an iommufd since 12.1; QEMU has had accel since 11.0.
      Distributions carry some of it back to older versions, which is why what is installed is asked, not its version.`,
    remedy: `Install newer ones, or give the versions that the domain is really for.`,
    example: `vsmmu rewrite --libvirt here --qemu here vm.xml`,
  },
  'target-value-unsupported': {
    why: `A value of the vSMMU is known to newer versions only (cmdqv needs QEMU 11.1). Written all the same, an older
      libvirt would drop it without a word, and an older QEMU would refuse to start.`,
    remedy: `Nothing where the guest can do without. Else install newer ones.`,
    example: `vsmmu doctor`,
  },
  'commandline-conflict': {
    why: `What <qemu:commandline> adds is unknown to libvirt and has no address in the domain, so that bus numbers and
      slots cannot be shared out around it, and a host device there is in nobody's plan.`,
    remedy: `Say it with libvirt's own elements: <controller>, <iommu>, <hostdev>. Where you know that it is out of the way,
      give --ignore-commandline.`,
    example: `<qemu:arg value='pxb-pcie,id=pcie.1,bus_nr=8,bus=pcie.0'/>   <!-- becomes: -->
<controller type='pci' model='pcie-expander-bus'><target busNr='8'/></controller>`,
  },
  'iommu-conflict': {
    why: `QEMU refuses a machine-wide SMMU beside those of expander buses, and no host device can be behind an SMMU that is not
      accelerated. The machine-wide one becomes one for pcie.0 alone where no host device stays there. Of other models
      (virtio, intel) the guest can have one or the vSMMUs, not both.`,
    remedy: `Remove the <iommu>, or give --emulated-iommu drop. A guest needs one on pcie.0 only to nest guests of its own with
      emulated devices.`,
    example: `<iommu model='smmuv3'/>   <!-- the whole machine's: remove it -->
<iommu model='smmuv3'><driver pciBus='10' accel='on'/></iommu>`,
  },
} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
