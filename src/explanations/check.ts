import type { DiagnosticCode } from '../codes.js';
import type { Explanation } from '../explanations.js';

/** What only `vsmmu check` finds: `vsmmu rewrite` does not write it. */
export const check = {
  'device-behind-other-smmu': {
    why: `A vSMMU stands for one SMMU of the host: QEMU (11.1) takes its values off the first device and passes the guest's
      commands to that device's SMMU. It starts all the same with a device of another SMMU there ("Failed to attach GBPA
      hwpt" is all that its log has), and the guest's driver then fails for every device behind that vSMMU, the rightly
      placed ones, too ("CMD_SYNC timeout").`,
    remedy: `Move the device to a port of a bridge whose vSMMU serves its own SMMU, or to pcie.0: vsmmu rewrite does that.`,
    example: `vsmmu topology            # which device is behind which SMMU
vsmmu rewrite -i vm.xml`,
  },
  'device-without-iommufd': {
    why: `Acceleration means that the host's SMMU walks the guest's own page tables, and /dev/iommu is the only way to tell it
      so. QEMU (11.1) refuses a host device there that has the older VFIO backend: "vfio-pci endpoint devices without an
      iommufd backend not allowed when using arm-smmuv3,accel=on".`,
    remedy: `Give the device the driver below (libvirt 12.1), or all host devices of the domain <iommufd enabled='yes'/>
      (libvirt 12.2). The host's kernel needs CONFIG_IOMMUFD.`,
    example: `<driver iommufd='yes'/>`,
  },
} as const satisfies Partial<Record<DiagnosticCode, Explanation>>;
