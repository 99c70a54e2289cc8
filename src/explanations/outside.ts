import type { LEGACY } from '../diagnostics/legacy.js';
import type { Explanation } from '../explanations.js';

/** Policy, command line, files and the host. */
export const outside = {
  'policy-invalid': {
    why: `A key or a value of the policy is none that there is. Nothing is guessed: a misspelt key that is passed over would be
      a policy that silently does not hold.`,
    remedy: `Mend what the message names. An editor shows what there is where the file names the schema.`,
    example: `{
  "$schema": "./schemas/policy.schema.json",
  "sparePorts": 2,
  "bypass": ["0006:01:00.0"]
}`,
  },
  usage: {
    why: `A command or an option is misspelt, lacks its value, or goes badly with another. After -- everything is a name of a
      file or a domain, whatever it looks like.`,
    remedy: `See what the command takes.`,
    example: `vsmmu rewrite --help
vsmmu rewrite --diff -- --odd-name.xml`,
  },
  'file-unreadable': {
    why: `The system refuses it: the file is not there, is a folder, or its mode keeps you out.`,
    remedy: `See the path and its mode. A relative path is relative to where you are.`,
    example: `namei -l vm.xml`,
  },
  'file-unwritable': {
    why: `The system refuses it: the folder is not there or not yours, or the disk is full. A file is written in one step, as
      a new one that takes the place of the old, so the folder must be writable, not the file alone. A symbolic link of
      another user is followed only to files of that user: it could lead to any file of the system.`,
    remedy: `Check the folder's mode and the free space, or name the file that the link leads to. The old file is as it was.`,
    example: `namei -l vm.xml
df -h .`,
  },
  'attributes-lost': {
    why: `The file was replaced by a new one. Only root can give a file to another user. For access control lists and extended
      attributes the file system must have them, and cp of the GNU coreutils must be installed.`,
    remedy: `Set them again, or run vsmmu as root.`,
    example: `sudo vsmmu rewrite --in-place vm.xml`,
  },
  'backup-numbered': {
    why: `--backup never overwrites a backup: the first one has the content from before the first change.`,
    remedy: `Remove the backups that you do not need any more.`,
    example: `ls vm.xml.orig*`,
  },
  'topology-invalid': {
    why: `The snapshot is cut off, or was changed by hand into one of a host that cannot be: a device behind an SMMU that is
      not there, a bridge below itself.`,
    remedy: `Take it anew on the host; the message names the place in it.`,
    example: `vsmmu topology --json > host.json`,
  },
  'target-unknown': {
    why: `"here" asks the libvirt and the QEMU of this machine what they can say, by libvirt's schema and by QEMU's own help, and
      one of them is not installed.`,
    remedy: `Install it (Debian: libvirt-common, qemu-system-arm), or give the version that the domain is for.`,
    example: `vsmmu rewrite --libvirt 12.8 --qemu 11.1 vm.xml`,
  },
  'libvirt-too-old': {
    why: `A file is converted for current libvirt and QEMU. The schema of the libvirt on this machine lacks accel and pciBus of a
      vSMMU (libvirt 12.7), or iommufd of a host device (12.1). virsh define drops what it does not know, unless it is
      given --validate, and the guest then has vSMMUs without acceleration, or none.`,
    remedy: `Define the domain on a host with a newer libvirt. --validate makes an older one refuse it. With
      --libvirt VERSION the domain is for that version, and the installed one is not looked at; VSMMU_LIBVIRT_SCHEMAS names
      another folder of schemas than /usr/share/libvirt/schemas.`,
    example: `vsmmu rewrite --libvirt 12.8 vm.xml > new.xml
virsh define --validate new.xml`,
  },
  'sysfs-invalid': {
    why: `The folder given with --sysfs has no bus/pci/devices below it, as /sys and copies of it have.`,
    remedy: `Give the folder that "bus" is in. A copy has to have the links as links.`,
    example: `vsmmu topology --sysfs ./copy/sys`,
  },
  'sysfs-unreadable': {
    why: `A file of sysfs could not be read, or does not hold what the kernel puts there. What goes away while it is read is no
      error; this is something else: the mode of a copy, or a link that leads out of it.`,
    remedy: `See the file that is named. Run as root where only root may read it.`,
    example: `ls -l /sys/class/iommu/`,
  },
} as const satisfies Partial<Record<keyof typeof LEGACY, Explanation>>;
