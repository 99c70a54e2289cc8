/** Domains as KubeVirt makes them, converted by onDefineDomain and defined in libvirt. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Machine } from '../kubevirt/machines.js';
import { hostOf, writeSysfs } from '../kubevirt/sysfs.js';
import { asTcg } from './domain.js';
import { emulatedMachine } from './emulated.js';
import { refusal } from './guest.js';
import { Lab } from './lab.js';
import { sysfs, Tool } from './tool.js';
import { commandLine, undefine, virsh } from './trial.js';

let lab: Lab;
let tool: Tool;
beforeAll(async () => {
  lab = await Lab.start();
  tool = await Tool.install(lab);
  await lab.jail.output(['ln', '-s', '/tmp/vsmmu/bin/onDefineDomain', '/tmp/onDefineDomain']);
});
afterAll(() => lab[Symbol.asyncDispose]());

const domain = asTcg(readFileSync(new URL('../../samples/kubevirt/domain.xml', import.meta.url), 'utf8'))
  .replace('domain="0x0009" bus="0x01"', 'domain="0x0000" bus="0x91"')
  .replace('bus="0x01" slot="0x00" function="0x2"', 'bus="0x31" slot="0x10" function="0x2"');

it('libvirt accepts a KubeVirt domain as onDefineDomain prints it, with ssidsize spelled as in the cluster’s libvirt', async ({
  task,
}) => {
  const vmi = JSON.stringify({ metadata: { name: 'vm', annotations: { 'vsmmu.io/policy': '{"ssidsize": 8}' } } });
  const env = { PATH: '/tmp:/usr/bin:/bin', VSMMU_SYSFS: sysfs, VSMMU_FORCE_TCG: '1' };
  const { code, stdout } = await lab.run(['onDefineDomain', '--vmi', vmi, '--domain', domain], { env });
  expect(code).toBe(0);
  // Not validated against the schema: KubeVirt does not do that, and writes empty elements that are invalid.
  await virsh(lab, ['define', '/dev/stdin'], stdout);
  const uuid = (await virsh(lab, ['domuuid', 'default_gh200-vmi'])).trim();
  const dump = await virsh(lab, ['dumpxml', '--inactive', uuid]);
  expect([...dump.matchAll(/<driver pciBus='\d+' accel='on' ssidsize='8'\/>/g)]).toHaveLength(2);
  const checked = await tool.run(['check', '--sysfs', sysfs, '--force-tcg', '--quiet'], { input: dump });
  expect(checked, 'libvirt put no emulated device behind an expander bus').toMatchObject({ code: 0, stderr: '' });
  const second = await lab.run(['onDefineDomain', '--vmi', vmi, '--domain', dump], { env });
  expect(second).toMatchObject({ code: 0, stdout: dump });
  await undefine(lab, uuid);
  task.meta.lab = { defined: 1 };
});

const FIXTURES = new URL('../fixtures/kubevirt/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, FIXTURES), 'utf8');

it.each(readdirSync(FIXTURES))('QEMU starts the domain that KubeVirt defines in the last call for %s', async (name) => {
  const machine: Machine = JSON.parse(read(`${name}/machine.json`));
  const folder = mkdtempSync(join(tmpdir(), 'vsmmu-test-'));
  writeSysfs(hostOf(machine), folder);
  const last = readdirSync(new URL(name, FIXTURES)).filter((file) => file.endsWith('.xml')).length;
  const env = { ...process.env, VSMMU_SYSFS: folder };
  const program = fileURLToPath(new URL('../../bin/onDefineDomain', import.meta.url));
  const args = ['--vmi', JSON.stringify(machine.vmi), '--domain', read(`${name}/${last}.xml`)];
  const answer = asTcg(execFileSync(program, args, { env, encoding: 'utf8' }));
  rmSync(folder, { recursive: true });
  await virsh(lab, ['define', '/dev/stdin'], answer);
  const dump = await virsh(lab, ['dumpxml', '--inactive', `default_${name}`]);
  await undefine(lab, (await virsh(lab, ['domuuid', `default_${name}`])).trim());
  const { options } = await commandLine(lab, dump.replace(/<memoryBacking>[\s\S]*<\/memoryBacking>/, ''));
  const console = ['-nodefaults', '-display', 'none', '-S', '-monitor', 'stdio'];
  const { code, stderr } = await lab.run(['qemu-system-aarch64', ...console, ...emulatedMachine(options)], {
    input: 'quit\n',
    limitSeconds: 60,
  });
  expect(code === 0 ? 'starts' : refusal(stderr)).toBe('starts');
});
