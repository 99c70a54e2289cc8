/**
 * The host's disk: Debian's arm64 libvirt and QEMU, Node for the lab's agent, and their dependencies. The packages are
 * unpacked, not installed, because this computer cannot run their arm64 programs.
 */
import { readFileSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { configFiles } from '../lab/config.js';
import { type Workshop, workshopRecipe } from './workshop.js';

const packages = [
  ...['libvirt-daemon', 'libvirt-daemon-driver-qemu', 'libvirt-clients', 'libvirt-common'],
  ...['qemu-system-arm', 'qemu-utils', 'qemu-efi-aarch64', 'nodejs'],
  ...[
    'base-files',
    'base-passwd',
    'bash',
    'dash',
    'libc-bin',
    'coreutils',
    'grep',
    'sed',
    'mount',
    'util-linux',
    'hostname',
    'less',
  ],
  ...['iproute2', 'busybox-static', 'pciutils', 'dpkg', 'diffutils', 'tar'],
];

/** Files of these packages that the host does not need. */
const left = [
  ...['./usr/share/doc/*', './usr/share/man/*', './usr/share/locale/*', './usr/bin/qemu-system-arm'],
  // Firmware with Secure Boot, and its descriptions for libvirt.
  ...['./usr/share/qemu/firmware/40-*', './usr/share/qemu/firmware/50-*'],
  ...['./usr/share/AAVMF/*.ms.fd', './usr/share/AAVMF/*.secboot*.fd', './usr/share/AAVMF/*.snakeoil.fd'],
];

const hostFile = (name: string): string =>
  readFileSync(fileURLToPath(new URL(`./host/${name}`, import.meta.url)), 'utf8');

/** Path in the image → content. Files that can change with every commit are in /share instead. */
const files: Readonly<Record<string, string>> = {
  ...configFiles,
  '/etc/inittab': hostFile('inittab'),
  '/etc/rc': hostFile('rc'),
};

/** Links to programs of the image. */
const links: Readonly<Record<string, string>> = {
  '/usr/sbin/init': '/usr/bin/busybox',
  '/usr/bin/sh': 'dash',
  '/usr/local/bin/vsmmu': '/opt/vsmmu/bin/vsmmu',
};

/** Run in the image's root, instead of the packages' installation scripts: libvirtd needs its users. */
const setUp = `
mkdir -p proc sys dev run tmp share opt usr/local/bin etc/libvirt var/lib/dpkg/info var/lib/dpkg/updates
sed 's/^root:[*]:/root::/' usr/share/base-passwd/passwd.master >etc/passwd
cp usr/share/base-passwd/group.master etc/group
echo 'libvirt-qemu:x:64055:994::/var/lib/libvirt:/usr/sbin/nologin' >>etc/passwd
printf '%s\\n' kvm:x:994: libvirt-qemu:x:64055: libvirt:x:993: >>etc/group
rm -rf var/run; ln -s /run var/run
`;

/** dpkg's list of installed packages. */
const status = `for package in /image/archives/*.deb; do
  dpkg-deb --field "$package"
  printf 'Status: install ok installed\\n\\n'
done >var/lib/dpkg/status
`;

export const imageRecipe = { packages, left, files, links, setUp, status, size: '1G', workshop: workshopRecipe };

const tree = '/image/tree';

/** Makes the disk in the file `target`: an ext4 file system of 1 GiB, a third of it used. Throws LabError. */
export async function makeImage(workshop: Workshop, target: string, say: (line: string) => void): Promise<void> {
  say("making the host's disk: Debian's arm64 libvirt, QEMU and Node");
  await workshop.step(['mkdir', '-p', tree, '/image/archives/partial']);
  await workshop.step(['touch', '/image/status']);
  // This apt resolves dependencies for an arm64 computer without installed packages.
  const asArm = ['APT::Architecture=arm64', 'APT::Architectures::=arm64', 'Dir::State::status=/image/status'];
  const elsewhere = [...asArm, 'Dir::Cache::archives=/image/archives'].flatMap((option) => ['-o', option]);
  const only = ['--download-only', '--yes', '--no-install-recommends'];
  await workshop.fetch(['apt-get', ...elsewhere, 'install', ...only, ...packages]);
  // base-files is first: it has the links from /bin to /usr/bin, which paths of other packages contain.
  await workshop.script(
    `for package in /image/archives/base-files_*.deb /image/archives/*.deb; do
       dpkg-deb --fsys-tarfile "$package" | tar x -C ${tree} --keep-directory-symlink "$@"
     done`,
    ...left.map((pattern) => `--exclude=${pattern}`),
  );
  await workshop.script(`cd ${tree}\n${setUp}${status}`);
  for (const [path, content] of Object.entries(files)) await workshop.jail.put(`${tree}${path}`, content);
  await workshop.step(['chmod', '755', `${tree}/etc/rc`]);
  for (const [path, to] of Object.entries(links)) await workshop.step(['ln', '-sf', to, `${tree}${path}`]);
  await workshop.step(['truncate', '-s', imageRecipe.size, '/mnt/disk']);
  await workshop.step(['mke2fs', '-q', '-t', 'ext4', '-O', '^has_journal', '-d', tree, '/mnt/disk']);
  await rename(workshop.shared('disk'), target);
}
