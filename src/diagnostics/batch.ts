import { define, defineCases } from './diagnostic.js';

export const stateUnwritable = defineCases('state-unwritable', {
  severity: 'error',
  messages: {
    /** The error of the operating system, in words. */
    system: (a: { error: string }) => a.error,
  },
  meaning: 'the state folder, or a file in it, cannot be written; no domain is changed without it',
  why: `vsmmu records each change before it makes it, and keeps the former XML. If it cannot write these files (the disk is full,
    the folder is not writable), the domain stays as it is.`,
  remedy: `Free some space, or give another folder with --state; vsmmu batch prune removes old runs.`,
  example: `df -h /var/lib/vsmmu
vsmmu batch prune --keep 3`,
});

export const hostUnknown = define('host-unknown', {
  severity: 'error',
  message: (a: { domain: string }) => `the topology map has no host for ${a.domain}`,
  hint: 'add an entry for it, or an entry with the key * for all others',
  meaning: 'the map of domains to hosts has no host for a domain',
  why: `The map given with --topology-map assigns a host to each domain. A key is the path of the domain's file below the
    folder, the domain's name, or * for all others. No key matches this domain.`,
  remedy: `Add an entry for the domain, or an entry with the key * for all domains without their own.`,
  example: `{
  "db/postgres-1.xml": "hosts/rack1.json",
  "web-7": "hosts/rack2.json",
  "*": "hosts/rack3.json"
}`,
});

export const sshFailed = define('ssh-failed', {
  severity: 'error',
  message: (a: { host: string; why: string }) => `ssh ${a.host}: ${a.why}`,
  hint: 'check that vsmmu is installed there and that ssh needs no password, or give --topology',
  meaning: 'the topology of a remote host could not be read through ssh',
  why: `With --ssh-topology, vsmmu runs "vsmmu topology --json" on the host that the libvirt URI names. ssh could not log in without
    a password, or vsmmu is not installed there.`,
  remedy: `Fix the problem that ssh reports, or take the snapshot by hand.`,
  example: `ssh root@host1 vsmmu topology --json > host1.json
vsmmu batch convert --connect qemu+ssh://root@host1/system --topology host1.json --all`,
});

export const stateLocked = define('state-locked', {
  severity: 'error',
  message: (a: { process: string | undefined }) =>
    `another batch${a.process === undefined ? '' : ` (process ${a.process})`} is running`,
  hint: 'wait until it ends, or give a longer --wait',
  meaning: 'another batch uses the same state folder, or changes the same files',
  why: `Two batches that change the same domains at the same time would undo each other's work. So only one batch at a time
    uses a state folder, and only one at a time writes to a folder of files. The lock is released when its process ends,
    even if it is killed.`,
  remedy: `Wait until the other batch has ended. Without --wait, vsmmu waits as long as it takes.`,
  example: `vsmmu batch convert --apply --all --wait 600`,
});

export const journalInvalid = defineCases('journal-invalid', {
  severity: 'error',
  messages: {
    header: 'the first line does not describe a run',
    entry: 'this line is not an entry of a journal',
  },
  meaning: 'the journal of a run contains a line that vsmmu did not write',
  why: `A journal has one JSON value per line, as schemas/journal.schema.json describes. Only its last line may be incomplete, after
    a power failure. This line was edited, or the disk damaged it.`,
  remedy: `Look at the line. The former XML of every changed domain is in the folder "backup" beside the journal.`,
  example: `ls /var/lib/vsmmu/runs/0012-20261123T021500Z/backup`,
});

export const backupDamaged = define('backup-damaged', {
  severity: 'error',
  message: 'the backup of the domain was changed after it was saved',
  meaning: 'the saved XML of a domain has changed since it was saved',
  why: `The backup does not match its digest in the journal: it was edited, or the disk damaged it. vsmmu does not restore it.`,
  remedy: `Restore the domain from another backup, or remove what vsmmu added with vsmmu revert.`,
  example: `virsh dumpxml --inactive --security-info vm | vsmmu revert > vm.xml`,
});

export const runIncomplete = defineCases('run-incomplete', {
  severity: 'error',
  messages: {
    missing: (a: { domain: string; more: number }) =>
      `there is no result for ${a.domain}${a.more > 0 ? ` and ${a.more} more` : ''}`,
    unexpected: (a: { domain: string }) => `unexpected result for ${a.domain}`,
    listedTwice: (a: { domain: string }) => `${a.domain} is listed twice`,
    busy: (a: { path: string }) => `${a.path} is already being converted`,
    thread: (a: { error: string }) => `a worker thread failed: ${a.error}`,
    journal: (a: { results: number; recorded: number }) =>
      `the run has ${a.results} results, but the journal has ${a.recorded}`,
  },
  hint: 'run `vsmmu batch resume`, and report this as a bug',
  meaning: 'a batch ended without exactly one result for each domain; it can be resumed',
  why: `A run ends only when every domain has exactly one result and the journal contains it. Here a result is missing or
    unexpected, for example because a worker thread ran out of memory. The run counts as interrupted, and its backups are
    kept.`,
  remedy: `Resume the run. With --jobs 1 it needs less memory and no worker threads.`,
  example: `vsmmu batch resume --jobs 1`,
});

export const runUnknown = defineCases('run-unknown', {
  severity: 'error',
  messages: {
    named: (a: { run: string; folder: string }) => ({
      message: `there is no run ${a.run} in ${a.folder}`,
      hint: 'see vsmmu batch list',
    }),
    none: (a: { folder: string }) => `there is no run in ${a.folder}`,
    unfinished: (a: { folder: string }) => `no run in ${a.folder} is unfinished`,
    changed: (a: { folder: string }) => `no run in ${a.folder} changed anything`,
    elsewhere: (a: { run: string; folder: string }) =>
      `run ${a.run} wrote its results to ${a.folder}, so there is nothing to roll back`,
  },
  meaning: 'no run has that ID, or no run is eligible',
  why: `The ID of a run is its number and the time when it began, such as 0012-20261123T021500Z. This state folder has no run with
    that ID, or no run that can be resumed or rolled back.`,
  remedy: `List the runs, and check that --state is the folder that they were made with.`,
  example: `vsmmu batch list --state /var/lib/vsmmu`,
});

export const domainGone = define('domain-gone', {
  severity: 'error',
  message: 'the domain no longer exists: it was removed in the meantime',
  meaning: 'a domain was removed during the batch, or after it',
  why: `The run listed the domain. It was undefined, renamed or moved before vsmmu could process or restore it.`,
  remedy: `Nothing needs to be done if that is intended. vsmmu batch rollback --force defines it again from its backup.`,
  example: `vsmmu batch rollback --force vm`,
});

export const readBackDiffers = defineCases('read-back-differs', {
  severity: 'error',
  messages: {
    converted: 'libvirt stored other XML than vsmmu wrote; the former domain was restored',
    restored: 'libvirt stored other XML than that of the former domain',
  },
  meaning: 'libvirt stored other XML than vsmmu wrote, and the stored domain is not converted',
  why: `vsmmu reads each domain again after it has defined it. libvirt drops what it does not know, and the domain that it
    stored here is not a converted one. So vsmmu restored the former XML.`,
  remedy: `Check what this libvirt supports, and whether the result fits its schema.`,
  example: `vsmmu rewrite vm.xml | virt-xml-validate - domain`,
});
