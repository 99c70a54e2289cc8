import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** The document, the domain as such, and whether it is to change at all. */
export const document = {
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
