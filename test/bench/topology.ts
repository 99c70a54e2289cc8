/**
 * Measures `vsmmu topology` for 10 000 PCI functions, as a ratio to a loop that only reads the same files: `npm run bench`. Both run
 * alternately in this process, and the fastest run of each counts.
 */
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

let [scan, bare] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
for (let run = 0; run < RUNS; run++) {
  bare = Math.min(
    bare,
    time(() => {
      for (const { files, links } of paths) {
        for (const file of files) readFileSync(file, 'utf8');
        for (const link of links) readlinkSync(link);
      }
    }),
  );
  scan = Math.min(
    scan,
    time(() => {
      if (scanHost(folder).endpoints.length !== FUNCTIONS) throw new Error('the scan is incomplete');
    }),
  );
}
process.stdout.write(
  `topology of ${FUNCTIONS} functions / a loop that reads the same files  ${(scan / bare).toFixed(2)} (goal 1.5)\n`,
);
