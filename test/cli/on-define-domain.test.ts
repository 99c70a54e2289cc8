import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { hostOf, writeSysfs } from '../kubevirt/sysfs.js';
import { REPOSITORY, type Run, temporaryFolder } from './run.js';

const execute = promisify(execFile);

const domain = readFileSync(join(REPOSITORY, 'samples/kubevirt/domain.xml'), 'utf8');
/** The domain with devices of the captured host, behind two SMMUs. */
const here = domain
  .replace('domain="0x0009" bus="0x01"', 'domain="0x0000" bus="0x91"')
  .replace('bus="0x01" slot="0x00" function="0x2"', 'bus="0x31" slot="0x10" function="0x2"');

const vmi = (annotations: Record<string, unknown> = {}): string =>
  JSON.stringify({
    apiVersion: 'kubevirt.io/v1',
    kind: 'VirtualMachineInstance',
    metadata: { name: 'gh200-vmi', namespace: 'default', annotations },
    spec: { domain: { devices: {} } },
  });

let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vsmmu-test-'));
  await execute('tar', ['xzf', join(REPOSITORY, 'test/fixtures/hosts/host-a.sysfs.tar.gz'), '-C', folder]);
  // As in the image: a link in a folder of the PATH.
  symlinkSync(join(REPOSITORY, 'bin/onDefineDomain'), join(folder, 'onDefineDomain'));
  return () => rmSync(folder, { recursive: true });
});

/** Runs the hook as KubeVirt's sidecar-shim does: found by name in PATH, without a shell, with an empty standard input. */
async function onDefineDomain(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<Run> {
  const { PATH = '' } = process.env;
  const settings = { PATH: `${folder}:${PATH}`, VSMMU_SYSFS: join(folder, 'sys'), VSMMU_POLICY: '/nowhere', ...env };
  try {
    const { stdout, stderr } = await execute('onDefineDomain', [...args], { env: settings });
    return { code: 0, stdout, stderr };
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
    return { code, stdout, stderr };
  }
}

const run = (annotations: Record<string, unknown> = {}, xml = here, env: NodeJS.ProcessEnv = {}): Promise<Run> =>
  onDefineDomain(['--vmi', vmi(annotations), '--domain', xml], env);

describe('onDefineDomain', () => {
  it('prints the converted domain, in which nothing else is changed', async () => {
    const { code, stdout, stderr } = await run();
    expect(code).toBe(0);
    expect(stdout).toContain('<iommu model="smmuv3"><driver pciBus="9" accel="on"/></iommu>');
    expect(stdout).toContain('<alias name="ua-hostdevice-gpu"></alias><address type="pci"');
    expect(stdout).toContain('<kubevirt xmlns="http://kubevirt.io"><uid>');
    expect(stderr).toMatch(/^default\/gh200-vmi:1:1: note: acceleration-cost: /m);
  });

  it('uses the policy of the container, with the keys that the virtual machine overrides', async () => {
    const file = join(temporaryFolder(), 'policy.json');
    writeFileSync(file, '{"ats": "on", "oas": 44}');
    const { stdout } = await run({ 'vsmmu.io/policy': '{"oas": 48}' }, here, { VSMMU_POLICY: file });
    expect(stdout).toMatch(/<driver pciBus="9" accel="on" ats="on" oas="48"\/>/);
  });

  it.each<[annotations: Record<string, string>, env: NodeJS.ProcessEnv, spelling: string]>([
    [{}, {}, 'ssidsize'],
    [{ 'vsmmu.io/libvirt': 'kubevirt' }, {}, 'ssidSize'],
    [{}, { VSMMU_LIBVIRT: 'kubevirt' }, 'ssidSize'],
    [{ 'vsmmu.io/libvirt': '12.8.0' }, { VSMMU_LIBVIRT: 'kubevirt' }, 'ssidsize'],
  ])(
    'uses the attribute name of the libvirt of the cluster: with %j and %j, %s',
    async (annotations, env, spelling) => {
      const { stdout } = await run({ ...annotations, 'vsmmu.io/policy': '{"ssidsize": 8}' }, here, env);
      expect(stdout).toContain(` ${spelling}="8"`);
    },
  );

  it('ignores environment variables that change the behaviour of Node', async () => {
    const { code, stdout } = await run({}, here, { NODE_OPTIONS: '--require=/nowhere.cjs' });
    expect([code, stdout.includes('<driver pciBus="9" accel="on"/>')]).toEqual([0, true]);
  });

  it('prints a domain that needs no change as it is', async () => {
    const other = here.replace('aarch64', 'x86_64').replace('machine="virt"', 'machine="q35"');
    expect(await run({}, other)).toMatchObject({ code: 0, stdout: other });
    const none = here.replaceAll(/<hostdev.*?<\/hostdev>/g, '');
    expect(await run({}, none)).toMatchObject({ code: 0, stdout: none });
  });

  it('prints its own output unchanged when it gets it as input', async () => {
    const { stdout } = await run();
    expect(await run({}, stdout)).toMatchObject({ code: 0, stdout });
  });

  it.each<[what: string, args: string[], code: number, message: RegExp]>([
    ['no arguments', [], 2, /vsmmu: error: usage: on-define-domain takes --vmi JSON and --domain XML/],
    ['no domain', ['--vmi', vmi()], 2, /usage/],
    ['an empty domain', ['--vmi', vmi(), '--domain', ''], 2, /error: xml-syntax/],
    [
      'a domain that is cut off',
      ['--vmi', vmi(), '--domain', here.slice(0, 900)],
      2,
      /^default\/gh200-vmi:1:\d+: error: xml-/,
    ],
    ['an invalid JSON document', ['--vmi', '{"metadata"', '--domain', here], 2, /--vmi.*: error: vmi-invalid/],
    ['a JSON document of another kind', ['--vmi', '[1]', '--domain', here], 2, /vmi-invalid/],
    ['invalid annotations', ['--vmi', '{"metadata":{"annotations":7}}', '--domain', here], 2, /vmi-invalid/],
    [
      'an invalid policy',
      ['--vmi', vmi({ 'vsmmu.io/policy': '{"sparePorts": "many"}' }), '--domain', here],
      2,
      /^vsmmu\.io\/policy: error: policy-invalid/,
    ],
    [
      'a policy that is not text',
      ['--vmi', vmi({ 'vsmmu.io/policy': { ats: 'on' } }), '--domain', here],
      2,
      /vmi-invalid/,
    ],
    [
      'an invalid libvirt version',
      ['--vmi', vmi({ 'vsmmu.io/libvirt': '../../etc' }), '--domain', here],
      2,
      /usage: vsmmu\.io\/libvirt/,
    ],
    [
      'a device that the host does not have',
      ['--vmi', vmi(), '--domain', domain],
      1,
      /^default\/gh200-vmi:1:\d+: error: device-missing/,
    ],
  ])('fails with %s, and prints nothing', async (_, args, code, message) => {
    const result = await onDefineDomain(args);
    expect(result).toMatchObject({ code, stdout: '' });
    expect(result.stderr).toMatch(message);
  });

  it('refuses a virtual machine without an open /dev/iommu, and names the feature gate', async () => {
    const without = here.replace(/<iommufd .*?<\/iommufd>/, '');
    const { code, stdout, stderr } = await run({}, without);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^default\/gh200-vmi: error: kubevirt-gate-missing: .*; enable the feature gate IOMMUFD/m);
    const none = without.replaceAll(/<hostdev.*?<\/hostdev>/g, '');
    expect(await run({}, none)).toMatchObject({ code: 0, stdout: none });
  });

  it('refuses a virtual machine whose devices KubeVirt puts on the root complex', async () => {
    const annotation = 'kubevirt.io/placePCIDevicesOnRootComplex';
    const { code, stderr } = await run({ [annotation]: 'true' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/: error: kubevirt-root-complex: the annotation kubevirt\.io\/place/);
    expect((await run({ [annotation]: 'false' })).code).toBe(0);
  });

  it('names the annotation that switches pcihole64 off', async () => {
    const root = '<controller type="pci" index="0" model="pcie-root"><pcihole64 unit="KiB">0</pcihole64></controller>';
    const { code, stderr } = await run({}, here.replace('<controller ', `${root}<controller `));
    expect(code).toBe(1);
    expect(stderr).toMatch(/: error: pcihole64-off: .*; remove the annotation kubevirt\.io\/disablePCIHole64/);
  });

  it('reports each diagnostic once', async () => {
    const lines = (await run()).stderr.trim().split('\n');
    expect(new Set(lines).size).toBe(lines.length);
  });

  it.each(['$(id)', '--help', '12', 'two\nlines'])('accepts a virtual machine called %j', async (name) => {
    const machine = JSON.stringify({ metadata: { name } });
    const result = await onDefineDomain(['--vmi', machine, '--domain', here]);
    expect(result.code).toBe(0);
    expect(result.stderr.split('\n').filter((line) => line !== '' && !/: (note|warning): /.test(line))).toEqual([]);
  });

  it('converts the sample virtual machine on its sample host', async () => {
    const yaml = readFileSync(join(REPOSITORY, 'samples/kubevirt/vmi.yaml'), 'utf8');
    const policy = /vsmmu\.io\/policy: '(.*)'/.exec(yaml)?.[1];
    const libvirt = /vsmmu\.io\/libvirt: (.*)/.exec(yaml)?.[1];
    const configMap = readFileSync(join(REPOSITORY, 'samples/kubevirt/configmap.yaml'), 'utf8');
    const file = join(temporaryFolder(), 'policy.json');
    writeFileSync(file, configMap.slice(configMap.indexOf('{')));
    const annotations = { 'vsmmu.io/policy': policy, 'vsmmu.io/libvirt': libvirt };
    const sysfs = join(temporaryFolder(), 'sys');
    writeSysfs(hostOf({ host: 'gh200.json' }), sysfs);
    const { code, stdout, stderr } = await run(annotations, domain, { VSMMU_POLICY: file, VSMMU_SYSFS: sysfs });
    expect(code).toBe(0);
    expect(stderr).not.toMatch(/: (error|warning): /);
    const { iommus, hostDevices, numa } = parseDomain(stdout);
    expect(iommus.map(({ values }) => values.accel)).toEqual(['on', 'on']);
    // One cell for the guest's memory, and one per Generic Initiator of the GPU.
    expect(numa.cells.map(({ memory }) => memory > 0)).toEqual([true, ...Array(8).fill(false)]);
    expect(hostDevices.map(({ bdf, nodeset }) => [bdf, nodeset])).toEqual([
      ['0009:01:00.0', '1-8'],
      ['0000:01:00.2', undefined],
    ]);
  });
});
