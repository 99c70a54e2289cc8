import { define, defineCases } from './diagnostic.js';

export const targetUnknown = define('target-unknown', {
  severity: 'error',
  message: (a: { program: 'libvirt' | 'QEMU'; package: string }) => ({
    message: `${a.program} is not installed here, so vsmmu cannot check what it supports`,
    hint: `install ${a.package}, or give --${a.program.toLowerCase()} VERSION`,
  }),
  meaning: 'libvirt or QEMU is not installed here, so vsmmu cannot check what it supports',
  why: `For the target "here", vsmmu reads what libvirt and QEMU support in libvirt's schema and in QEMU's own help. One of
    the two is not installed.`,
  remedy: `Install it (Debian: libvirt-common, qemu-system-arm), or give the version that the domain is for.`,
  example: `vsmmu rewrite --libvirt 12.8 --qemu 11.1 vm.xml`,
});

export const libvirtTooOld = define('libvirt-too-old', {
  severity: 'warning',
  message: (a: { iommufd: boolean }) =>
    `the libvirt installed here does not know accel${a.iommufd ? ' and pciBus' : ', pciBus and iommufd'}: virsh define without --validate would drop them`,
  hint: 'install libvirt 12.7 or newer, define the domain with --validate, or give its target version with --libvirt',
  meaning: 'the libvirt installed here would drop parts of the result without an error',
  why: `A file is converted for current libvirt and QEMU. The schema of the libvirt on this machine lacks accel and pciBus of a
    vSMMU (libvirt 12.7), or iommufd of a host device (12.1). virsh define drops what it does not know, unless it is given
    --validate, so the guest would have vSMMUs without acceleration, or none.`,
  remedy: `Define the domain on a host with a newer libvirt. --validate makes an older one refuse it. With --libvirt VERSION, vsmmu
    converts for that version and does not check the installed one.`,
  example: `vsmmu rewrite --libvirt 12.8 vm.xml > new.xml
virsh define --validate new.xml`,
});

export const domainUnknown = defineCases('domain-unknown', {
  severity: 'error',
  messages: {
    libvirt: (a: { uri: string; domain: string }) => ({
      message: `${a.uri || 'libvirt'} has no domain ${a.domain}`,
      hint: 'virsh list --all lists its domains',
    }),
    notUuid: (a: { domain: string }) => `${a.domain} is not the UUID of a domain`,
    run: (a: { domain: string }) => `the run did not change a domain ${a.domain}`,
  },
  meaning: 'libvirt, or the run of a batch, has no domain with that name or UUID',
  why: `With --connect, vsmmu looks for a domain with that UUID, then for one with that name. None matches: it may be on another
    connection (qemu:///session is not qemu:///system).`,
  remedy: `List the domains, and give the name exactly as listed, or the UUID.`,
  example: `virsh --connect qemu:///system list --all --uuid --name`,
});

const VIRSH_HINTS = {
  missing: 'install it (Debian: libvirt-clients)',
  forbidden: 'make the virsh that comes first in PATH executable',
  silent: 'check that libvirtd responds',
} as const;

export const libvirtUnreachable = define('libvirt-unreachable', {
  severity: 'error',
  /** `virsh`: the problem of virsh itself, if it has one. */
  message: (a: { uri: string; why: string; virsh?: 'missing' | 'forbidden' | 'silent' | undefined }) => ({
    message: `${a.uri || 'libvirt'}: ${a.why}`,
    hint: a.virsh && VIRSH_HINTS[a.virsh],
  }),
  hint: 'check that libvirtd is running and that you may connect to it',
  meaning: 'libvirt does not respond: virsh is not installed, cannot connect, or exceeds its time limit',
  why: `vsmmu talks to libvirt through virsh. virsh is not installed, could not connect, or did not respond in time. If the daemon
    responded before and is being restarted, vsmmu waits for it.`,
  remedy: `Check that virsh itself works, as the same user.`,
  example: `virsh --connect qemu:///system version`,
});

export const libvirtRefused = defineCases('libvirt-refused', {
  severity: 'error',
  messages: {
    command: (a: { command: string; error: string }) => `virsh ${a.command}: ${a.error}`,
    notJson: 'virsh printed a response that is not JSON',
    agentTimeout: (a: { seconds: number }) => `the script did not finish in the guest within ${a.seconds} s`,
    agentResponse: 'the guest agent sent an unexpected response',
  },
  meaning: 'libvirt returned an error (included in the message)',
  why: `libvirt refused a command; the message contains its error. vsmmu has libvirt validate a domain against its schema before it
    defines it, so libvirt also refuses an element that it does not know.`,
  remedy: `Fix what libvirt reports. Nothing was changed.`,
  example: `vsmmu rewrite vm.xml | virt-xml-validate - domain`,
});

export const domainTransient = define('domain-transient', {
  severity: 'error',
  message: 'the domain is transient: it is running and has no definition to change',
  meaning: 'a transient domain has no next start, so it cannot be changed',
  why: `Such a domain was created without a definition (virsh create). It disappears when it stops, so there is no next start to
    change.`,
  remedy: `Define it first, or change the XML that it is created from.`,
  example: `vsmmu rewrite vm.xml > new.xml && virsh create new.xml`,
});

export const domainEdited = defineCases('domain-edited', {
  severity: 'error',
  messages: {
    file: () => ({
      message: 'the file was changed in the meantime, and is left as it is',
      hint: 'run the command again',
    }),
    definition: () => ({
      message: 'the domain was changed in the meantime, and is left as it is',
      hint: 'run the command again',
    }),
    batch: 'the domain was edited while it was being converted, and is left as it is',
    rollback: 'the domain was edited since the run, and is left as it is; --force restores the former domain anyway',
  },
  meaning: 'another user or program changed the domain in the meantime; it is left as it is',
  why: `The domain, or its file, was changed after vsmmu had read it. vsmmu does not overwrite that change.`,
  remedy: `Run the command again: it starts from the current domain.`,
  example: `vsmmu rewrite --connect qemu:///system --define vm`,
});

export const defineDeclined = define('define-declined', {
  severity: 'error',
  message: 'the change was not confirmed; nothing was changed',
  meaning: 'the user did not confirm the change of the domain',
  why: `--define shows the change and asks before it defines the domain. Every answer but y or yes means no.`,
  remedy: `Answer y, or give --yes to skip the question.`,
  example: `vsmmu rewrite --connect qemu:///system --define --yes vm`,
});

export const domainRunning = define('domain-running', {
  severity: 'note',
  message: 'the domain is running: the change takes effect at its next start',
  meaning: 'changes to a running domain take effect at its next start',
  why: `A definition is for the next start. The running guest keeps its devices where they are. A reboot inside the guest is not a
    start.`,
  remedy: `Shut it down and start it when convenient.`,
  example: `virsh shutdown vm && virsh start vm`,
});

export const domainSaved = defineCases('domain-saved', {
  severity: 'warning',
  messages: {
    nextStart:
      'the domain continues from its managed save at its next start, unchanged; the change takes effect at the start after that',
    managedSave: 'the memory of the domain is saved for its next start (managed save)',
    snapshots: (a: { count: number }) => `${a.count} of its snapshots contain its memory`,
  },
  meaning: 'a domain has saved memory (managed save, snapshots) that would not fit the changed domain',
  why: `The saved memory of the guest includes its devices. At the next start, libvirt restores a managed save with the former
    devices, whatever the definition says. A snapshot restores the definition of its time.`,
  remedy: `Start the domain and shut it down, or remove the saved memory.`,
  example: `virsh managedsave-remove vm`,
});
