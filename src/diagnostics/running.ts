import { define } from './diagnostic.js';
import { quoted } from './words.js';

const VERIFY = 'vsmmu verify vm';

export const domainNotRunning = define('domain-not-running', {
  severity: 'error',
  message: (a: { domain: string; state: string }) =>
    `${a.domain} is not running (${a.state}): there is no guest to verify`,
  hint: 'start it; to check its definition, use vsmmu check',
  meaning: '`verify` checks running guests only, and the domain is not running',
  why: `verify compares a running guest with the plan. A domain that is shut off has no guest.`,
  remedy: `Start the domain, wait until its drivers are loaded, and run verify again.`,
  example: `virsh start vm
${VERIFY}`,
});

export const smmuMoved = define('smmu-moved', {
  severity: 'warning',
  message: (a: { controller: number; address: string; smmu: string }) =>
    `expander bus ${a.controller} was made for the SMMU at 0x${a.address}, but on this host its devices are behind ${a.smmu}`,
  hint: 'check that the domain runs on the host that it was converted for; vsmmu rewrite --relayout gives the expander bus a new alias',
  meaning: 'the devices of an expander bus are behind another SMMU than the one in its alias',
  why: `The alias of an expander bus contains the address of its SMMU. These addresses can change when firmware is updated
    or a card is added, and they differ between hosts.`,
  remedy: `The guest works as long as all devices of the expander bus are behind one SMMU. Check the topology. If devices were
    moved, convert the domain again.`,
  example: `vsmmu topology
vsmmu rewrite --connect qemu:///system --relayout --diff vm`,
});

export const deviceNotNested = define('device-not-nested', {
  severity: 'error',
  message: (a: { device: string; smmu: string }) =>
    `${a.device} is behind ${a.smmu} on the host, but behind no vSMMU in the running guest`,
  hint: 'convert the domain with vsmmu rewrite --define, then shut it down and start it',
  meaning: 'a device of the running guest is behind no vSMMU, although the plan for this host places it behind one',
  why: `The domain was started before it was converted, the device was added later, or the host changed: a device that shared its
    IOMMU group is now alone in it. The device works, but without nested translation.`,
  remedy: `Convert the domain. The change takes effect at its next start.`,
  example: `vsmmu rewrite --connect qemu:///system --define vm
virsh shutdown vm; virsh start vm`,
});

export const planDiffers = define('plan-differs', {
  severity: 'warning',
  message: (a: { what: string }) => `vsmmu rewrite would change ${a.what}`,
  hint: 'see the changes with vsmmu rewrite --diff; the policy or the host may have changed since the domain was converted',
  meaning: 'the devices of the running domain are placed as planned, but other settings differ from the plan',
  why: `For this host and policy, the plan has other values for a vSMMU, other NUMA cells or another size for 64-bit BARs:
    the policy was changed, or the host has other devices or firmware now.`,
  remedy: `Look at the difference. If you want it, define it and restart the domain. Otherwise, run verify with the policy that
    the domain was converted with.`,
  example: `virsh dumpxml vm | vsmmu rewrite --diff`,
});

export const nextStartDiffers = define('next-start-differs', {
  severity: 'warning',
  message: (a: { what: string }) => `the definition for the next start has ${a.what}`,
  hint: 'the running guest is not affected; check the definition with vsmmu check',
  meaning:
    "the domain's definition was edited since the domain started: from the next start, the guest has other devices or vSMMUs",
  why: `libvirt keeps two definitions of a running domain. virsh edit, define and attach-device --config change only the
    one for the next start.`,
  remedy: `Check the definition before the next start.`,
  example: `virsh dumpxml --inactive vm | vsmmu check -`,
});

export const deviceUnplugged = define('device-unplugged', {
  severity: 'warning',
  message: (a: { device: string }) => `${a.device} was detached since the domain started`,
  hint: 'vsmmu attach prints the <hostdev> that virsh attach-device needs to attach it again',
  meaning: 'the guest no longer has a host device that it started with',
  why: `The device was detached from the running domain, or the guest released it.`,
  remedy: `If this was not intended, attach it again behind the vSMMU of its own SMMU.`,
  example: `virsh dumpxml vm | vsmmu attach - 0000:31:10.2 > device.xml
virsh attach-device vm device.xml --live`,
});

export const qemuNotFound = define('qemu-not-found', {
  severity: 'warning',
  message: (a: { why: string }) => `the command line of QEMU cannot be read: ${a.why}`,
  hint: 'run verify on the host of the domain, as root',
  meaning: 'the QEMU process of the running domain was not found in /proc',
  why: `libvirt is on another host or in another container, or /proc hides the processes of other users.`,
  remedy: `Run verify as root where QEMU runs. The other checks do not need the process.`,
  example: `sudo ${VERIFY}`,
});

export const qemuSmmuDiffers = define('qemu-smmu-differs', {
  severity: 'error',
  message: (a: { what: string }) => `QEMU was started with other SMMUs than the domain has: ${a.what}`,
  hint: 'a hook, a wrapper script or <qemu:commandline> changes the command line; vsmmu check reports <qemu:commandline>',
  meaning: "the SMMUs on QEMU's command line are not those of the running domain",
  why: `libvirt builds the command line from the domain. Something changed it afterwards, or this libvirt dropped attributes that
    it does not know: libvirt before 12.7 turns an accelerated vSMMU into a machine-wide SMMU.`,
  remedy: `Find what changes the command line, or start the domain with a libvirt that knows accelerated vSMMUs.`,
  example: `tr '\\0' '\\n' < /proc/$(cat /run/libvirt/qemu/vm.pid)/cmdline | grep smmuv3`,
});

export const qemuDeviceDiffers = define('qemu-device-differs', {
  severity: 'error',
  message: (a: { what: string }) => `QEMU was started with other devices or ports than the domain has: ${a.what}`,
  hint: 'a hook, a wrapper script or <qemu:commandline> changes the command line',
  meaning: "the host devices, ports and expander buses on QEMU's command line are not those of the running domain",
  why: `libvirt builds the command line from the domain. Something changed it afterwards.`,
  remedy: `Find what changes the command line, and restart the domain without it.`,
  example: `tr '\\0' '\\n' < /proc/$(cat /run/libvirt/qemu/vm.pid)/cmdline | grep vfio-pci`,
});

export const monitorDiffers = define('monitor-differs', {
  severity: 'error',
  message: (a: { what: string }) => `QEMU's monitor contradicts the domain: ${a.what}`,
  hint: 'report this with the output of verify --monitor --json',
  meaning: "QEMU's own view of its PCI devices and SMMUs differs from the running domain",
  why: `Firmware assigns the PCI bus numbers, and QEMU reports them. Either a device was plugged in since the start, or the guest's
    firmware is not EDK2, for which vsmmu predicts the addresses.`,
  remedy: `Compare the addresses with those that the guest reports.`,
  example: `vsmmu verify --monitor --json vm`,
});

export const monitorTaints = define('monitor-taints', {
  severity: 'note',
  message: 'libvirt marks the domain as tainted (custom-monitor) until it is restarted, because of --monitor',
  meaning: '`verify --monitor` sent queries to QEMU directly, and libvirt records that',
  why: `libvirt cannot know what a monitor command changes, so it marks the domain. verify sends only queries.`,
  remedy: `Nothing needs to be done. Without --monitor, the domain is not marked.`,
  example: VERIFY,
});

export const qemuLogUnreadable = define('qemu-log-unreadable', {
  severity: 'warning',
  message: (a: { file: string; why: string }) => `${a.file}: ${a.why}`,
  hint: 'run verify on the host of the domain, as root',
  meaning: "QEMU's log of the running domain cannot be read",
  why: `libvirt's logs belong to root, or the domain's libvirt keeps them elsewhere (a container, another host).`,
  remedy: `Run verify as root, or read the log yourself.`,
  example: `sudo grep -E 'error attach|Failed to' /var/log/libvirt/qemu/vm.log`,
});

export const qemuAttachFailed = define('qemu-attach-failed', {
  severity: 'error',
  message: (a: { line: string }) => `QEMU could not attach a device to the guest's page tables: ${quoted(a.line)}`,
  hint: 'the device does not work; vsmmu check reports whether it is in the wrong place',
  meaning: 'QEMU logged that attaching a device to a nested page table failed; the device does not work in the guest',
  why: `The guest enabled translation for a device, and the host's kernel refused. "No such file or directory": the device is
    not alone in its IOMMU group. "Invalid argument": the device is behind another SMMU than the one of the vSMMU, and then
    every device behind that vSMMU fails.`,
  remedy: `Let vsmmu rewrite move the device, and restart the domain.`,
  example: `virsh dumpxml vm | vsmmu check -`,
});

export const qemuCmdqvFailed = define('qemu-cmdqv-failed', {
  severity: 'error',
  message: (a: { line: string }) => `QEMU could not give the guest command queues: ${quoted(a.line)}`,
  hint: 'restart the domain; huge pages or cmdqv=off avoid most causes',
  meaning: 'QEMU logged an error of command queues (CMDQV): the invalidations of the guest go through QEMU, or fail',
  why: `A command queue must be within one page of host memory. A vSMMU supports a limited number of stream IDs, and a
    device with several stream IDs cannot use a command queue.`,
  remedy: `Give the guest huge pages, put fewer devices behind the vSMMU, or use --cmdqv off.`,
  example: `<memoryBacking><hugepages/></memoryBacking>`,
});

export const qemuInvalidationFailed = define('qemu-invalidation-failed', {
  severity: 'error',
  message: (a: { line: string }) => `QEMU could not forward invalidations of the guest: ${quoted(a.line)}`,
  hint: 'devices may use stale translations: restart the domain, and report the error to QEMU',
  meaning: 'QEMU logged that the host refused an invalidation of the guest; devices may use stale translations',
  why: `When the guest changes its page tables, it notifies its vSMMU, and QEMU forwards that to the physical SMMU. If this fails, a
    device can still access memory that the guest has reused.`,
  remedy: `Restart the domain. If it happens again, report it with the versions of QEMU and of the host kernel.`,
  example: `grep IOMMU_HWPT_INVALIDATE /var/log/libvirt/qemu/vm.log`,
});

export const hostLogUnreadable = define('host-log-unreadable', {
  severity: 'warning',
  message: 'the kernel log of the host cannot be read',
  hint: 'run verify on the host of the domain, as root',
  meaning: 'the kernel log of the host cannot be read, so events of its SMMUs are unknown',
  why: `On most systems, only root may read /dev/kmsg. Containers do not have it.`,
  remedy: `Run verify as root, or read the log yourself.`,
  example: `journalctl -k | grep arm-smmu-v3`,
});

export const hostSmmuEvent = define('host-smmu-event', {
  severity: 'error',
  message: (a: { line: string }) => `an SMMU of the host reported an error since the domain started: ${quoted(a.line)}`,
  hint: 'a device of this domain, or another device behind the same SMMU, accessed an address that is not mapped',
  meaning: 'the host kernel logged an event or a time-out of an SMMU that has devices of the domain',
  why: `An SMMU reports each access that it cannot translate. Causes are a faulty driver in the guest, or a device that is reset
    while it is working. A CMD_SYNC time-out means that the SMMU itself does not respond.`,
  remedy: `Find the device by its stream ID (sid: bus, slot and function), and read the guest's own log.`,
  example: `journalctl -k | grep -E 'arm-smmu-v3.*(event|CMD_SYNC)'`,
});

export const hostVfioReset = define('host-vfio-reset', {
  severity: 'warning',
  message: (a: { line: string }) => `a device of the domain needed a reset since the domain started: ${quoted(a.line)}`,
  hint: 'check that the device still works in the guest',
  meaning: 'the host kernel logged an error or a recovery of a host device of the domain',
  why: `The device reported an error on its PCI link, or was reset without the guest's knowledge. Its driver in the guest may not
    have noticed.`,
  remedy: `Detach and attach the device, or restart the domain.`,
  example: `journalctl -k | grep 0000:11:00.0`,
});
