import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderTopology } from '../../../src/cli/render/topology.js';
import { RefusedError } from '../../../src/diagnostics/errors.js';
import { type Bdf, parseBdf } from '../../../src/domain/address.js';
import { valuesBeyondHost } from '../../../src/domain/vsmmu-attributes.js';
import { Host } from '../../../src/host/host.js';
import {
  describeProbe,
  probeableDevice,
  probeDevices,
  refusedRequest,
  withProbes,
} from '../../../src/host/probe/probe.js';
import { decodeRegisters } from '../../../src/host/probe/registers.js';
import type { SystemCalls } from '../../../src/host/probe/system-calls.js';
import { readTopology, serializeTopology } from '../../../src/host/snapshot.js';
import { REPOSITORY, temporaryFolder, vsmmu } from '../../cli/run.js';
import { kernel } from './emulated-smmu.js';

const sample = (name: string) => readTopology(readFileSync(`${REPOSITORY}/samples/hosts/${name}.json`, 'utf8'), name);
const bdf = (text: string) => parseBdf(text) as Bdf;

/** A host with one device behind its SMMU, bound to vfio-pci. */
const small = sample('small');
const DEVICE = bdf('0000:01:00.0');
const SMMU = 'smmu3.0x0000000009050000';

/** The registers of the SMMU that QEMU 11.1 emulates. */
const decoded = decodeRegisters({ idr: [0x0d44101b, 0x02730010, 0, 0x1414, 0, 0x74], iidr: 0, aidr: 1 });
const probe = (changes: Partial<typeof decoded> = {}, refusal?: { request: string; error: string }) =>
  describeProbe(DEVICE, SMMU, { ...decoded, ...changes }, false, refusal);

/** The host with the device bound to this driver. */
function heldBy(driver: string | null, change: object = {}): Host {
  const [device] = small.topology.devices;
  if (!device) throw new Error('the sample has no device');
  return new Host({ ...small.topology, devices: [{ ...device, driver, vfio: false, ...change }] });
}

/** The message and the hint of a refusal to probe. */
function refusal(device: Bdf, host: Host): string {
  try {
    probeableDevice(device, host);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return error.diagnostics.map(({ code, message, hint }) => `${code}: ${message}; ${hint}`).join('\n');
  }
  return 'none';
}

describe('a device to probe through', () => {
  it('may be bound to a variant of vfio-pci', () => {
    expect(probeableDevice(DEVICE, small)).toEqual([small.device(DEVICE), SMMU]);
    expect(refusal(DEVICE, heldBy('nvgrace_gpu_vfio_pci', { vfio: true }))).toBe('none');
  });

  it.each<[title: string, device: Bdf, host: Host, message: RegExp]>([
    ['on the host', bdf('0000:02:00.0'), small, /^device-missing: 0000:02:00\.0 is not on this host; /],
    ['behind an SMMU', DEVICE, heldBy('vfio-pci', { vfio: true, smmu: null }), /^probe-impossible: .* no SMMUv3; /],
    ['not a bridge', DEVICE, heldBy('pcieport', { bridge: true }), /^probe-impossible: .* is a PCI bridge/],
    [
      'bound to vfio-pci',
      DEVICE,
      heldBy('nvme'),
      /^probe-impossible: 0000:01:00\.0 is bound to nvme, not to vfio-pci; .* virsh nodedev-detach pci_0000_01_00_0,/,
    ],
    ['bound at all', DEVICE, heldBy(null), /is bound to no driver, not to vfio-pci/],
  ])('must be %s', (_, device, host, message) => {
    expect(refusal(device, host)).toMatch(message);
  });
});

describe('a request that the kernel refuses', () => {
  it.each([
    ['VFIO_DEVICE_BIND_IOMMUFD', 'EBUSY', '0000:01:00.0 is in use'],
    ['VFIO_DEVICE_BIND_IOMMUFD', 'EINVAL', '0000:01:00.0 is in use'],
    [
      'VFIO_DEVICE_BIND_IOMMUFD',
      'EPERM',
      'another device of IOMMU group 0 of 0000:01:00.0 is in use by a host driver or a guest',
    ],
    ['VFIO_DEVICE_BIND_IOMMUFD', 'ENODEV', 'VFIO_DEVICE_BIND_IOMMUFD failed for 0000:01:00.0: ENODEV'],
    ['IOMMU_GET_HW_INFO', 'ENOTTY', 'the kernel does not show the ID registers of the SMMU of 0000:01:00.0'],
    ['IOMMU_GET_HW_INFO', 'EBUSY', 'IOMMU_GET_HW_INFO failed for 0000:01:00.0: EBUSY'],
    ['IOMMU_IOAS_ALLOC', 'ENOMEM', 'IOMMU_IOAS_ALLOC failed for 0000:01:00.0: ENOMEM'],
  ])('%s with %s ends the probe: %s', (request, error, message) => {
    const [device] = small.topology.devices;
    if (!device) throw new Error('the sample has no device');
    expect(refusedRequest(device, { request, error })).toMatchObject({ code: 'probe-failed', message });
  });

  it.each([
    ['IOMMU_HWPT_ALLOC', 'ENOTSUP', { bothStages: false }, 'it has one stage of translation (IOMMU_HWPT_ALLOC'],
    ['IOMMU_HWPT_ALLOC', 'ENOMEM', {}, 'IOMMU_HWPT_ALLOC fails with ENOMEM'],
    ['IOMMU_VIOMMU_ALLOC', 'ENOTSUP', {}, 'it has no S2FWB, and firmware does not mark its root complex as CANWBS'],
    ['IOMMU_VIOMMU_ALLOC', 'ENOTSUP', { forcedWriteBack: true }, 'IOMMU_VIOMMU_ALLOC fails with ENOTSUP'],
    ['IOMMU_VIOMMU_ALLOC', 'ENOTTY', {}, 'the kernel has no IOMMU_VIOMMU_ALLOC, which Linux 6.13 added'],
  ])('%s with %s is the reason for missing nested translation', (request, error, changes, words) => {
    const { features, notNested = '' } = probe(changes, { request, error });
    expect(features.nesting).toBe(false);
    expect(notNested.slice(0, words.length)).toBe(words);
  });
});

describe('the results of a probe', () => {
  it('replace what the kernel log shows, in the snapshot too', () => {
    const found = withProbes(small, [
      { ...probe({}, { request: 'IOMMU_VIOMMU_ALLOC', error: 'ENOTSUP' }), features: { nesting: false, oas: 48 } },
    ]);
    expect(small.smmu(SMMU)?.features).toMatchObject({ nesting: true, oas: 44, ssidsize: 0 });
    expect(found.smmu(SMMU)?.features).toMatchObject({ nesting: false, oas: 48, ssidsize: 0 });
    expect(readTopology(serializeTopology(found), 'host.json').topology).toEqual(found.topology);
    expect(renderTopology(found)).toContain('no nested translation');
    const values = { accel: 'on', oas: '48' } as const;
    expect(valuesBeyondHost(values, small.smmu(SMMU)?.features).map(({ name }) => name)).toEqual(['oas']);
    expect(valuesBeyondHost(values, found.smmu(SMMU)?.features).map(({ name }) => name)).toEqual(['accel']);
  });

  it('leave other SMMUs as they are', () => {
    const host = sample('gh200');
    const [first, ...others] = host.smmus;
    const found = withProbes(host, [{ ...probe(), smmu: first?.name ?? '' }]);
    expect(found.smmus[0]?.registers).toEqual(decoded.registers);
    expect(found.smmus.slice(1)).toEqual(others);
  });
});

describe('a probe', () => {
  /** A root folder in which a device has its files. */
  function rootWith(...names: readonly string[]): string {
    const root = temporaryFolder();
    for (const name of names) {
      mkdirSync(join(root, dirname(name)), { recursive: true });
      writeFileSync(join(root, name), '');
    }
    return root;
  }
  const IN_SYSFS = `sys/bus/pci/devices/${DEVICE}/vfio-dev/vfio3`;
  const FILE = 'dev/vfio/devices/vfio3';
  const IOMMU = 'dev/iommu';
  const run = (root: string, calls = kernel().calls) => probeDevices([DEVICE], small, calls, root);
  const openFiles = () => readdirSync('/proc/self/fd').length;

  it('reads the registers of the SMMU, tests nested translation, and closes the files again', async () => {
    const { calls, log } = kernel();
    const root = rootWith(IN_SYSFS, FILE, IOMMU);
    const before = openFiles();
    expect(await run(root, calls)).toEqual([
      {
        device: DEVICE,
        smmu: SMMU,
        features: { nesting: true, cmdqv: true, ...decoded.features },
        registers: decoded.registers,
      },
    ]);
    expect(openFiles()).toBe(before);
    expect(log.map((line) => line.split(' ')[1])).toEqual([
      'VFIO_DEVICE_BIND_IOMMUFD',
      'IOMMU_GET_HW_INFO',
      'IOMMU_GET_HW_INFO',
      'IOMMU_IOAS_ALLOC',
      'IOMMU_HWPT_ALLOC',
      'IOMMU_VIOMMU_ALLOC',
    ]);
  });

  it.each<[title: string, root: () => string, calls: SystemCalls | undefined, message: RegExp]>([
    ['the device has no file', () => rootWith(FILE, IOMMU), undefined, /^0000:01:00\.0 has no file in/],
    ['the file is not there', () => rootWith(IN_SYSFS, IOMMU), undefined, /^0000:01:00\.0 has no file in/],
    ['/dev/iommu is not there', () => rootWith(IN_SYSFS, FILE), undefined, /^\/dev\/iommu does not exist$/],
    [
      '/dev/iommu is a folder',
      () => rootWith(IN_SYSFS, FILE, `${IOMMU}/x`),
      undefined,
      /dev\/iommu cannot be opened: it is a folder$/,
    ],
    ['the IOMMU is another one', () => rootWith(IN_SYSFS, FILE, IOMMU), kernel({}, 1).calls, /does not show the ID/],
    [
      'the kernel refuses a request',
      () => rootWith(IN_SYSFS, FILE, IOMMU),
      kernel({ VFIO_DEVICE_BIND_IOMMUFD: 16 }).calls,
      /^0000:01:00\.0 is in use$/,
    ],
  ])('fails if %s', async (_, root, calls, message) => {
    await expect(run(root(), calls)).rejects.toMatchObject({
      diagnostics: [{ code: 'probe-failed', message: expect.stringMatching(message) }],
    });
  });

  it('reports why nested translation does not work', async () => {
    const [found] = await run(rootWith(IN_SYSFS, FILE, IOMMU), kernel({ IOMMU_HWPT_ALLOC: 12 }).calls);
    expect([found?.features.nesting, found?.notNested]).toEqual([false, 'IOMMU_HWPT_ALLOC fails with ENOMEM']);
  });

  it('passes on an error that does not come from the kernel', async () => {
    const calls = {
      ...kernel().calls,
      addressOf: () => {
        throw new TypeError('no address');
      },
    };
    await expect(run(rootWith(IN_SYSFS, FILE, IOMMU), calls)).rejects.toThrow(TypeError);
  });
});

describe('--probe under Node.js', () => {
  it('reports that it needs the standalone executable', async () => {
    await expect(probeDevices([DEVICE], small)).rejects.toMatchObject({
      diagnostics: [{ code: 'probe-failed', message: expect.stringContaining('needs the standalone executable') }],
    });
  });

  it.each([
    [['doctor', '--probe', '1:2'], 2, 'vsmmu: error: usage: --probe takes a PCI address (dddd:bb:ss.f), not 1:2'],
    [['doctor', '--probe', 'ffff:ff:1f.7'], 1, 'vsmmu: error: device-missing: ffff:ff:1f.7 is not on this host'],
    [
      ['topology', '--topology', 'samples/hosts/small.json', '--probe', '0000:01:00.0'],
      2,
      'vsmmu: error: usage: --probe and --topology exclude each other',
    ],
  ])('%j is an error in one line', (args, code, message) => {
    const result = vsmmu(args);
    expect(result.code).toBe(code);
    expect(result.stdout).toBe('');
    expect(result.stderr.split('\n')).toEqual([expect.stringContaining(message), '']);
  });
});
