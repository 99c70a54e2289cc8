/** Compares the recording of virsh, which tests without the lab use, with the real virsh. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOMAINS, RECORDED } from '../libvirt/recorded-virsh.js';
import { domainXml } from './facts/fact.js';
import { Lab } from './lab.js';
import { undefine, virsh } from './trial.js';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
  for (const { uuid, name } of DOMAINS) {
    const xml = domainXml({ name }).replace('<metadata>', `<uuid>${uuid}</uuid><metadata>`);
    await virsh(lab, ['define', '/dev/stdin'], xml);
  }
});
afterAll(async () => {
  for (const { uuid } of DOMAINS) await undefine(lab, uuid);
  await lab[Symbol.asyncDispose]();
});

const lines = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .sort();

describe('virsh', () => {
  it.for(Object.entries(RECORDED))('prints the recorded output for %s', async ([command, output]) => {
    const { stdout } = await lab.run(['virsh', '--quiet', '--connect', 'qemu:///system'], { input: `${command}\n` });
    // Other tests leave domains; virsh repeats commands after its prompt.
    const isOurs = (line: string) => DOMAINS.some(({ uuid }) => line.startsWith(uuid));
    const ours = lines(stdout).filter((line) => (command === 'uri' ? !line.startsWith('virsh # ') : isOurs(line)));
    expect(ours).toEqual(lines(output));
  });
});
