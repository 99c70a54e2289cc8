import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { check } from '../../src/check/check.js';
import { smmuOfAlias } from '../../src/domain/alias.js';
import { type Domain, parseDomain } from '../../src/domain/domain.js';
import { PciTree } from '../../src/domain/pci-tree.js';
import { Host } from '../../src/host/host.js';
import { REPOSITORY } from '../cli/run.js';
import type { Machine } from './machines.js';
import { hostOf, writeSysfs } from './sysfs.js';

/**
 * The domains that KubeVirt's own code passed to onDefineDomain, one per call, for each virtual machine of machines.ts; record.ts
 * recorded them. Each of them contains the answer to the previous call.
 */
const FIXTURES = join(REPOSITORY, 'test/fixtures/kubevirt');
const execute = promisify(execFile);
const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

interface Recording {
  readonly inputs: readonly string[];
  readonly host: Host;
  readonly vmi: string;
  readonly sysfs: string;
}

function recording(name: string): Recording {
  const text = (file: string) => readFileSync(join(FIXTURES, name, file), 'utf8');
  const machine: Machine = JSON.parse(text('machine.json'));
  const topology = hostOf(machine);
  const sysfs = mkdtempSync(join(tmpdir(), 'vsmmu-test-'));
  folders.push(sysfs);
  writeSysfs(topology, sysfs);
  const calls = readdirSync(join(FIXTURES, name)).filter((file) => file.endsWith('.xml'));
  return { inputs: calls.sort().map(text), host: new Host(topology), vmi: JSON.stringify(machine.vmi), sysfs };
}

/** Answers a call in the same way as with KubeVirt's sidecar-shim. */
async function answer({ vmi, sysfs }: Recording, xml: string): Promise<string> {
  const env = { ...process.env, VSMMU_SYSFS: sysfs, VSMMU_POLICY: '/nowhere' };
  const { stdout } = await execute(join(REPOSITORY, 'bin/onDefineDomain'), ['--vmi', vmi, '--domain', xml], { env });
  return stdout;
}

/** Returns vsmmu's decisions for a domain, without bus numbers and controller indexes, which also depend on libvirt and KubeVirt. */
function decisions(domain: Domain, host: Host): object {
  const tree = new PciTree(domain);
  const busOf = (bus: number) => domain.controllers.find(({ index }) => index === bus);
  const values = domain.iommus.map(({ pciBus = 0, values: given }) => {
    const devices = domain.hostDevices.filter(({ address }) => address && tree.rootOf(address.bus) === pciBus);
    return { smmu: smmuOfAlias(busOf(pciBus)?.alias, host.smmus), given, devices: devices.map(({ bdf }) => bdf) };
  });
  const cells = domain.numa.cells.map(({ id, memory, distances }) => [id, memory, [...distances]]);
  const nodesets = domain.hostDevices.map(({ bdf, nodeset }) => [bdf, nodeset]);
  return { values, cells, nodesets, hole: domain.pciHole64?.size };
}

describe.each(readdirSync(FIXTURES))('KubeVirt starting %s', (name) => {
  it('gets a domain from each call, all with the same devices behind each vSMMU, the same cells and values', async () => {
    const recorded = recording(name);
    expect(recorded.inputs.length).toBeGreaterThanOrEqual(2);
    const answers: Domain[] = [];
    for (const input of recorded.inputs) answers.push(parseDomain(await answer(recorded, input)));
    const [first, ...others] = answers.map((domain) => decisions(domain, recorded.host));
    expect(first).toHaveProperty('values[0].given.accel', 'on');
    for (const other of others) expect(other).toEqual(first);
    const last = answers.at(-1) as Domain;
    expect(check(last, recorded.host).filter(({ severity }) => severity === 'error')).toEqual([]);
  });

  it('gets the same domain back if it passes an answer to vsmmu again', async () => {
    const recorded = recording(name);
    const last = await answer(recorded, recorded.inputs.at(-1) ?? '');
    expect(await answer(recorded, last)).toBe(last);
  });
});
