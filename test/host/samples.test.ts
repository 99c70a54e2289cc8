import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { scanHost } from '../../src/host/scan.js';
import { readTopology } from '../../src/host/snapshot.js';
import { bdf, unpackHost } from './fixture.js';

const SAMPLES = new URL('../../samples/hosts/', import.meta.url);
const host = (name: string) => readTopology(readFileSync(new URL(name, SAMPLES), 'utf8'), name);

describe('the sample hosts', () => {
  it.each(readdirSync(SAMPLES))('%s is a snapshot, in order', (name) => {
    const raw: unknown = JSON.parse(readFileSync(new URL(name, SAMPLES), 'utf8'));
    expect(host(name).topology).toEqual(raw);
  });

  it('host-a.json is what a scan of the captured host gives', () => {
    expect(host('host-a.json').topology).toEqual(scanHost(unpackHost('host-a')).topology);
  });

  it('gb200.json has four GPUs and four NICs, each behind an SMMU of its own, and eight initiators a GPU', () => {
    const gb200 = host('gb200.json');
    const gpus = ['0008:01:00.0', '0009:01:00.0', '0018:01:00.0', '0019:01:00.0'];
    const nics = ['0000:03:00.0', '0002:03:00.0', '0010:03:00.0', '0012:03:00.0'];
    expect(new Set([...gpus, ...nics].map((address) => gb200.device(bdf(address))?.smmu)).size).toBe(8);
    expect(gb200.smmus).toHaveLength(10);
    expect(gb200.nodes.filter((node) => node.initiator)).toHaveLength(32);
  });
});
