/** A domain as KubeVirt makes one, through onDefineDomain, into libvirt. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { asTcg } from './domain.js';
import { Lab } from './lab.js';
import { sysfs, Tool } from './tool.js';
import { undefine, virsh } from './trial.js';

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

it('a domain of KubeVirt’s is taken by libvirt as onDefineDomain prints it, with what the cluster’s libvirt calls ssidsize', async ({
  task,
}) => {
  const vmi = JSON.stringify({ metadata: { name: 'vm', annotations: { 'vsmmu.io/policy': '{"ssidsize": 8}' } } });
  const env = { PATH: '/tmp:/usr/bin:/bin', VSMMU_SYSFS: sysfs, VSMMU_FORCE_TCG: '1' };
  const { code, stdout } = await lab.run(['onDefineDomain', '--vmi', vmi, '--domain', domain], { env });
  expect(code).toBe(0);
  // Not held against the schema: KubeVirt does not, and the empty elements that it writes do not fit.
  await virsh(lab, ['define', '/dev/stdin'], stdout);
  const uuid = (await virsh(lab, ['domuuid', 'default_gh200-vmi'])).trim();
  const dump = await virsh(lab, ['dumpxml', '--inactive', uuid]);
  expect([...dump.matchAll(/<driver pciBus='\d+' accel='on' ssidsize='8'\/>/g)]).toHaveLength(2);
  const checked = await tool.run(['check', '--sysfs', sysfs, '--force-tcg', '--quiet'], { input: dump });
  expect(checked, 'libvirt put every emulated device away from the bridges').toMatchObject({ code: 0, stderr: '' });
  const second = await lab.run(['onDefineDomain', '--vmi', vmi, '--domain', dump], { env });
  expect(second).toMatchObject({ code: 0, stdout: dump });
  await undefine(lab, uuid);
  task.meta.lab = { defined: 1 };
});
