/**
 * The programs of a guest: Debian's arm64 kernel, busybox and lspci, fetched by apt (which checks their signatures) and
 * unpacked in the root's /srv/guest. None of them is installed.
 */

/**
 * Folder in the root with `vmlinuz`, `tree/` and `agent/` (the unpacked packages) and `modules/` (in the order to load
 * them).
 */
export const guestFolder = '/srv/guest';

/** Its dependencies contain the packages of the kernel. The name of the package with the image differs between releases. */
const kernelPackage = 'linux-image-arm64:arm64';
const kernelPart = /^linux-(image|binary|modules)-\S+:arm64$/;

const programs = [
  'busybox-static:arm64',
  'pciutils:arm64',
  'libpci3:arm64',
  'libkmod2:arm64',
  'libc6:arm64',
  'zlib1g:arm64',
  'libzstd1:arm64',
  'liblzma5:arm64',
  'libudev1:arm64',
  'libssl3t64:arm64',
  'libgcc-s1:arm64',
  'pci.ids',
];

/** The guest agent, with the libraries that the programs do not need. */
const agentPackages = ['qemu-guest-agent', 'libglib2.0-0t64', 'libpcre2-8-0', 'liburing2', 'libnuma1', 'libatomic1'];

/** Drivers that a described host loads; the guest's consoles, PCI and SMMUv3 are built into Debian's kernel. */
const drivers = ['vfio-pci', 'igb', 'nvme', 'e1000e', 'e1000'];

/** Everything that determines the content of the folder. */
export const guestRecipe = { kernelPackage, programs, agentPackages, drivers };

/** Fetches and unpacks everything; `step` runs a program in the root, `output` also returns its standard output. */
export async function fetchGuest(
  step: (argv: readonly string[]) => Promise<void>,
  output: (argv: readonly string[]) => Promise<string>,
): Promise<void> {
  const only = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((kind) => `--no-${kind}`);
  const chain = await output(['apt-cache', 'depends', '--recurse', ...only, kernelPackage]);
  const kernel = [...new Set(chain.split('\n').map((line) => line.trim()))].filter((name) => kernelPart.test(name));
  const fetched = `${guestFolder}/fetched`;
  await step([
    'mkdir',
    '-p',
    fetched,
    `${guestFolder}/tree`,
    `${guestFolder}/agent`,
    `${guestFolder}/kernel`,
    `${guestFolder}/modules`,
  ]);
  const download = ['apt-get', '-o', 'APT::Sandbox::User=root', 'download'];
  const agent = agentPackages.map((name) => `${name}:arm64`);
  await step(['env', '-C', fetched, ...download, ...kernel, ...programs, ...agent]);
  for (const file of (await output(['find', fetched, '-name', '*.deb'])).trim().split('\n')) {
    const name = file.slice(fetched.length + 1).replace(/_.*/, '');
    const target = name.startsWith('linux-') ? 'kernel' : agentPackages.includes(name) ? 'agent' : 'tree';
    await step(['dpkg-deb', '--extract', file, `${guestFolder}/${target}`]);
  }
  const image = (await output(['find', `${guestFolder}/kernel`, '-name', 'vmlinuz*'])).trim();
  await step(['cp', image, `${guestFolder}/vmlinuz`]);
  await unpackModules(step, output);
  await step(['rm', '-r', fetched, `${guestFolder}/kernel`]);
}

/** Puts the drivers' modules and those they depend on, uncompressed, into `modules/`, named in the order to load them. */
async function unpackModules(
  step: (argv: readonly string[]) => Promise<void>,
  output: (argv: readonly string[]) => Promise<string>,
): Promise<void> {
  const base = `${guestFolder}/kernel/usr`;
  const version = (await output(['ls', `${base}/lib/modules`])).trim();
  await step(['depmod', '--basedir', base, version]);
  const show = ['modprobe', '--dirname', base, '--set-version', version, '--show-depends', '--all', '--ignore-install'];
  const order = new Set(
    [...(await output([...show, ...drivers])).matchAll(/^insmod (\S+)/gm)].map((match) => match[1]),
  );
  let number = 0;
  for (const file of order) {
    const name = file?.split('/').at(-1)?.replace(/\.xz$/, '');
    const target = `${guestFolder}/modules/${String(number++).padStart(2, '0')}-${name}`;
    await step(['sh', '-c', 'xz --decompress --stdout "$1" >"$2"', 'sh', file ?? '', target]);
  }
}
