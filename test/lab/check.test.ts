import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asTcg } from './domain.js';
import { emulatedMachine } from './emulated.js';
import { bootGuest, refusal } from './guest.js';
import { Lab } from './lab.js';
import { commandLine, definedAs } from './trial.js';

/**
 * Tests the errors of `vsmmu check` with libvirt, QEMU and a guest: each broken sample is refused or its guest fails,
 * and the corrected sample is accepted. Errors that need acceleration cannot be tested here.
 */
let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(() => lab[Symbol.asyncDispose]());

type Kind = 'broken' | 'mended';

function sample(kind: Kind, name: string): string {
  return asTcg(readFileSync(fileURLToPath(new URL(`../../samples/${kind}/${name}.xml`, import.meta.url)), 'utf8'));
}

/** The message of a refusal, or the result of the step. */
async function outcome<T>(step: Promise<T>): Promise<T | string> {
  return await step.catch((error: Error) => error.message);
}

async function machineOf(kind: Kind, name: string): Promise<string[]> {
  const { options } = await commandLine(lab, await definedAs(lab, sample(kind, name)));
  return emulatedMachine(options);
}

/** Returns `starts`, or the error of QEMU for libvirt's command line without the hardware. */
async function start(kind: Kind, name: string): Promise<string> {
  const console = ['-nodefaults', '-display', 'none', '-S', '-monitor', 'stdio'];
  const argv = ['qemu-system-aarch64', ...console, ...(await machineOf(kind, name))];
  const { code, stderr } = await lab.run(argv, { input: 'quit\n', limitSeconds: 60 });
  return code === 0 ? 'starts' : refusal(stderr);
}

describe('libvirt refuses to define the domain:', () => {
  it.each([
    ['slot-invalid', /slot must be <= 0/],
    ['controller-index-duplicate', /Multiple 'pci' controllers with index '3'/],
    ['guest-address-duplicate', /Attempted double use of PCI Address 0000:01:00\.0/],
    ['host-device-duplicate', /Hostdev already exists/],
    ['numa-cell-missing', /configured for a NUMA node \(2\) not present/],
    ['device-on-expander-bus', /requires a controller that accepts a PCI Express device/],
    ['expander-bus-misplaced', /requires a controller that accepts a pcie-expander-bus/],
    ['alias-duplicate', /non unique alias detected: ua-nvme/],
  ])('%s', async (name, words) => {
    expect(await outcome(definedAs(lab, sample('broken', name)))).toMatch(words);
    expect(await definedAs(lab, sample('mended', name))).toContain(`<name>${name}</name>`);
  });
});

describe('libvirt defines the domain, and cannot start it:', () => {
  it.each([
    ['iommu-conflict-no-controller', /Could not find a suitable controller/],
    ['driver-unsupported', /QEMU does not support device assignment mode 'kvm'/],
  ])('%s', async (name, words) => {
    expect(await outcome(machineOf('broken', name))).toMatch(words);
    expect(await start('mended', name)).toBe('starts');
  });
});

describe('libvirt defines the domain, and QEMU does not start:', () => {
  it.each([
    ['iommu-conflict-same-bus', /An iommu is already attached to this bus/],
    ['iommu-conflict-root-port', /SMMU should be attached to a default PCIe root complex/],
    ['iommu-conflict-machine', /virt machine already has iommu=smmuv3 set/],
    ['iommu-conflict-virtio', /virt machine already has virtio-iommu set/],
    ['vsmmus-exhausted', /Can not fit IRQ line/],
    ['bus-window-too-small-same', /Bus 240 is already in use/],
    ['chassis-duplicate', /Can't add chassis slot, error -16/],
    ['chassis-duplicate-implied', /Can't add chassis slot, error -16/],
    ['initiator-cell-missing', /Specified node 5 is invalid/],
    ['controller-index-order', /Bus 'pci\.9' not found/],
    ['multifunction-off', /single function device can't be populated in function 1\.1/],
    ['pcihole64-off', /highmem-mmio-size is not a power of 2/],
    ['pcihole64-invalid', /highmem-mmio-size is not a power of 2/],
    ['pcihole64-invalid-low', /highmem-mmio-size cannot be set to a lower value than the default/],
  ])('%s', async (name, words) => {
    expect(await start('broken', name)).toMatch(words);
    expect(await start('mended', name)).toBe('starts');
  });
});

// Each boot takes a while on one core.
describe.concurrent('QEMU starts the domain, and the guest fails:', () => {
  it.each(['bus-window-too-small', 'bus-window-too-small-last', 'bus-window-too-small-root'])(
    '%s: its kernel panics',
    async (name) => {
      expect(await outcome(bootGuest(lab, await machineOf('broken', name)))).toMatch(
        /Kernel panic|Unable to handle|Oops/,
      );
      const { devices } = await bootGuest(lab, await machineOf('mended', name));
      expect(devices.length).toBeGreaterThan(0);
    },
  );

  it('slot-without-function-zero: the guest does not see the device', async () => {
    const seen = async (kind: Kind) => {
      const { devices } = await bootGuest(lab, await machineOf(kind, 'slot-without-function-zero'));
      return devices.map(({ bdf }) => bdf).filter((bdf) => bdf.startsWith('0000:fb:'));
    };
    expect(await seen('broken')).toEqual([]);
    expect(await seen('mended')).toEqual(['0000:fb:00.0']);
  });
});

it('spare-port-exposed: libvirt puts an emulated device on a spare port behind a vSMMU', async () => {
  const portOf = async (kind: Kind) => {
    const dump = await definedAs(lab, sample(kind, 'spare-port-exposed'));
    return [...dump.matchAll(/<rng[\s\S]*?bus='(0x\w+)'/g)].map(([, bus]) => Number(bus));
  };
  expect(await portOf('broken')).toEqual([1, 4]);
  expect(await portOf('mended')).toEqual([1, 2]);
});
