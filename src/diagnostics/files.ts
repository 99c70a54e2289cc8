import { define, defineCases } from './diagnostic.js';

export const fileUnreadable = defineCases('file-unreadable', {
  severity: 'error',
  messages: {
    /** The error of the operating system, in words. */
    system: (a: { error: string }) => a.error,
    tooLarge: 'the file has more than 16 MiB',
    notRegular: 'the file is not a regular file',
  },
  meaning: 'a file cannot be read',
  why: `The file does not exist, is a folder, or its mode does not allow reading.`,
  remedy: `Check the path and the mode. A relative path starts at the current folder.`,
  example: `namei -l vm.xml`,
});

export const fileUnwritable = defineCases('file-unwritable', {
  severity: 'error',
  messages: {
    /** The error of the operating system, in words. */
    system: (a: { error: string }) => a.error,
    links: 'too many symbolic links',
    foreignLink: (a: { linkOwner: number; owner: number }) => ({
      message: `a symbolic link of user ${a.linkOwner} leads to a file or folder of user ${a.owner}`,
      hint: 'give the path that it leads to',
    }),
  },
  meaning: 'a file cannot be written',
  why: `The folder does not exist or is not writable, or the disk is full. vsmmu writes a new file and moves it over the old one,
    so the folder must be writable, not only the file. It follows a symbolic link of another user only to files of that user,
    because the link could lead to any file of the system.`,
  remedy: `Check the folder's mode and the free space, or name the file that the link leads to. The old file is unchanged.`,
  example: `namei -l vm.xml
df -h .`,
});

export const attributesLost = define('attributes-lost', {
  severity: 'warning',
  message: (a: { lost: readonly string[] }) => `the new file does not keep: ${a.lost.join('; ')}`,
  hint: 'set them again',
  meaning: 'a file was replaced, and its owner, access control list or extended attributes could not be kept',
  why: `A new file replaced the old one. Only root can give a file to another user. Access control lists and extended attributes
    need a file system that has them, and cp of the GNU coreutils.`,
  remedy: `Set them again, or run vsmmu as root.`,
  example: `sudo vsmmu rewrite --in-place vm.xml`,
});

export const backupNumbered = define('backup-numbered', {
  severity: 'note',
  message: (a: { backup: string; existing: string }) =>
    `the former content is kept in ${a.backup}, because ${a.existing} exists`,
  meaning: 'a backup of that name already exists, so the new one has a number',
  why: `--backup never overwrites a file, so the first backup keeps the content from before the first change.`,
  remedy: `Remove the backups that you no longer need.`,
  example: `ls vm.xml.orig*`,
});

export const sysfsInvalid = define('sysfs-invalid', {
  severity: 'error',
  message: (a: { missing: string }) => `the folder has no ${a.missing}, so it is not a /sys`,
  hint: 'give the folder that contains bus/pci',
  meaning: 'the folder given with `--sysfs` is not a /sys',
  why: `The folder given with --sysfs has no bus/pci/devices below it, as /sys and copies of it have.`,
  remedy: `Give the folder that contains "bus". A copy must keep symbolic links as links.`,
  example: `vsmmu topology --sysfs ./copy/sys`,
});

export const sysfsUnreadable = defineCases('sysfs-unreadable', {
  severity: 'error',
  messages: {
    notA: (a: { expected: string }) => `it is not ${a.expected}`,
    barLine: 'it has a line that is not `start end flags`',
    missing: (a: { name: string }) => `it has no ${a.name}`,
    distances: (a: { nodes: number }) => `it does not have a distance for each of ${a.nodes} nodes`,
    belowItself: 'the device is below itself',
    tooLarge: 'it is larger than any attribute of sysfs',
    outside: (a: { target: string }) => `the link leads out of the tree, to ${a.target}`,
    /** The error of the operating system, in words. */
    system: (a: { error: string }) => `it cannot be read: ${a.error}`,
  },
  meaning: 'a file of sysfs could not be read or understood',
  why: `A file of sysfs could not be read, or does not contain what the kernel writes there. vsmmu ignores
    files that disappear while it reads. Other causes are the mode of a copy, or a link that leads out of it.`,
  remedy: `Check the file that is named. Run vsmmu as root if only root may read it.`,
  example: `ls -l /sys/class/iommu/`,
});
