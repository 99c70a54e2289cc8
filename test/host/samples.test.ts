import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { validate as isPolicy } from '../../src/generated/policy.validate.js';
import { scanHost } from '../../src/host/scan.js';
import { readTopology } from '../../src/host/snapshot.js';
import { bdf, unpackHost } from './fixture.js';

const SAMPLES = new URL('../../samples/', import.meta.url);
const list = (folder: string) => readdirSync(new URL(folder, SAMPLES));
const read = (path: string) => readFileSync(new URL(path, SAMPLES), 'utf8');
const host = (name: string) => readTopology(read(`hosts/${name}`), name);

/** The host that each domain with host devices is for. */
const HOST_OF: Readonly<Record<string, string>> = {
  'altra-vm.xml': 'altra.json',
  'arm-server-vm.xml': 'arm-server.json',
  'dense-vm.xml': 'dense.json',
  'gb10-gpu-vm.xml': 'gb10.json',
  'gb10-nic-vm.xml': 'gb10.json',
  'gb200-cx8-vm.xml': 'gb200-cx8.json',
  'gb200-vm.xml': 'gb200.json',
  'gh200-vm.xml': 'gh200.json',
  'kunpeng-vm.xml': 'kunpeng.json',
  'ml-train.xml': 'host-a.json',
  'qemu-series.xml': 'three-smmus.json',
  'x86-vm.xml': 'x86.json',
};

/** The host addresses in a domain that libvirt printed, in its order. */
function sources(xml: string): string[] {
  const address =
    /<source>\s*<address(?: type='pci')? domain='0x(\w+)' bus='0x(\w+)' slot='0x(\w+)' function='0x(\w)'/g;
  return [...xml.matchAll(address)].map(([, ...parts]) => `${parts.slice(0, 3).join(':')}.${parts[3]}`);
}

describe('the sample hosts', () => {
  it.each(list('hosts'))('%s is a valid snapshot', (name) => {
    const raw: unknown = JSON.parse(read(`hosts/${name}`));
    expect(host(name).topology).toEqual(raw);
  });

  it('host-a.json equals a scan of the captured host', () => {
    expect(host('host-a.json').topology).toEqual(scanHost(unpackHost('host-a')).topology);
  });

  it('gb200.json has four GPUs and four NICs, each behind its own SMMU, and eight initiators per GPU', () => {
    const gb200 = host('gb200.json');
    const gpus = ['0008:01:00.0', '0009:01:00.0', '0018:01:00.0', '0019:01:00.0'];
    const nics = ['0000:03:00.0', '0002:03:00.0', '0010:03:00.0', '0012:03:00.0'];
    expect(new Set([...gpus, ...nics].map((address) => gb200.device(bdf(address))?.smmu)).size).toBe(8);
    expect(gb200.smmus).toHaveLength(10);
    expect(gb200.nodes.filter((node) => node.initiator)).toHaveLength(32);
  });

  it('gb200-cx8.json has each NIC and its Data Direct function behind different SMMUs, the latter with the GPU', () => {
    const tray = host('gb200-cx8.json');
    const behind = (address: string) => tray.device(bdf(address))?.smmu;
    for (const [nic, direct, gpu] of [
      ['0000:03:00.0', '0009:03:00.0', '0009:06:00.0'],
      ['0002:03:00.0', '0008:03:00.0', '0008:06:00.0'],
      ['0010:03:00.0', '0019:03:00.0', '0019:06:00.0'],
      ['0012:03:00.0', '0018:03:00.0', '0018:06:00.0'],
    ] as const) {
      expect(behind(direct)).toBe(behind(gpu));
      expect(behind(direct)).not.toBe(behind(nic));
    }
    expect(tray.nodes.filter((node) => node.initiator && node.memory).map(({ id }) => id)).toEqual([2, 10, 18, 26]);
  });

  it('gb10.json has three SMMUs, one of them without a PCI device, and a GPU in a group with direct regions', () => {
    const gb10 = host('gb10.json');
    expect(gb10.smmus.map(({ name }) => gb10.topology.devices.some(({ smmu }) => smmu === name))).toEqual([
      true,
      true,
      false,
    ]);
    expect(gb10.device(bdf('000f:01:00.0'))?.directRegions).toHaveLength(2);
  });
});

describe('the sample domains', () => {
  it.each(Object.entries(HOST_OF))('%s has host devices, all of them of %s', (domain, name) => {
    const used = sources(read(`domains/${domain}`));
    expect(used.length).toBeGreaterThan(0);
    expect(used.filter((address) => !host(name).device(bdf(address)))).toEqual([]);
  });

  it('are all for a host, except the one without host devices', () => {
    expect(list('domains').filter((name) => !(name in HOST_OF))).toEqual(['virtio-only.xml']);
    expect(sources(read('domains/virtio-only.xml'))).toEqual([]);
  });
});

describe('the sample policies', () => {
  it.each(list('policies'))('%s conforms to its schema', (name) => {
    expect(isPolicy(JSON.parse(read(`policies/${name}`))), JSON.stringify(isPolicy.errors)).toBe(true);
  });
});
