/** Facts about bus numbers, ports and windows in a guest: each needs a boot. */
import { bootGuest } from '../guest.js';
import { formatMapping } from '../iort.js';
import type { Lab } from '../lab.js';
import { plugIntoGuest } from '../plug.js';
import { LabError } from '../process.js';
import { type Fact, virt } from './fact.js';

/** Boots with these arguments. Returns the last line of the console of a guest that fails. */
async function panics(lab: Lab, words: string): Promise<string> {
  try {
    await bootGuest(lab, `${virt} -m 1G ${words}`.split(/\s+/));
    return 'boots';
  } catch (error) {
    if (error instanceof LabError) return error.message;
    throw error;
  }
}

const expander = (id: string, busNr: number): string => `-device pxb-pcie,id=${id},bus_nr=${busNr},bus=pcie.0`;
const ports = (bus: string, chassis: readonly number[]): string => {
  return chassis.map((each) => `-device pcie-root-port,id=r${each},bus=${bus},chassis=${each}`).join(' ');
};

const example = [
  '-device e1000e,romfile=,bus=pcie.0,addr=1',
  ...[229, 238, 247].map((busNr) => `${expander(`p${busNr}`, busNr)} -device arm-smmuv3,primary-bus=p${busNr}`),
  `${ports('p238', [1])} -device nvme,serial=a,bus=r1`,
  `${ports('p247', [2])} -device nvme,serial=b,bus=r2`,
].join(' ');

/** A BAR of 64 GiB on pcie.0, behind the given window. */
async function bigBar(lab: Lab, window: string): Promise<string> {
  const words = `-M virt,gic-version=3,highmem-mmio-size=${window} -cpu cortex-a72 -m 1G ${ports('pcie.0', [1])} -device pci-testdev,membar=64G,bus=r1`;
  const { unplaced } = await bootGuest(lab, words.split(' '));
  return unplaced.length === 0 ? 'it has an address' : `no address: ${unplaced.join(', ')}`;
}

/** Three expander buses with a port each and, behind it, BARs of 128 GiB and 32 MiB, in two functions of a slot. */
async function unevenBars(lab: Lab, window: string): Promise<string> {
  const expanderBus = (n: number): string => {
    const bars = ['128G', '32M'].map((size, fn) => {
      return `-device pci-testdev,membar=${size},bus=r${n},addr=0.${fn}${fn === 0 ? ',multifunction=on' : ''}`;
    });
    return [expander(`p${n}`, 200 + 4 * n), ports(`p${n}`, [n]), ...bars].join(' ');
  };
  const machine = `-M virt,gic-version=3,acpi=on,highmem-mmio-size=${window} -cpu cortex-a72 -m 1G`;
  const { unplaced } = await bootGuest(lab, [machine, ...[1, 2, 3].map(expanderBus)].join(' ').split(' '));
  return unplaced.length === 0 ? 'all have addresses' : `no address: ${unplaced.join(', ')}`;
}

/** Boots an expander bus with an empty port with these properties and an NVMe drive in use, and plugs a device into the port. */
async function plugged(lab: Lab, properties: string, device: string): Promise<string> {
  const first = `-device pcie-root-port,id=r1,bus=p,chassis=1${properties}`;
  const disk = '-drive if=none,id=disk,driver=null-co,size=1M -device nvme,serial=a,drive=disk,bus=r3';
  const words = [
    virt,
    '-m 1G',
    expander('p', 200),
    '-device arm-smmuv3,primary-bus=p',
    first,
    ports('p', [2, 3]),
    disk,
  ];
  const { unplaced } = await plugIntoGuest(lab, words.join(' ').split(' '), `${device},bus=r1,id=plugged`);
  return unplaced.length === 0 ? 'all have addresses' : `no address: ${unplaced.join(', ')}`;
}

export const guestFacts: readonly Fact[] = [
  {
    title: 'an expander bus has the number busNr, its ports have the next ones, and pcie.0 is behind no SMMU',
    see: async (lab) => {
      const { devices } = await bootGuest(lab, `${virt} -m 1G ${example}`.split(' '));
      return devices
        .map(({ bdf, smmu }) => `${bdf.slice(5)}${smmu === undefined ? '' : ` ${smmu.slice(-5, -4)}`}`)
        .join(', ');
    },
    expected: '00:00.0, 00:01.0, 00:02.0, 00:03.0, 00:04.0, ee:00.0 2, ef:00.0 2, f7:00.0 4, f8:00.0 4',
  },
  {
    title: 'the IORT maps the buses in use below an expander bus to its SMMU and all others to the ITS',
    see: async (lab) => {
      const { iort } = await bootGuest(lab, `${virt} -m 1G ${example}`.split(' '));
      return (iort?.mappings ?? []).map((mapping) => formatMapping(mapping).replace(/smmu3\.0x0+/, '')).join(', ');
    },
    expected:
      'e500+0ff→c000000, ee00+1ff→c020000, f700+1ff→c040000, 0000+e4ff→ITS, e600+7ff→ITS, f000+6ff→ITS, f900+6ff→ITS',
  },
  {
    title: 'two ports below busNr 254 are one bus too many: the guest panics',
    see: (lab) => panics(lab, `${expander('p', 254)} ${ports('p', [1, 2])}`),
    expected: /Kernel panic|Unable to handle/,
  },
  {
    title: 'three ports below 238 with the next expander bus at 240: the guest panics',
    see: (lab) =>
      panics(lab, `${expander('p', 238)} ${expander('q', 240)} ${ports('p', [1, 2, 3])} ${ports('q', [4])}`),
    expected: /Kernel panic|Unable to handle/,
  },
  {
    title: 'six ports on pcie.0 below a lowest busNr of 4: the guest panics',
    see: (lab) => panics(lab, `${expander('p', 4)} ${ports('pcie.0', [1, 2, 3, 4, 5, 6])} ${ports('p', [7])}`),
    expected: /Kernel panic|Unable to handle/,
  },
  {
    title: 'a window of 8 TiB has room for a 64 GiB BAR',
    see: (lab) => bigBar(lab, '8T'),
    expected: 'it has an address',
  },
  {
    title: 'a window of 16 TiB, beyond the 44 bits of the CPU, has no room for a 64 GiB BAR',
    see: (lab) => bigBar(lab, '16T'),
    expected: /^no address/,
  },
  {
    title: 'a port needs a multiple of its largest BAR: three ports with BARs of 128 GiB and 32 MiB do not fit 512 GiB',
    see: (lab) => unevenBars(lab, '512G'),
    expected: /^no address/,
  },
  {
    title: 'three ports with BARs of 128 GiB and 32 MiB fit 1 TiB',
    see: (lab) => unevenBars(lab, '1T'),
    expected: 'all have addresses',
  },
  {
    title: 'a device plugged into a port without a 64-bit window takes memory from a neighbouring device in use',
    see: (lab) => plugged(lab, '', 'e1000e,romfile='),
    expected: 'no address: 0000:cb:00.0 BAR 0',
  },
  {
    title: 'a port that reserves 1 MiB has room for such a device',
    see: (lab) => plugged(lab, ',pref64-reserve=1M', 'e1000e,romfile='),
    expected: 'all have addresses',
  },
  {
    title: 'a port that reserves 1 MiB has room for a 64-bit prefetchable BAR of 1 MiB',
    see: (lab) => plugged(lab, ',pref64-reserve=1M', 'pci-testdev,membar=1M'),
    expected: 'all have addresses',
  },
  {
    title: 'a port that reserves 64 GiB has room for a BAR of 64 GiB',
    see: (lab) => plugged(lab, ',pref64-reserve=64G', 'pci-testdev,membar=64G'),
    expected: 'all have addresses',
  },
];
