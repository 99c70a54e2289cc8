import { define } from './diagnostic.js';

const VERIFY = 'vsmmu verify vm';

/** Quotes the line of a log that a diagnostic is about, for the middle of a message. */
const quoted = (line: string): string => `"${line}"`;

export const domainNotRunning = define('domain-not-running', {
  severity: 'error',
  message: (a: { domain: string; state: string }) =>
    `${a.domain} is not running (${a.state}): there is no guest to verify`,
  hint: 'start it; to check its definition, use vsmmu check',
  meaning: '`verify` was asked about a domain that does not run',
  why: `verify compares a running guest with the plan. A domain that is shut off has no guest.`,
  remedy: `Start the domain, wait until its drivers are loaded, and run verify again.`,
  example: `virsh start vm
${VERIFY}`,
});

export const smmuMoved = define('smmu-moved', {
  severity: 'warning',
  message: (a: { controller: number; address: string; smmu: string }) =>
    `expander bus ${a.controller} was made for the SMMU at 0x${a.address}, and its devices are behind ${a.smmu} on this host`,
  hint: 'check that the domain runs on the host that it was converted for; vsmmu rewrite --relayout names the expander bus anew',
  meaning: 'an expander bus of the running domain was made for an SMMU that its devices are not behind on this host',
  why: `The alias of an expander bus has the address of the SMMU that it was made for. Firmware can give SMMUs other addresses after
    an update or when a card is added, and another host has others.`,
  remedy: `As long as all devices of the expander bus are behind one SMMU, the guest works. Look at the topology, and convert the
    domain anew if devices were moved.`,
  example: `vsmmu topology
vsmmu rewrite --connect qemu:///system --relayout --diff vm`,
});

export const deviceNotNested = define('device-not-nested', {
  severity: 'error',
  message: (a: { device: string; smmu: string }) =>
    `${a.device} is behind ${a.smmu} on the host, and behind no vSMMU in the running guest`,
  hint: 'convert the domain with vsmmu rewrite --define, then shut it down and start it',
  meaning: 'a device of the running guest is behind no vSMMU, and the plan for this host would place it behind one',
  why: `The domain was started before it was converted, the device was added since, or the host changed: a device that
    shared its IOMMU group has a group of its own now. The device works, without nested translation.`,
  remedy: `Convert the domain. The change takes effect at its next start.`,
  example: `vsmmu rewrite --connect qemu:///system --define vm
virsh shutdown vm; virsh start vm`,
});

export const planDiffers = define('plan-differs', {
  severity: 'warning',
  message: (a: { what: string }) => `vsmmu rewrite would change ${a.what}`,
  hint: 'see what with vsmmu rewrite --diff; the policy or the host may have changed since the domain was converted',
  meaning: 'the running domain places its devices as the plan does, and differs from it elsewhere',
  why: `The plan for this host and this policy has other values for a vSMMU, other NUMA cells or other space for 64-bit BARs
    than the running domain: the policy was changed, or the host has other devices or firmware now.`,
  remedy: `Look at the difference. If it is wanted, define it and restart the domain; otherwise give verify the policy that
    the domain was converted with.`,
  example: `virsh dumpxml vm | vsmmu rewrite --diff`,
});

export const nextStartDiffers = define('next-start-differs', {
  severity: 'warning',
  message: (a: { what: string }) => `the definition for the next start has ${a.what}`,
  hint: 'the running guest keeps what it started with; vsmmu check looks at the definition',
  meaning:
    "the domain's definition was edited since it started: its next start gives the guest other devices or vSMMUs",
  why: `libvirt keeps two definitions of a running domain. virsh edit, define and attach-device --config change the one for
    the next start only.`,
  remedy: `Check the definition before the next start.`,
  example: `virsh dumpxml --inactive vm | vsmmu check -`,
});

export const deviceUnplugged = define('device-unplugged', {
  severity: 'warning',
  message: (a: { device: string }) => `${a.device} was detached since the domain started`,
  hint: 'vsmmu attach prints the <hostdev> with which virsh attach-device gives it back',
  meaning: 'the guest no longer has a host device that it started with',
  why: `The device was detached from the running domain, or the guest gave it up.`,
  remedy: `If that was not intended, attach it again behind the vSMMU of its own SMMU.`,
  example: `virsh dumpxml vm | vsmmu attach - 0000:31:10.2 > device.xml
virsh attach-device vm device.xml --live`,
});

export const qemuNotFound = define('qemu-not-found', {
  severity: 'warning',
  message: (a: { why: string }) => `the command line of QEMU cannot be read: ${a.why}`,
  hint: 'run verify on the host of the domain, as root',
  meaning: "the process of the running domain's QEMU was not found in /proc",
  why: `libvirt is on another host or in another container, or /proc is mounted so that other users' processes are hidden.`,
  remedy: `Run verify where QEMU runs, as root. The other checks do not need it.`,
  example: `sudo ${VERIFY}`,
});

export const qemuSmmuDiffers = define('qemu-smmu-differs', {
  severity: 'error',
  message: (a: { what: string }) => `QEMU was started with other SMMUs than the domain has: ${a.what}`,
  hint: 'a hook, a wrapper script or <qemu:commandline> changes the command line; vsmmu check names the latter',
  meaning: "the SMMUs on QEMU's command line are not those of the running domain",
  why: `libvirt builds the command line from the domain. Something between the two changed it, or this libvirt dropped what
    it does not know: one older than 12.7 makes a machine-wide SMMU of an accelerated vSMMU.`,
  remedy: `Find what changes the command line, or start the domain with a libvirt that knows accelerated vSMMUs.`,
  example: `tr '\\0' '\\n' < /proc/$(cat /run/libvirt/qemu/vm.pid)/cmdline | grep smmuv3`,
});

export const qemuDeviceDiffers = define('qemu-device-differs', {
  severity: 'error',
  message: (a: { what: string }) => `QEMU was started with other devices or ports than the domain has: ${a.what}`,
  hint: 'a hook, a wrapper script or <qemu:commandline> changes the command line',
  meaning: "the host devices, ports and expander buses on QEMU's command line are not those of the running domain",
  why: `libvirt builds the command line from the domain. Something between the two changed it.`,
  remedy: `Find what changes the command line, and restart the domain without it.`,
  example: `tr '\\0' '\\n' < /proc/$(cat /run/libvirt/qemu/vm.pid)/cmdline | grep vfio-pci`,
});

export const monitorDiffers = define('monitor-differs', {
  severity: 'error',
  message: (a: { what: string }) => `QEMU's monitor reports something else than the domain says: ${a.what}`,
  hint: 'report this with the output of verify --monitor --json',
  meaning: "QEMU's own view of its PCI devices and SMMUs differs from the running domain",
  why: `Firmware numbers the PCI buses; QEMU reports the numbers that it chose. A device at another address than predicted
    was plugged in since, or the firmware is not the one that the prediction was made for (EDK2).`,
  remedy: `Compare the addresses with those that the guest reports.`,
  example: `vsmmu verify --monitor --json vm`,
});

export const monitorTaints = define('monitor-taints', {
  severity: 'note',
  message: () => `libvirt marks the domain as tainted (custom-monitor) because of --monitor, until it is restarted`,
  meaning: '`verify --monitor` talked to QEMU past libvirt, which libvirt remembers in its log',
  why: `libvirt cannot know what a command to QEMU's monitor changes, so it marks the domain. verify sends queries only.`,
  remedy: `Nothing needs to be done. Without --monitor there is no such mark.`,
  example: VERIFY,
});

export const qemuLogUnreadable = define('qemu-log-unreadable', {
  severity: 'warning',
  message: (a: { file: string; why: string }) => `${a.file}: ${a.why}`,
  hint: 'run verify on the host of the domain, as root',
  meaning: "QEMU's log of the running domain cannot be read",
  why: `libvirt's logs belong to root, or the domain's libvirt keeps them elsewhere (a container, another host).`,
  remedy: `Run verify as root, or look at the log yourself.`,
  example: `sudo grep -E 'error attach|Failed to' /var/log/libvirt/qemu/vm.log`,
});

export const qemuAttachFailed = define('qemu-attach-failed', {
  severity: 'error',
  message: (a: { line: string }) => `QEMU could not attach a device to the guest's page tables: ${quoted(a.line)}`,
  hint: 'the device does not work; vsmmu check says whether it is in the wrong place',
  meaning: 'QEMU logged that attaching a device to a nested page table failed; the device does not work in the guest',
  why: `The guest enabled translation for a device, and the host's kernel refused. "No such file or directory": the device is
    not alone in its IOMMU group. "Invalid argument": it is behind another SMMU than the vSMMU stands for, and every device
    behind that vSMMU fails.`,
  remedy: `Move the device to where vsmmu rewrite puts it, and restart the domain.`,
  example: `virsh dumpxml vm | vsmmu check -`,
});

export const qemuCmdqvFailed = define('qemu-cmdqv-failed', {
  severity: 'error',
  message: (a: { line: string }) => `QEMU could not give the guest command queues: ${quoted(a.line)}`,
  hint: 'restart the domain; hugepages, or cmdqv=off, avoid most causes',
  meaning: 'QEMU logged an error of command queues (CMDQV): the guest invalidates through QEMU, or not at all',
  why: `A command queue must lie in one page of the host's memory, a vSMMU has a limited number of stream ids for its devices,
    and a device with several stream ids cannot be used with a command queue.`,
  remedy: `Give the guest hugepages, put fewer devices behind the vSMMU, or use --cmdqv off.`,
  example: `<memoryBacking><hugepages/></memoryBacking>`,
});

export const qemuInvalidationFailed = define('qemu-invalidation-failed', {
  severity: 'error',
  message: (a: { line: string }) => `QEMU could not pass the guest's invalidations on: ${quoted(a.line)}`,
  hint: 'devices may use stale translations: restart the domain, and report this to QEMU',
  meaning: 'QEMU logged that the host refused an invalidation of the guest; devices may use stale translations',
  why: `The guest changes its page tables and notifies its vSMMU, which passes this on to the physical SMMU. If that fails, a
    device can reach memory that the guest has given to something else.`,
  remedy: `Restart the domain. If it happens again, report it with versions of QEMU and of the host's kernel.`,
  example: `grep IOMMU_HWPT_INVALIDATE /var/log/libvirt/qemu/vm.log`,
});

export const hostLogUnreadable = define('host-log-unreadable', {
  severity: 'warning',
  message: () => `the log of the host's kernel cannot be read`,
  hint: 'run verify on the host of the domain, as root',
  meaning: "the log of the host's kernel cannot be read, so events of its SMMUs are not known",
  why: `Only root may read /dev/kmsg on most systems, and a container has none.`,
  remedy: `Run verify as root, or look at the log yourself.`,
  example: `journalctl -k | grep arm-smmu-v3`,
});

export const hostSmmuEvent = define('host-smmu-event', {
  severity: 'error',
  message: (a: { line: string }) => `an SMMU of the host reported an error since the domain started: ${quoted(a.line)}`,
  hint: 'a device of this domain, or another behind the same SMMU, used an address that it must not use',
  meaning: "the host's kernel logged an event or a time-out of an SMMU that a device of the domain is behind",
  why: `An SMMU reports each access that it does not translate. A device of the guest whose driver is wrong causes that, and
    so does a device that is reset while it works. A CMD_SYNC time-out means that the SMMU itself does not respond.`,
  remedy: `Look for the device by its stream id (sid: bus, slot and function), and at the guest's own log.`,
  example: `journalctl -k | grep -E 'arm-smmu-v3.*(event|CMD_SYNC)'`,
});

export const hostVfioReset = define('host-vfio-reset', {
  severity: 'warning',
  message: (a: { line: string }) => `a device of the domain needed a reset since the domain started: ${quoted(a.line)}`,
  hint: 'see that the device still works in the guest',
  meaning: "the host's kernel logged an error or a recovery of a host device of the domain",
  why: `The device reported an error on its PCI link, or was reset behind the guest's back. Its driver in the guest may not
    have noticed.`,
  remedy: `Detach and attach the device, or restart the domain.`,
  example: `journalctl -k | grep 0000:11:00.0`,
});
