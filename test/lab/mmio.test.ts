import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ControllerIndex } from '../../src/domain/address.js';
import { parseDomain } from '../../src/domain/domain.js';
import { type LocatedDevice, planPciHole64 } from '../../src/plan/mmio.js';
import { DEFAULT_POLICY } from '../../src/policy/policy.js';
import { largeBar, pciDevice } from '../plan/devices.js';
import { bootGuest } from './guest.js';
import { Lab } from './lab.js';

const MIB = 2 ** 20;
const GIB = 2 ** 30;

/** Number of expander buses and ports, and the BARs behind each port, one per function of its slot. */
interface Guest {
  readonly title: string;
  readonly expanderBuses: number;
  readonly ports: number;
  readonly bars: readonly number[];
}

const guests: readonly Guest[] = [
  { title: 'three expander buses with 128 GiB and 32 MiB', expanderBuses: 3, ports: 1, bars: [128 * GIB, 32 * MIB] },
  { title: 'four expander buses with 128 GiB', expanderBuses: 4, ports: 1, bars: [128 * GIB] },
  { title: 'five expander buses with 64 GiB and 32 MiB', expanderBuses: 5, ports: 1, bars: [64 * GIB, 32 * MIB] },
  {
    title: 'two expander buses with three ports of 64 GiB, 1 GiB and 2 MiB',
    expanderBuses: 2,
    ports: 3,
    bars: [64 * GIB, GIB, 2 * MIB],
  },
];

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

describe('all BARs fit into the planned pcihole64', () => {
  it.for(guests.map((guest) => [guest.title, guest] as const))('%s', async ([, guest], { task }) => {
    const view = await bootGuest(lab, machine(guest));
    task.meta.lab = { booted: 1 };
    expect(view.unplaced).toEqual([]);
  });
});

/** The window of the plan for such a guest, in KiB; the default if the plan has none. */
function windowOf({ expanderBuses, ports, bars }: Guest): number {
  const devices: LocatedDevice[] = [];
  for (let expanderBus = 0; expanderBus < expanderBuses; expanderBus++) {
    for (let port = 0; port < ports; port++) {
      const bus = (100 + expanderBus * ports + port) as ControllerIndex;
      for (const [fn, size] of bars.entries()) {
        const address = { bus, slot: 0, function: fn };
        devices.push({
          device: pciDevice({ bars: [largeBar(size)] }),
          address,
          root: (1 + expanderBus) as ControllerIndex,
          placed: true,
        });
      }
    }
  }
  const domain = parseDomain('<domain/>');
  return planPciHole64({ domain, expanderBuses: [], devices, policy: DEFAULT_POLICY }).change?.after ?? 512 * MIB;
}

function machine(guest: Guest): string[] {
  const words = [`-M virt,gic-version=3,acpi=on,highmem-mmio-size=${windowOf(guest)}K -cpu cortex-a72 -m 1G`];
  let chassis = 0;
  for (let expanderBus = 0; expanderBus < guest.expanderBuses; expanderBus++) {
    words.push(`-device pxb-pcie,id=p${expanderBus},bus_nr=${100 + 20 * expanderBus},bus=pcie.0`);
    for (let port = 0; port < guest.ports; port++) {
      const id = `r${++chassis}`;
      words.push(`-device pcie-root-port,id=${id},bus=p${expanderBus},chassis=${chassis}`);
      for (const [fn, size] of guest.bars.entries()) {
        const many = fn === 0 && guest.bars.length > 1 ? ',multifunction=on' : '';
        words.push(`-device pci-testdev,membar=${size},bus=${id},addr=0.${fn}${many}`);
      }
    }
  }
  // An emulated device uses the same space.
  words.push('-device pcie-root-port,id=virtio,bus=pcie.0,chassis=99 -device virtio-rng-pci,bus=virtio');
  return words.join(' ').split(' ');
}
