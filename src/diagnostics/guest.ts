import { define } from './diagnostic.js';
import { quoted } from './words.js';

export const guestReportMissing = define('guest-report-missing', {
  severity: 'warning',
  message: (a: { why: string }) => `there is no report from the guest: ${a.why}`,
  hint: 'run vsmmu verify --guest-script | ssh GUEST sh -s | vsmmu verify --guest-report - DOMAIN',
  meaning:
    '`verify` has no report from the guest: the guest agent does not run or may not execute programs, and no report was given',
  why: `Only the guest knows how it uses its devices. verify asks it through the QEMU guest agent (guest-exec), which many
    distributions do not install or do not allow.`,
  remedy: `Run vsmmu's script in the guest, as root if possible, and give verify its output.`,
  example: `vsmmu verify --guest-script | ssh root@guest sh -s > report
vsmmu verify --guest-report report vm`,
});

export const guestReportInvalid = define('guest-report-invalid', {
  severity: 'error',
  message: (a: { why: string }) => `the report of the guest cannot be read: ${a.why}`,
  hint: 'create a new report with the script of this version: vsmmu verify --guest-script',
  meaning: 'the report of a guest is not what `verify --guest-script` prints',
  why: `The report is incomplete, contains other output (such as a login message), is from another version, or was changed. Input
    from a guest is not trusted, so vsmmu does not guess.`,
  remedy: `Run the script again, and make sure that the shell of the guest prints nothing else.`,
  example: `vsmmu verify --guest-script | ssh guest sh -s > report`,
});

export const guestDeviceMissing = define('guest-device-missing', {
  severity: 'error',
  message: (a: { device: string; address: string; instead: string }) =>
    `${a.device} should be ${a.address} in the guest: ${a.instead}`,
  hint: 'see the kernel log of the guest; the device may need a reset of the host, or its port may need more bus numbers',
  meaning: 'the guest has no such device at the address where it should see a host device',
  why: `The guest's firmware or kernel did not find the device, gave it another address, or removed it after an error. QEMU
    can start a device that does not respond.`,
  remedy: `Look for the address in the guest's kernel log. Check the expander bus with vsmmu check.`,
  example: `dmesg | grep 0000:e6:00.0`,
});

export const guestSmmuDiffers = define('guest-smmu-differs', {
  severity: 'error',
  message: (a: { what: string }) => `in the guest, ${a.what}`,
  hint: 'the guest may have disabled its SMMU driver, or its firmware provides no IORT',
  meaning: 'the guest does not see the SMMUs of the domain, or sees a device behind the wrong one',
  why: `The guest's firmware describes in the IORT which PCI buses are behind which SMMU. A kernel without CONFIG_ARM_SMMU_V3, a
    boot without ACPI, or arm-smmu-v3 disabled on its command line leaves devices untranslated.`,
  remedy: `Boot the guest with ACPI and with a kernel that has the SMMUv3 driver.`,
  example: `ls /sys/class/iommu`,
});

export const guestPassthrough = define('guest-passthrough', {
  severity: 'error',
  message: (a: { device: string; address: string }) =>
    `the guest does not translate the DMA of ${a.device} (${a.address}): the type of its IOMMU group is identity`,
  hint: 'remove iommu.passthrough=1 or iommu=pt from the kernel command line of the guest',
  meaning: "the guest's kernel does not translate the DMA of a device (`identity`), so nothing is nested",
  why: `With iommu.passthrough=1, or a kernel built with CONFIG_IOMMU_DEFAULT_PASSTHROUGH, Linux uses no page tables for devices.
    The device works, but its DMA can reach all of the guest's memory, and shared virtual addressing does not work.`,
  remedy: `Remove the option, or give iommu.passthrough=0, and restart the guest.`,
  example: `cat /sys/bus/pci/devices/0000:e6:00.0/iommu_group/type
cat /proc/cmdline`,
});

export const guestDriverMissing = define('guest-driver-missing', {
  severity: 'warning',
  message: (a: { device: string; address: string }) => `${a.device} (${a.address}) has no driver in the guest`,
  hint: 'load its driver in the guest; if it is loaded, see the kernel log of the guest for why it failed',
  meaning: 'no driver in the guest is bound to a host device',
  why: `The driver is not installed, not loaded or was unbound, or it found that the device does not respond. Without a driver, the
    guest does not enable translation for the device, so it is unknown whether the device would work.`,
  remedy: `Load the driver. If it fails, look at the guest's kernel log and at QEMU's.`,
  example: `echo 0000:e6:00.0 > /sys/bus/pci/drivers/nvme/bind`,
});

export const guestCapabilityOff = define('guest-capability-off', {
  severity: 'warning',
  message: (a: { device: string; address: string; capability: string }) =>
    `${a.capability} of ${a.device} (${a.address}) is off in the guest, although its vSMMU offers it`,
  hint: "see the guest's kernel log; a driver enables it when it binds",
  meaning: 'ATS or PASID of a device is off in the guest, although its vSMMU offers it',
  why: `The guest's kernel enables ATS and PASID if the device and the SMMU have them and the device is trusted. Without ATS
    the device caches no translations; without PASID it has only one address space.`,
  remedy: `In the guest, check that the kernel has CONFIG_PCI_ATS and CONFIG_PCI_PASID, and that pci=noats is not on its command
    line.`,
  example: `lspci -vv -s e6:00.0 | grep -E 'ATSCtl|PASIDCtl'`,
});

export const guestFeatureMissing = define('guest-feature-missing', {
  severity: 'warning',
  message: (a: { vsmmu: string; feature: string; found: string }) =>
    `${a.vsmmu} was given ${a.feature}, but the guest's kernel reports ${a.found}`,
  hint: "the guest's kernel may be too old for it, or built without it",
  meaning:
    "the guest's kernel does not use a feature of its vSMMU: range invalidation, ATS, address size or command queues",
  why: `When the guest's kernel starts an SMMU, it reports the features that it found. Command queues need CONFIG_TEGRA241_CMDQV.`,
  remedy: `Use a newer guest kernel, or one that is built with the option.`,
  example: `dmesg | grep arm-smmu-v3`,
});

export const guestNumaDiffers = define('guest-numa-differs', {
  severity: 'warning',
  message: (a: { what: string }) => `in the guest, ${a.what}`,
  hint: "the guest's kernel may support fewer nodes (CONFIG_NODES_SHIFT) or have NUMA disabled",
  meaning: 'the guest does not see the NUMA cells or distances that the domain has',
  why: `A kernel drops nodes beyond its maximum: Debian's arm64 kernel supports 16. Device memory that should be a node of its
    own is then missing.`,
  remedy: `Use a kernel with enough nodes, and without numa=off.`,
  example: `numactl --hardware`,
});

export const guestBarUnplaced = define('guest-bar-unplaced', {
  severity: 'error',
  message: (a: { device: string; address: string; bars: readonly number[] }) =>
    `the guest found no space for BAR ${a.bars.join(', ')} of ${a.device} (${a.address})`,
  hint: 'give the domain more space for 64-bit BARs (<pcihole64>), as vsmmu rewrite does',
  meaning: 'a memory BAR of a device has no address in the guest: the space for 64-bit BARs is too small',
  why: `Firmware places the BARs of each root port and expander bus, aligned to their size. A BAR that does not fit gets no
    address, and the driver cannot use the device.`,
  remedy: `Enlarge <pcihole64>, or give the domain fewer such devices. For a device that was hot-plugged,
    reserve memory on its port with --spare-memory.`,
  example: `<pcihole64 unit='TiB'>2</pcihole64>`,
});

export const guestLogError = define('guest-log-error', {
  severity: 'error',
  message: (a: { line: string }) => `the kernel of the guest reports an error: ${quoted(a.line)}`,
  hint: "compare it with QEMU's log, which may have the cause",
  meaning: "the guest's kernel logged an error of an SMMU, or that a driver could not use a host device",
  why: `"CMD_SYNC timeout" and events such as C_BAD_STREAMID mean that a vSMMU does not execute the guest's commands; every device
    behind it is affected. "probe with driver … failed" means that a device does not respond.`,
  remedy: `Correct what the other checks report, and restart the domain.`,
  example: `dmesg | grep -E 'arm-smmu-v3|probe with driver'`,
});
