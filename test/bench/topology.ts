/**
 * Measures `vsmmu topology` for 10 000 PCI functions, as a ratio to a loop that only reads the same files: `npm run bench`. Both
 * run alternately, in this process and as processes of their own. The fastest run of each counts.
 */
import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
// The built library, because code that tsx runs from the sources is slower.
import { scanHost } from 'vsmmu';

const FUNCTIONS = 10_000;
const RUNS = 7;

// A file system in memory is most similar to sysfs.
const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'vsmmu-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0');
const EMPTY = '0x0000000000000000 0x0000000000000000 0x0000000000000000\n';

/** Writes the files of sysfs for a function and its IOMMU group. Returns the paths that a scan reads. */
function writeFunction(index: number): { readonly files: readonly string[]; readonly links: readonly string[] } {
  const bdf = `${hex(index >> 11, 4)}:${hex((index >> 3) & 255, 2)}:00.${index & 7}`;
  const device = join(folder, 'devices', `pci${bdf.slice(0, 7)}`, bdf);
  const group = join(folder, 'kernel/iommu_groups', String(index));
  for (const each of [device, group]) mkdirSync(each, { recursive: true });
  const bar = `0x${hex(0x1000_0000 + index * 0x1000, 16)} 0x${hex(0x1000_0fff + index * 0x1000, 16)} 0x000000000014220c\n`;
  const files = {
    class: '0x020000\n',
    vendor: '0x15b3\n',
    device: '0x1021\n',
    resource: bar + EMPTY.repeat(16),
    numa_node: '0\n',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(device, name), content);
  const regions = '0x0000000008000000 0x00000000080fffff msi\n';
  writeFileSync(join(group, 'reserved_regions'), regions);
  const links = {
    driver: '../../../bus/pci/drivers/vfio-pci',
    iommu: '../../virtual/iommu/smmu3.0x000000000c000000',
    iommu_group: `../../../kernel/iommu_groups/${index}`,
  };
  for (const [name, target] of Object.entries(links)) symlinkSync(target, join(device, name));
  const entry = join(folder, 'bus/pci/devices', bdf);
  symlinkSync(`../../../devices/pci${bdf.slice(0, 7)}/${bdf}`, entry);
  return {
    files: [...Object.keys(files).map((name) => join(device, name)), join(group, 'reserved_regions')],
    links: [entry, ...Object.keys(links).map((name) => join(device, name))],
  };
}

mkdirSync(join(folder, 'bus/pci/devices'), { recursive: true });
const paths = Array.from({ length: FUNCTIONS }, (_, i) => writeFunction(i));

/** Returns the CPU time of a call, in milliseconds. */
function time(call: () => void): number {
  const start = process.cpuUsage();
  call();
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1000;
}

/** Reports the CPU time of its process on standard error when the process ends, in milliseconds. */
const teller = join(folder, 'time.cjs');
writeFileSync(
  teller,
  "process.on('exit', () => { const { user, system } = process.cpuUsage(); process._rawDebug((user + system) / 1000); });",
);

/** Returns the CPU time of a Node process with these arguments, in milliseconds. */
function timeOf(args: readonly string[]): number {
  const { stderr } = spawnSync(process.execPath, ['-r', teller, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  return Number(String(stderr).trim().split('\n').at(-1));
}

/** Runs two measurements alternately and prints the ratio of the fastest runs. */
function show(what: string, ours: () => number, bare: () => number): void {
  let [least, leastBare] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let run = 0; run < RUNS; run++) {
    leastBare = Math.min(leastBare, bare());
    least = Math.min(least, ours());
  }
  process.stdout.write(`${what.padEnd(76)} ${(least / leastBare).toFixed(2)} (reach 1.5)\n`);
}

show(
  `scan of ${FUNCTIONS} functions / a loop that reads the same files`,
  () => {
    return time(() => {
      if (scanHost(folder).endpoints.length !== FUNCTIONS) throw new Error('the scan is incomplete');
    });
  },
  () => {
    return time(() => {
      for (const { files, links } of paths) {
        for (const file of files) readFileSync(file, 'utf8');
        for (const link of links) readlinkSync(link);
      }
    });
  },
);

const list = join(folder, 'paths.json');
writeFileSync(list, JSON.stringify(paths));
const loop = join(folder, 'loop.mjs');
writeFileSync(
  loop,
  `import { readFileSync, readlinkSync } from 'node:fs';
for (const { files, links } of JSON.parse(readFileSync(${JSON.stringify(list)}, 'utf8'))) {
  for (const file of files) readFileSync(file, 'utf8');
  for (const link of links) readlinkSync(link);
}`,
);
const vsmmu = fileURLToPath(new URL('../../bin/vsmmu', import.meta.url));
show(
  `whole process: topology --json of ${FUNCTIONS} functions / the same loop`,
  () => timeOf([vsmmu, 'topology', '--json', '--sysfs', folder]),
  () => timeOf([loop]),
);
