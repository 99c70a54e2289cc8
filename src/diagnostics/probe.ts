import { defineCases } from './diagnostic.js';

export const probeImpossible = defineCases('probe-impossible', {
  severity: 'error',
  messages: {
    bridge: (a: { device: string }) => ({
      message: `${a.device} is a PCI bridge, to which vfio-pci cannot bind`,
      hint: 'name a device that could be assigned',
    }),
    withoutSmmu: (a: { device: string }) => ({
      message: `${a.device} is behind no SMMUv3`,
      hint: 'see `vsmmu topology` for the devices behind each SMMU',
    }),
    unbound: (a: { device: string; driver: string | null }) => ({
      message: `${a.device} is bound to ${a.driver ?? 'no driver'}, not to vfio-pci; --probe does not change the driver`,
      hint: `if the host does not use it, run virsh nodedev-detach ${nodeDevice(a.device)}, and nodedev-reattach afterwards`,
    }),
  },
  meaning: 'the ID registers of an SMMU cannot be read through this device; the message gives the reason',
  why: `--probe opens a device as QEMU does, through /dev/vfio/devices and /dev/iommu, because Linux shows the ID registers
    of an SMMU only to a program that has opened a device behind it. It never takes a device from its driver, because the
    host may use it.`,
  remedy: `Name an idle device behind the SMMU that is bound to vfio-pci or a variant of it. One device per SMMU is enough. Without
    libvirt, bind a device with the commands of the example. To return it to its driver, empty driver_override, and write the
    address to unbind and drivers_probe again.`,
  example: `virsh nodedev-detach pci_0000_11_00_0
vsmmu doctor --probe 0000:11:00.0
virsh nodedev-reattach pci_0000_11_00_0
# without libvirt:
echo vfio-pci > /sys/bus/pci/devices/0000:11:00.0/driver_override
echo 0000:11:00.0 > /sys/bus/pci/devices/0000:11:00.0/driver/unbind
echo 0000:11:00.0 > /sys/bus/pci/drivers_probe`,
});

export const probeFailed = defineCases('probe-failed', {
  severity: 'error',
  messages: {
    runtime: () => ({
      message: '--probe needs the standalone executable: Node.js cannot make the system calls of iommufd',
      hint: "use the vsmmu of the .deb or .rpm package, or of 'npm run package'",
    }),
    denied: (a: { path: string }) => ({ message: `${a.path} cannot be opened`, hint: 'run this as root' }),
    noIommufd: () => ({
      message: '/dev/iommu does not exist',
      hint: "run modprobe iommufd; Debian's kernel for arm64 is built without it",
    }),
    noDeviceFile: (a: { device: string }) => ({
      message: `${a.device} has no file in /dev/vfio/devices`,
      hint: 'use a kernel with CONFIG_VFIO_DEVICE_CDEV',
    }),
    busy: (a: { device: string }) => ({
      message: `${a.device} is in use`,
      hint: 'shut down the guest that has it, or name another device behind the same SMMU',
    }),
    groupInUse: (a: { device: string; group: number | null }) => ({
      message: `another device of IOMMU group ${a.group} of ${a.device} is in use by a host driver or a guest`,
      hint: 'see `vsmmu topology` for the group, and name a device that is alone in its group',
    }),
    noRegisters: (a: { device: string }) => ({
      message: `the kernel does not show the ID registers of the SMMU of ${a.device}`,
      hint: 'use Linux 6.13 or newer, with CONFIG_ARM_SMMU_V3_IOMMUFD',
    }),
    /** `error` is the name of an error, as errno(3) lists them. */
    request: (a: { device: string; request: string; error: string }) =>
      `${a.request} failed for ${a.device}: ${a.error}`,
    system: (a: { path: string; error: string }) => `${a.path} cannot be opened: ${a.error}`,
  },
  meaning: 'reading the ID registers of an SMMU failed; the message gives the reason',
  why: `--probe needs root, a kernel with IOMMUFD and VFIO_DEVICE_CDEV, and a device that nothing else uses. It opens the device,
    which resets it, asks the kernel for the registers (IOMMU_GET_HW_INFO), and closes it. Nothing else changes.`,
  remedy: `Follow the hint. vsmmu doctor, without --probe, checks the kernel.`,
  example: `vsmmu doctor
vsmmu doctor --probe 0000:11:00.0`,
});

/** Returns the name that libvirt gives a host device: `pci_0000_11_00_0`. */
function nodeDevice(bdf: string): string {
  return `pci_${bdf.replace(/[:.]/g, '_')}`;
}
