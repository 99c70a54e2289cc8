import { define, defineCases } from './diagnostic.js';
import { count } from './words.js';

export const hostWithoutSmmu = defineCases('host-without-smmu', {
  severity: 'error',
  messages: {
    devices: 'the domain has host devices, and this host has no SMMUv3',
    vsmmus: 'the domain has accelerated vSMMUs, and this host has no SMMUv3',
  },
  hint: 'run this for the host that the domain is for (--sysfs, --topology), and check that its firmware offers the SMMUs',
  meaning: 'the host has no SMMUv3, so none of its devices can be behind a vSMMU',
  why: `Nothing in /sys/class/iommu begins with smmu3. The machine is not an Arm server, or its firmware hides the SMMUs (a
    setting of the firmware, an IORT without them), or its kernel is configured not to use them.`,
  remedy: `Run this on the host that the domain is for, or give its snapshot. On an Arm server look for "SMMU" in the firmware's
    settings, and for arm-smmu-v3 in the kernel's log. vsmmu doctor checks the rest.`,
  example: `vsmmu topology --json > host.json                  # on the host
vsmmu rewrite --topology host.json vm.xml          # anywhere`,
});

export const targetWithoutAcceleration = defineCases('target-without-acceleration', {
  severity: 'error',
  messages: {
    libvirtAccel: (a: { libvirt: string; since: string }) => ({
      message: `${a.libvirt} does not support accel='on'`,
      hint: install('libvirt', a.since),
    }),
    libvirtIommufd: (a: { libvirt: string; since: string }) => ({
      message: `${a.libvirt} does not support iommufd for a host device`,
      hint: install('libvirt', a.since),
    }),
    libvirtDomainIommufd: (a: { libvirt: string }) => ({
      message: `${a.libvirt} does not support iommufd for all host devices`,
      hint: 'give --iommufd device',
    }),
    qemuAccel: (a: { qemu: string; since: string }) => ({
      message: `${a.qemu} does not support an accelerated arm-smmuv3`,
      hint: install('QEMU', a.since),
    }),
  },
  meaning: 'the libvirt or the QEMU that the domain is for does not support an accelerated vSMMU',
  why: `libvirt supports accel='on' since 12.7 and iommufd for a host device since 12.1; QEMU supports accel since 11.0.
    Distributions backport parts of it, so "here" checks what is installed, not its version.`,
  remedy: `Install newer versions, or give the versions that the domain is really for.`,
  example: `vsmmu rewrite --libvirt here --qemu here vm.xml`,
});

function install(program: string, since: string): string {
  return `install ${program} ${since} or newer, or a build with this feature backported`;
}

export const targetValueUnsupported = defineCases('target-value-unsupported', {
  severity: 'warning',
  messages: {
    value: (a: { program: string; vsmmu: string; name: string; value: string }) =>
      `${a.program} does not support ${a.name}='${a.value}' for ${a.vsmmu}`,
    spelling: (a: { libvirt: string; name: string; spelling: string }) =>
      `${a.libvirt} ignores ${a.name}, because it spells this attribute ${a.spelling}`,
    coarse: (a: { libvirt: string; name: string; value: string; said: string; actual: string }) =>
      `${a.libvirt} cannot express ${a.name}='${a.value}': its ${a.said} gives the guest ${a.name}='${a.actual}'`,
  },
  meaning:
    'the libvirt or the QEMU that the domain is for does not support a value, which is left out (an error in `check` if QEMU would not start)',
  why: `Only newer versions support this value of the vSMMU (cmdqv needs QEMU 11.1). If it were written, an older libvirt would drop
    it without a message, and an older QEMU would refuse to start.`,
  remedy: `Nothing needs to be done if the guest can do without it. Otherwise install newer versions.`,
  example: `vsmmu doctor`,
});

export const targetMachineMissing = define('target-machine-missing', {
  severity: 'error',
  message: (a: { qemu: string; machine: string }) =>
    `${a.qemu} no longer has the machine ${a.machine}: the domain will not start`,
  hint: "give the domain a machine that QEMU has (machine='virt' is the newest); its guest may notice other hardware",
  meaning: 'the QEMU that the domain is for no longer has its machine type, so the domain will not start',
  why: `libvirt writes the version of the machine into a domain when it is defined (virt-9.2). QEMU removes machine types after
    some years, so a domain that was never redefined may stop starting after an upgrade.`,
  remedy: `Change the machine while the guest is shut off. Guests for Arm rarely depend on it.`,
  example: `qemu-system-aarch64 -M help
virsh edit vm             # <type arch='aarch64' machine='virt'>hvm</type>`,
});

export const iommuConflict = defineCases('iommu-conflict', {
  severity: 'error',
  messages: {
    machineWide: (a: { buses: number }) =>
      `the domain has a machine-wide SMMU and ${a.buses === 1 ? 'an SMMU for one bus' : `SMMUs for ${a.buses} buses`}`,
    virtioOrder: "<iommu model='virtio'/> must be after all vSMMUs",
    model: (a: { model: string }) => `<iommu model='${a.model}'/> cannot be combined with vSMMUs`,
    secondRoot: 'pcie.0 has an SMMU already',
    secondOnBus: (a: { controller: number }) => `two SMMUs name the PCI controller ${a.controller}`,
    notExpanderBus: (a: { controller: number; model: string | undefined }) =>
      `pciBus='${a.controller}' must name a pcie-expander-bus; controller ${a.controller} is ${a.model ?? 'not in the domain'}`,
    acceleratedRoot: 'the SMMU of pcie.0 is accelerated: emulated devices cannot be behind it',
    emulatedRoot: (a: { devices: readonly string[] }) => ({
      message: `${a.devices.join(', ')} would be behind the emulated SMMU of pcie.0, where no host device can be`,
      hint: 'remove that <iommu>, or give --emulated-iommu drop',
    }),
  },
  hint: 'remove that <iommu>',
  meaning: 'an `<iommu>` of the domain conflicts with the vSMMUs',
  why: `QEMU refuses a machine-wide SMMU beside those of expander buses, and no host device can be behind an SMMU that is
    not accelerated. If no host device stays on pcie.0, the machine-wide SMMU becomes one for pcie.0 alone. A guest can have
    an IOMMU of another model (virtio, intel) or the vSMMUs, not both.`,
  remedy: `Remove the <iommu>, or give --emulated-iommu drop. A guest needs an SMMU on pcie.0 only to assign emulated devices to
    guests of its own.`,
  example: `<iommu model='smmuv3'/>   <!-- machine-wide: remove it -->
<iommu model='smmuv3'><driver pciBus='10' accel='on'/></iommu>`,
});

export const iommuIgnored = defineCases('iommu-ignored', {
  severity: 'warning',
  messages: {
    element: 'libvirt ignores an SMMU without pciBus that is not the first',
    values: (a: { names: readonly string[] }) => `libvirt ignores ${a.names.join(', ')} of an SMMU without pciBus`,
  },
  hint: 'give it the pciBus of the controller that it is for, or remove it',
  meaning: 'libvirt ignores an `<iommu>`, or attributes of its `<driver>`',
  why: `libvirt (12.8) configures QEMU's machine-wide SMMU from the first <iommu> of the domain if that has no pciBus. It ignores
    every further <iommu> without pciBus, and the other attributes of its <driver>.`,
  remedy: `Set pciBus to the index of the PCI controller that the SMMU translates for. 0 is pcie.0.`,
  example: `<iommu model='smmuv3'>
  <driver pciBus='10' accel='on'/>
</iommu>`,
});

export const iommuUnsupported = define('iommu-unsupported', {
  severity: 'error',
  message: (a: { machine: string; arch: string }) => `the machine ${a.machine} for ${a.arch} cannot have an SMMUv3`,
  hint: 'remove that <iommu>',
  meaning: 'a domain has an SMMUv3, and its machine is not `virt` for Arm',
  why: `The SMMUv3 is specific to Arm, and libvirt supports it on QEMU's machine virt only; it refuses to define such a domain.`,
  remedy: `Remove it, or use the IOMMU of that machine: model='intel' on x86, model='virtio' if the machine has none.`,
  example: `<iommu model='intel'/>`,
});

export const vsmmuValuesMissing = defineCases('vsmmu-values-missing', {
  severity: 'error',
  messages: {
    planned: (a: { smmu: string; names: readonly string[] }) => ({
      message: `the expander bus of ${a.smmu} has no device from which QEMU could read ${a.names.join(', ')}`,
      hint: `give ${a.names.map((name) => `--${name}`).join(' ')}`,
    }),
    present: (a: { vsmmu: string; names: readonly string[] }) => ({
      message: `${a.vsmmu} has no device from which QEMU could read ${a.names.join(', ')}`,
      hint: 'give these values in its <driver>, or remove that <iommu>',
    }),
  },
  meaning: 'a vSMMU without a device needs all its values, because QEMU cannot read them from the host',
  why: `QEMU reads the features of a vSMMU from the host, through a device that is behind it when the domain starts. Without
    a device, it ends with "'auto' properties requires at least one cold-plugged VFIO device".`,
  remedy: `Give all five values, as the host's SMMU has them, or leave out the expander bus until a device is behind it.`,
  example: `vsmmu rewrite --expander-buses all --ats on --ril off --ssidsize 20 --oas 48 --cmdqv off vm.xml`,
});

export const vsmmuValueInvalid = define('vsmmu-value-invalid', {
  severity: 'error',
  message: (a: { values: readonly string[] }) => `QEMU refuses a vSMMU with ${a.values.join(', ')}`,
  hint: 'give ssidsize as 0 to 20, oas as 44 or 48, the others as on or off',
  meaning: 'a vSMMU has a value that QEMU refuses; libvirt does not check it',
  why: `libvirt accepts any number for ssidsize and oas. QEMU accepts only 0 to 20, and 44 or 48, when the domain starts.`,
  remedy: `Give a valid value, or remove the attribute, so that QEMU uses the host's.`,
  example: `<driver pciBus='10' accel='on' ssidsize='20' oas='48'/>`,
});

export const vsmmuValueBeyondHost = defineCases('vsmmu-value-beyond-host', {
  severity: 'error',
  messages: {
    vsmmu: (a: { vsmmu: string; name: string; value: string; smmu: string; host: string }) =>
      `${a.vsmmu} has ${a.name}='${a.value}', but ${a.smmu} has ${a.host}`,
    profile: (a: { smmu: string; name: string; value: string }) =>
      `${a.smmu} does not support ${a.name}='${a.value}', which its devices' platform has; the value is left out`,
  },
  hint: 'give a value that the SMMU has, or auto',
  meaning:
    "a vSMMU has a value above what the host's SMMU behind it is known to have; QEMU does not start with it (a warning if the value is from a platform profile and is left out)",
  why: `QEMU compares the values of a vSMMU with the registers of the SMMU behind it, and does not start if the SMMU has less: "Host
    SMMUv3 doesn't support Address Translation Services". sysfs does not show these registers; vsmmu knows them from the log of
    the kernel when it found the SMMU, or from the snapshot given with --topology. vsmmu topology --probe reads the registers
    themselves.`,
  remedy: `Give a value that the SMMU has, or auto, so that QEMU uses the SMMU's own.`,
  example: `vsmmu topology
vsmmu rewrite --oas 44 --ats auto vm.xml`,
});

export const smmuIncompatible = defineCases('smmu-incompatible', {
  severity: 'error',
  messages: {
    vsmmu: (a: { vsmmu: string; smmu: string; missing: readonly string[] }) =>
      `QEMU refuses ${a.vsmmu}: ${a.smmu} has ${a.missing.join(', ')}`,
    planned: (a: { smmu: string; missing: readonly string[] }) =>
      `QEMU refuses every vSMMU for ${a.smmu}, which has ${a.missing.join(', ')}`,
  },
  hint: 'leave its devices on pcie.0 (--bypass)',
  meaning: "the host's SMMU lacks something that every vSMMU of QEMU has, so no vSMMU can represent it",
  why: `QEMU (11.1) compares its model of an SMMUv3 with the ID registers of the SMMU behind a vSMMU, and does not start if
    they differ in what its properties cannot change: translation granules of 4K, 16K and 64K, stream tables of two levels,
    16 bits of a stream ID, little-endian AArch64 translation tables ("Host SMMUv3 doesn't support 16K translation
    granule"). The registers are known only from a snapshot that vsmmu topology --probe made.`,
  remedy: `Leave the devices of this SMMU on pcie.0, or use a host with other SMMUs. A newer QEMU may not need these features.`,
  example: `vsmmu doctor --probe 0000:01:00.0
vsmmu rewrite --bypass 0000:01:00.0 vm.xml`,
});

export const deviceBehindOtherSmmu = define('device-behind-other-smmu', {
  severity: 'error',
  message: (a: { device: string; smmu: string | null; vsmmu: string; serves: string | undefined }) =>
    `${a.device} is behind ${a.smmu ?? 'no SMMU'} on the host, and behind ${a.vsmmu}${a.serves === undefined ? '' : `, which serves ${a.serves}`}`,
  hint: 'move it to an expander bus of its own SMMU, as `vsmmu rewrite` does',
  meaning:
    'a device is behind the vSMMU of another SMMU: the guest starts, and every device behind that vSMMU fails in it',
  why: `A vSMMU represents one SMMU of the host: QEMU (11.1) reads its values from the first device and passes the guest's
    commands to that device's SMMU. It starts even with a device of another SMMU there (its log has only "Failed to attach
    GBPA hwpt"). The guest's driver then fails for every device behind that vSMMU, also for those of the right SMMU
    ("CMD_SYNC timeout").`,
  remedy: `Move the device to a port of an expander bus whose vSMMU serves its own SMMU, or to pcie.0: vsmmu rewrite does that.`,
  example: `vsmmu topology            # which device is behind which SMMU
vsmmu check --fix vm.xml`,
});

export const deviceBehindEmulatedSmmu = define('device-behind-emulated-smmu', {
  severity: 'error',
  message: (a: { device: string; smmu: 'machine' | 'pcie.0' | { readonly vsmmu: string } }) => {
    const names = { machine: "the machine's SMMU", 'pcie.0': 'the SMMU of pcie.0' };
    return `${a.device} is behind ${typeof a.smmu === 'string' ? names[a.smmu] : a.smmu.vsmmu}, which has no accel='on'`;
  },
  hint: "give that SMMU accel='on', or move the device away, as `vsmmu rewrite` does",
  meaning: 'a host device is behind an SMMU that QEMU emulates; QEMU accepts it behind an accelerated one only',
  why: `QEMU would have to report every mapping that the guest makes in an emulated SMMU to VFIO, which QEMU (11.1) cannot:
    "requires iommu MAP notifier which is not currently supported". A machine-wide SMMU affects host devices on every bus
    that has no SMMU of its own.`,
  remedy: `Give the SMMU accel='on' if only host devices are behind it. Otherwise put the host devices behind an accelerated one, as
    vsmmu rewrite does, or remove the SMMU.`,
  example: `<iommu model='smmuv3'>
  <driver pciBus='10' accel='on'/>
</iommu>`,
});

export const deviceWithoutIommufd = define('device-without-iommufd', {
  severity: 'error',
  message: (a: { device: string; vsmmu: string }) => `${a.device} is behind ${a.vsmmu} and does not use iommufd`,
  hint: "give it <driver iommufd='yes'/>",
  meaning: 'a host device behind an accelerated vSMMU does not use iommufd; QEMU accepts no other backend there',
  why: `With acceleration the host's SMMU walks the guest's own page tables, and only /dev/iommu can set this up. QEMU
    (11.1) refuses a host device there that has the older VFIO backend: "vfio-pci endpoint devices without an iommufd
    backend not allowed when using arm-smmuv3,accel=on".`,
  remedy: `Give the device the driver below (libvirt 12.1), or all host devices of the domain <iommufd enabled='yes'/>
    (libvirt 12.2). The host's kernel needs CONFIG_IOMMUFD.`,
  example: `<driver iommufd='yes'/>`,
});

export const driverUnsupported = define('driver-unsupported', {
  severity: 'error',
  message: (a: { device: string; driver: string }) =>
    `${a.device} has the driver '${a.driver}', and QEMU has only vfio`,
  hint: 'remove the name from its <driver>',
  meaning: 'a host device has a `<driver name>` other than `vfio`; libvirt cannot start the domain',
  why: `Legacy assignment by KVM was removed, and the driver "xen" is for Xen. libvirt (12.8) accepts the names in a definition, and
    fails at start: "QEMU does not support device assignment mode 'kvm'".`,
  remedy: `Remove the attribute: vfio is the default.`,
  example: `<driver iommufd='yes'/>`,
});

export const cmdqvSmallPages = define('cmdqv-small-pages', {
  severity: 'note',
  message: (a: { vsmmus: number }) =>
    `the command queues of ${count(a.vsmmus, 'vSMMU')} are each at most one page long, and the guest has no huge pages`,
  hint: 'add <hugepages/> to <memoryBacking>, or give --huge-pages on',
  meaning: 'a vSMMU has command queues of the SMMU (cmdqv), and the memory of the guest has no huge pages',
  why: `A command queue that is mapped into the guest must be contiguous in the host's memory, so QEMU (11.1) limits it to
    one page: 256 entries with pages of 4 KiB, 4096 with 64 KiB, 131072 with 2 MiB. With a short queue, the guest waits when
    it unmaps many pages.`,
  remedy: `Give the guest huge pages. The host must have them: on NVIDIA Grace with pages of 64 KiB, their size is 512 MiB.`,
  example: `<memoryBacking>
  <hugepages/>
</memoryBacking>`,
});

export const cmdqvTooManyDevices = define('cmdqv-too-many-devices', {
  severity: 'error',
  message: (a: { vsmmu: string; devices: number; limit: number }) =>
    `${a.vsmmu} has command queues (cmdqv), which take ${a.limit} devices, and ${a.devices} are behind it`,
  hint: "give it cmdqv='off', or --relayout, which makes a further vSMMU",
  meaning:
    "more devices are behind a vSMMU with command queues than these support; the additional devices do not work in the guest (a warning if the queues are QEMU's choice)",
  why: `The command queues of NVIDIA's SMMUs (Tegra241 CMDQV) translate the stream IDs of the guest's commands themselves. The hardware
    has 16 slots for them per guest, and each device takes one. Linux refuses a further device when the guest turns its
    translation on, so the guest starts, and this device does no DMA.`,
  remedy: `vsmmu rewrite --relayout divides the devices between several vSMMUs of the SMMU. Without command queues one is enough.`,
  example: `vsmmu rewrite --relayout --diff vm.xml
<driver pciBus='10' accel='on' cmdqv='off'/>`,
});

export const smmuSplit = define('smmu-split', {
  severity: 'note',
  message: (a: { devices: number; smmu: string; controllers: readonly number[] }) =>
    `${a.devices} devices behind ${a.smmu} have ${a.controllers.length} vSMMUs instead of one, on PCI controllers ${a.controllers.join(', ')}`,
  hint: '--relayout gives them one vSMMU, and new addresses in the guest',
  meaning: 'devices behind one SMMU have several vSMMUs, which were not made by vsmmu',
  why: `OpenNebula and others make an expander bus and a vSMMU for each device. That works, but each takes bus numbers, a slot of
    pcie.0, and one of the 16 SMMUs that QEMU has room for.`,
  remedy: `Nothing needs to be done. With --relayout the devices of an SMMU are behind one vSMMU, as on the host; with
    --grouping device vsmmu makes one per device itself.`,
  example: `vsmmu rewrite --relayout --diff vm.xml`,
});
