/**
 * The kernel of host and guests: Debian's unpatched source, with IOMMUFD, nested SMMUs and VFIO, which Debian's arm64 kernel
 * lacks, and without modules.
 */
import { readFileSync } from 'node:fs';
import { copyFile, readFile, rename, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { LabError } from '../lab/process.js';
import { type Workshop, workshopRecipe } from './workshop.js';

const config = readFileSync(fileURLToPath(new URL('./kernel.config', import.meta.url)), 'utf8');

/** The environment of the compiler. It makes the build reproducible. */
const environment = [
  'ARCH=arm64',
  'CROSS_COMPILE=aarch64-linux-gnu-',
  'KBUILD_BUILD_TIMESTAMP=@0',
  'KBUILD_BUILD_USER=lab',
  'KBUILD_BUILD_HOST=lab',
];

export const kernelRecipe = { source: 'linux-source', config, environment, workshop: workshopRecipe };

/** The number of lines that make prints for this configuration (Linux 7.2), for the progress report only. */
const usualLines = 1870;

/** Compiles the kernel into the file `target`: 12 minutes on two idle cores. Throws LabError. */
export async function makeKernel(workshop: Workshop, target: string, say: (line: string) => void): Promise<void> {
  await workshop.fetch(['apt-get', 'install', '--yes', '--no-install-recommends', kernelRecipe.source]);
  await workshop.script('mkdir /build; tar xf /usr/src/linux-source-*.tar.xz -C /build --strip-components=1');
  await writeFile(workshop.shared('kernel.config'), config);
  const make = ['env', '-C', '/build', ...environment, 'make'];
  await workshop.step([...make, 'KCONFIG_ALLCONFIG=/mnt/kernel.config', 'allnoconfig']);
  await requireConfig(workshop);
  say(`compiling Linux, about 12 minutes on two idle cores; the log is ${workshop.log}`);
  const log = workshop.shared('kernel.log');
  const watch = setInterval(() => {
    void readFile(log, 'utf8').then((text) => {
      const done = Math.min(99, Math.floor((100 * text.split('\n').length) / usualLines));
      say(`compiling Linux: ${done} %`);
    });
  }, 60_000);
  try {
    await workshop.script('exec "$@" >/mnt/kernel.log 2>&1', ...make, '-j', '2', 'Image');
  } finally {
    clearInterval(watch);
    await copyFile(log, workshop.log);
  }
  await workshop.step(['cp', '/build/arch/arm64/boot/Image', '/mnt/Image']);
  await rename(workshop.shared('Image'), target);
}

/** Checks that the configuration has every line of kernel.config: kconfig silently drops options with missing dependencies. */
async function requireConfig(workshop: Workshop): Promise<void> {
  const made = new Set((await workshop.jail.output(['cat', '/build/.config'])).split('\n'));
  const wanted = config.split('\n').filter((line) => line.endsWith('=y'));
  const missing = wanted.filter((line) => !made.has(line));
  if (missing.length > 0) throw new LabError(`this Linux cannot be configured with ${missing.join(', ')}`);
}
