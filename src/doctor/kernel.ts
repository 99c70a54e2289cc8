import { kernelConfig, type Machine } from '../host/machine.js';
import type { DoctorInput, DoctorResult } from './result.js';

/**
 * The first Linux whose SMMUv3 driver has everything that QEMU 11 needs. Linux 6.13 added nested translation for guests
 * (IOMMU_VIOMMU_ALLOC, commit 69d9b312f38a). Since Linux 6.19, a device can be attached before the guest has set up its
 * SMMU (commit 81c45c62dc3e), which QEMU does.
 */
const COMPLETE_SINCE = [6, 19] as const;

/** The required kernel options, and what each is for. */
const OPTIONS = {
  IOMMUFD: '/dev/iommu',
  VFIO_DEVICE_CDEV: '/dev/vfio/devices, through which QEMU opens a device for iommufd',
  ARM_SMMU_V3_IOMMUFD: 'nested translation in the SMMUv3 driver',
  VFIO_PCI: 'vfio-pci',
} as const;

/** Checks the kernel: its version, its options, and the device nodes that it provides. */
export function examineKernel({ machine }: DoctorInput): DoctorResult[] {
  const of = 'Kernel';
  const config = kernelConfig(machine);
  const [major = 0, minor = 0] = machine.kernel.split('.').map((part) => Number.parseInt(part, 10));
  const isNew = major > COMPLETE_SINCE[0] || (major === COMPLETE_SINCE[0] && minor >= COMPLETE_SINCE[1]);
  return [
    {
      of,
      title: `for Linux ${COMPLETE_SINCE.join('.')} or newer`,
      grade: isNew ? 'pass' : 'warn',
      found: isNew
        ? machine.kernel
        : `the SMMUv3 driver of Linux ${machine.kernel} lacks functions that QEMU uses, unless they were backported`,
      ...(!isNew && { remedy: 'use a newer kernel, or a vendor kernel with this support' }),
    },
    examineOptions(config),
    examineNode(
      machine,
      '/dev/iommu',
      config?.has('IOMMUFD') === false
        ? "use a kernel that is built with IOMMUFD; Debian's for arm64 is not"
        : "run modprobe iommufd; a kernel built without IOMMUFD, such as Debian's for arm64, does not have it",
    ),
    examineVfio(machine, config),
    examineNode(machine, '/dev/kvm', 'check that the firmware starts Linux at EL2, and that the kernel has CONFIG_KVM'),
  ];
}

/** Checks the options that the kernel was built with. */
function examineOptions(config: ReadonlyMap<string, string> | undefined): DoctorResult {
  const check = { of: 'Kernel', title: 'for the required options' } as const;
  const missing = Object.entries(OPTIONS).filter(([name]) => !config?.has(name));
  const names = missing.map(([name]) => `CONFIG_${name}`).join(', ');
  if (!config) {
    const remedy = `check that the kernel has ${names}`;
    return { ...check, grade: 'warn', found: 'neither /proc/config.gz nor /boot shows them', remedy };
  }
  if (missing.length === 0) return { ...check, grade: 'pass', found: 'all set' };
  return {
    ...check,
    grade: 'fail',
    found: `without ${names}`,
    remedy: "use a kernel that has them; Debian's for arm64 is built without IOMMUFD, whatever the hardware",
    details: missing.map(([name, what]) => `CONFIG_${name} is for ${what}`),
  };
}

function examineNode({ access }: Machine, path: string, remedy: string): DoctorResult {
  const check = { of: 'Kernel', title: `for ${path}` } as const;
  const there = access(path);
  if (there === 'open') return { ...check, grade: 'pass', found: 'exists' };
  if (there === 'absent') return { ...check, grade: 'fail', found: 'does not exist', remedy };
  return {
    ...check,
    grade: 'warn',
    found: 'exists, but you may not open it',
    remedy: 'run this as root, as libvirt does',
  };
}

function examineVfio({ kernel, access, read }: Machine, config: ReadonlyMap<string, string> | undefined): DoctorResult {
  const check = { of: 'Kernel', title: 'for vfio-pci' } as const;
  if (access('/sys/bus/pci/drivers/vfio-pci') !== 'absent') return { ...check, grade: 'pass', found: 'loaded' };
  const isModule = (list: string) => read(`/lib/modules/${kernel}/${list}`)?.includes('/vfio-pci.ko') ?? false;
  const isThere = ['modules.dep', 'modules.builtin'].some(isModule) || config?.get('VFIO_PCI') === 'm';
  if (isThere) return { ...check, grade: 'pass', found: 'available as a module, which libvirt loads when needed' };
  return {
    ...check,
    grade: 'fail',
    found: 'not available',
    remedy: 'install the package with all modules of this kernel',
  };
}
