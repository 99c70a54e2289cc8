import { writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { changedHost } from '../host/fixture.js';
import { domainOf } from '../plan/guest.js';
import { vsmmu } from './run.js';

const FIRST = '0000:11:00.0';
const SECOND = '0000:81:00.0';

/** The captured host with Generic Initiators, changed so that its two GPUs have the device IDs and nodes of a GB200. */
function graceHost(initiators: string): string {
  return changedHost((at) => {
    for (const bdf of [FIRST, SECOND]) {
      writeFileSync(at(`bus/pci/devices/${bdf}/vendor`), '0x10de\n');
      writeFileSync(at(`bus/pci/devices/${bdf}/device`), '0x2941\n');
    }
    writeFileSync(at('devices/system/node/has_generic_initiator'), `${initiators}\n`);
  }, 'generic-initiators');
}

const content = `<numatune><memnode cellid='0' mode='strict' nodeset='1'/></numatune>
  <cpu><numa><cell id='0' cpus='0' memory='1024'/></numa></cpu>`;

describe('a GPU whose Generic Initiators follow from its order among the GPUs of the host', () => {
  const sys = graceHost('2-15');

  it('has the first nodes if it is the first', () => {
    const { code, stdout } = vsmmu(['plan', '--json', '--sysfs', sys], domainOf([FIRST], content));
    expect(code).toBe(0);
    const { plan } = JSON.parse(stdout) as { plan: { numa: { initiators: { hostNode: number }[] } } };
    expect(plan.numa.initiators.map(({ hostNode }) => hostNode)).toEqual([2, 3, 4, 5, 6, 7, 8, 9]);
  });

  it('has no nodes left if the host has too few for both, even if the domain has only the second GPU', () => {
    const { code, stdout, stderr } = vsmmu(['rewrite', '--sysfs', sys], domainOf([SECOND], content));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain(
      `error: initiator-nodes-missing: the host has 14 Generic Initiator nodes, and its devices need 16: none are left for ${SECOND}`,
    );
  });
});
