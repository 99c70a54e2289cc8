import { define } from './diagnostic.js';

/** Quotes the line of a log that a diagnostic is about, for the middle of a message. */
const quoted = (line: string): string => `"${line}"`;

export const guestUnasked = define('guest-unasked', {
  severity: 'warning',
  message: (a: { why: string }) => `the guest was not asked: ${a.why}`,
  hint: 'vsmmu verify --guest-script | ssh GUEST sh -s | vsmmu verify --guest-report - DOMAIN',
  meaning:
    '`verify` has no report of the guest: no agent runs there that may execute programs, and no report was given',
  why: `Only the guest knows how it uses its devices. verify asks it through the QEMU guest agent (guest-exec), which many
    distributions leave out or forbid.`,
  remedy: `Run the script of vsmmu in the guest, as root if possible, and give verify what it prints.`,
  example: `vsmmu verify --guest-script | ssh root@guest sh -s > report
vsmmu verify --guest-report report vm`,
});

export const guestReportInvalid = define('guest-report-invalid', {
  severity: 'error',
  message: (a: { why: string }) => `the report of the guest cannot be read: ${a.why}`,
  hint: 'print it anew with the script of this version: vsmmu verify --guest-script',
  meaning: 'the report of a guest is not what `verify --guest-script` prints',
  why: `The report was cut off, mixed with other output (a login message), made by another version, or changed. A guest is not
    trusted, so nothing is guessed.`,
  remedy: `Run the script again, and see that the shell of the guest prints nothing else.`,
  example: `vsmmu verify --guest-script | ssh guest sh -s > report`,
});

export const guestDeviceMissing = define('guest-device-missing', {
  severity: 'error',
  message: (a: { device: string; address: string; instead: string }) =>
    `${a.device} should be ${a.address} in the guest: ${a.instead}`,
  hint: 'see the kernel log of the guest; a device may need a reset of the host, or its port more bus numbers',
  meaning: 'the guest has no such device at the address where it should see a host device',
  why: `The guest's firmware or kernel did not find the device, gave it another address, or removed it after an error. QEMU
    can start a device that does not respond.`,
  remedy: `Look for the address in the guest's kernel log. Check the expander bus with vsmmu check.`,
  example: `dmesg | grep 0000:e6:00.0`,
});

export const guestSmmuDiffers = define('guest-smmu-differs', {
  severity: 'error',
  message: (a: { what: string }) => `in the guest, ${a.what}`,
  hint: 'the guest may have disabled its SMMU driver, or its firmware passes no IORT on',
  meaning: 'the guest does not see the SMMUs that the domain has, or a device behind the wrong one',
  why: `The guest's firmware describes in the IORT which PCI buses are behind which SMMU. A kernel without CONFIG_ARM_SMMU_V3, a
    boot without ACPI, or arm-smmu-v3 disabled on its command line leaves devices untranslated.`,
  remedy: `Boot the guest with ACPI and with a kernel that has the SMMUv3 driver.`,
  example: `ls /sys/class/iommu`,
});

export const guestPassthrough = define('guest-passthrough', {
  severity: 'error',
  message: (a: { device: string; address: string }) =>
    `the guest does not translate for ${a.device} (${a.address}): the type of its IOMMU group is identity`,
  hint: 'remove iommu.passthrough=1 or iommu=pt from the kernel command line of the guest',
  meaning: "the guest's kernel passes a device's addresses through (`identity`): nothing is nested",
  why: `With iommu.passthrough=1, or a kernel built with CONFIG_IOMMU_DEFAULT_PASSTHROUGH, Linux uses no page tables for devices.
    The device works, but its DMA can reach all of the guest's memory, and shared virtual addressing does not work.`,
  remedy: `Remove the option, or give iommu.passthrough=0, and restart the guest.`,
  example: `cat /sys/bus/pci/devices/0000:e6:00.0/iommu_group/type
cat /proc/cmdline`,
});

export const guestDriverMissing = define('guest-driver-missing', {
  severity: 'warning',
  message: (a: { device: string; address: string }) => `${a.device} (${a.address}) has no driver in the guest`,
  hint: 'load its driver in the guest; if it was loaded, see the kernel log of the guest for why it gave up',
  meaning: 'no driver in the guest is bound to a host device',
  why: `The driver is not installed or not loaded, somebody unbound it, or it found that the device does not respond. Without
    a driver the guest never enables translation for the device, so nothing shows whether it would work.`,
  remedy: `Load the driver. If it fails, look at the guest's kernel log and at QEMU's.`,
  example: `echo 0000:e6:00.0 > /sys/bus/pci/drivers/nvme/bind`,
});

export const guestCapabilityOff = define('guest-capability-off', {
  severity: 'warning',
  message: (a: { device: string; address: string; capability: string }) =>
    `${a.capability} of ${a.device} (${a.address}) is off in the guest, and its vSMMU offers it`,
  hint: "see the guest's kernel log; a driver enables it when it binds",
  meaning: 'ATS or PASID of a device is off in the guest, though its vSMMU offers it',
  why: `The guest's kernel enables ATS and PASID if the device and the SMMU have them and the device is trusted. Without them
    the device works, but caches no translations (ATS), or has one address space only (PASID).`,
  remedy: `Check the guest's kernel: CONFIG_PCI_ATS and CONFIG_PCI_PASID, and pci=noats on its command line.`,
  example: `lspci -vv -s e6:00.0 | grep -E 'ATSCtl|PASIDCtl'`,
});

export const guestFeatureMissing = define('guest-feature-missing', {
  severity: 'warning',
  message: (a: { vsmmu: string; feature: string; found: string }) =>
    `${a.vsmmu} was given ${a.feature}, and the guest's kernel reports ${a.found}`,
  hint: "the guest's kernel may be too old for it, or built without it",
  meaning:
    "the guest's kernel does not use what its vSMMU was given: range invalidation, ATS, address size, command queues",
  why: `The kernel of the guest reports what it found when it started the SMMU. Command queues need CONFIG_TEGRA241_CMDQV.`,
  remedy: `Use a newer kernel in the guest, or one with the option.`,
  example: `dmesg | grep arm-smmu-v3`,
});

export const guestNumaDiffers = define('guest-numa-differs', {
  severity: 'warning',
  message: (a: { what: string }) => `in the guest, ${a.what}`,
  hint: "the guest's kernel may have room for fewer nodes (CONFIG_NODES_SHIFT), or NUMA turned off",
  meaning: 'the guest does not see the NUMA cells or distances that the domain has',
  why: `A kernel drops nodes that it has no room for: Debian's for arm64 has 16. Memory of a device that should appear as a
    node of its own then does not.`,
  remedy: `Use a kernel with enough nodes, and without numa=off.`,
  example: `numactl --hardware`,
});

export const guestBarUnplaced = define('guest-bar-unplaced', {
  severity: 'error',
  message: (a: { device: string; address: string; bars: readonly number[] }) =>
    `the guest found no space for BAR ${a.bars.join(', ')} of ${a.device} (${a.address})`,
  hint: 'give the domain more space for 64-bit BARs (<pcihole64>), as vsmmu rewrite does',
  meaning: "a memory BAR of a device has no address in the guest: the space for 64-bit BARs doesn't suffice",
  why: `Firmware lays the BARs out below each root port and expander bus, aligned to their size. What does not fit gets no
    address, and the driver cannot use the device.`,
  remedy: `Enlarge <pcihole64>, or give the domain fewer such devices. For a device that was plugged in: give its port a reserve
    with --spare-memory.`,
  example: `<pcihole64 unit='TiB'>2</pcihole64>`,
});

export const guestLogError = define('guest-log-error', {
  severity: 'error',
  message: (a: { line: string }) => `the kernel of the guest reports an error: ${quoted(a.line)}`,
  hint: "compare with QEMU's log: what fails there fails here",
  meaning: "the guest's kernel logged an error of an SMMU, or that a driver could not use a host device",
  why: `"CMD_SYNC timeout" and events such as C_BAD_STREAMID mean that a vSMMU does not carry out the guest's commands; every device
    behind it is affected. "probe with driver … failed" means that a device does not respond.`,
  remedy: `Correct what the other checks report, and restart the domain.`,
  example: `dmesg | grep -E 'arm-smmu-v3|probe with driver'`,
});
