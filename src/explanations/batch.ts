import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** Many domains at once: runs, their journals and backups. */
export const batch = {
  'host-unknown': {
    why: `With --topology-map every domain has to have a host: by its file's path below the folder, by its name, or by *. This one
      has none.`,
    remedy: `Name its host, or one for all that are not named.`,
    example: `{
  "db/postgres-1.xml": "hosts/rack1.json",
  "web-7": "hosts/rack2.json",
  "*": "hosts/rack3.json"
}`,
  },
  'topology-map-invalid': {
    why: `The file of --topology-map is a JSON object: a domain's file or name, or *, and for each the file of a topology, relative
      to the map's own folder.`,
    remedy: `Mend what the message names.`,
    example: `{ "*": "host.json" }`,
  },
  'ssh-failed': {
    why: `With --ssh-topology "vsmmu topology --json" is run on the host that the libvirt URI names. ssh could not get there
      without a password, or vsmmu is not there.`,
    remedy: `Mend what ssh says, or take the snapshot by hand.`,
    example: `ssh root@host1 vsmmu topology --json > host1.json
vsmmu batch convert --connect qemu+ssh://root@host1/system --topology host1.json --all`,
  },
  'state-unwritable': {
    why: `What is about to be done is written down before it is done, and the XML of before is kept. Where that cannot be written
      (the disk is full, the folder is not yours) a domain is left as it is.`,
    remedy: `Make room, or give another folder with --state; vsmmu batch prune removes old runs.`,
    example: `df -h /var/lib/vsmmu
vsmmu batch prune --keep 3`,
  },
  'state-locked': {
    why: `Two batches that change the same domains at the same time would undo each other's work. So only one at a time uses a state
      folder, and only one at a time writes to a folder of files. A folder inside that folder has a lock of its own: a file that
      two such batches would change stays as the first one leaves it, and the second one reports domain-edited. The lock
      ends with its process, however that ends.`,
    remedy: `Wait until the other batch has ended. Without --wait, vsmmu waits as long as it takes.`,
    example: `vsmmu batch convert --apply --all --wait 600`,
  },
  'journal-invalid': {
    why: `A journal is lines of JSON as schemas/journal.schema.json has them. Only its last line may be torn: that is what a power
      cut leaves. This line was changed by somebody, or the disk lost it.`,
    remedy: `Look at the line. The XML of before of every changed domain is in the folder "backup" beside the journal.`,
    example: `ls /var/lib/vsmmu/runs/0012-20261123T021500Z/backup`,
  },
  'backup-damaged': {
    why: `The journal has the digest of what was kept, and the file has another: somebody changed it, or the disk did. It is not
      put in the place of a domain.`,
    remedy: `Take it from a backup of your own; vsmmu revert takes out of the domain what was put in.`,
    example: `virsh dumpxml --inactive --security-info vm | vsmmu revert > vm.xml`,
  },
  'run-incomplete': {
    why: `A run ends only when every domain has exactly one result and the journal contains it. Here a result is missing or came
      twice, for example because a worker thread ran out of memory. The run counts as interrupted, and its backups are kept.`,
    remedy: `Resume the run. With --jobs 1 it needs less memory and no worker threads.`,
    example: `vsmmu batch resume --jobs 1`,
  },
  'run-unknown': {
    why: `The name of a run is its number and when it began, such as 0012-20261123T021500Z. This state folder has no run of that
      name, or no run that can be resumed or rolled back.`,
    remedy: `See what runs there are, and whether --state is the folder that they were made with.`,
    example: `vsmmu batch list --state /var/lib/vsmmu`,
  },
  'domain-gone': {
    why: `The domain was there when the run looked, and was undefined, renamed or moved before its turn came, or before it was to
      be given back.`,
    remedy: `Nothing, if that was meant. vsmmu batch rollback --force defines it again from its backup.`,
    example: `vsmmu batch rollback --force vm`,
  },
  'read-back-differs': {
    why: `After a domain was defined it was read again, and is not what was given: libvirt drops what it does not know. What it
      has now would not be converted, so the XML of before was put back.`,
    remedy: `See what this libvirt can say, and whether the result fits its schema.`,
    example: `vsmmu rewrite vm.xml | virt-xml-validate - domain`,
  },
} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
