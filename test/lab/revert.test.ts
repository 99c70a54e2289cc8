import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CapturedHosts, randomCases, sampleCases, titled } from './cases.js';
import { Lab } from './lab.js';
import { definedAs } from './trial.js';
import { revert, rewrite } from './vsmmu.js';

const hosts = new CapturedHosts();
const random = [...(await randomCases(hosts, 'host-a', 4)), ...(await randomCases(hosts, 'multifunction', 4))];

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(async () => {
  hosts[Symbol.dispose]();
  await lab[Symbol.asyncDispose]();
});

describe('what libvirt stored and printed in between', () => {
  it.for(titled([...sampleCases(), ...random]))(
    'is reverted to what it printed before: %s',
    async ([, each], { task }) => {
      const original = await definedAs(lab, each.xml);
      const rewritten = await rewrite(original, each.options);
      expect(await revert(rewritten), 'without libvirt').toBe(original);
      const dump = await definedAs(lab, rewritten);
      task.meta.lab = { defined: 2 };
      expect(dump, 'our record is written as libvirt prints it').toBe(rewritten);
      expect(await revert(dump)).toBe(original);
    },
  );

  it.for(titled(sampleCases()))(
    'is reverted to what it would have printed of a domain in another hand: %s',
    async ([, each], { task }) => {
      const original = await definedAs(lab, each.xml);
      const foreign = inAnotherHand(original);
      const dump = await definedAs(lab, await rewrite(foreign, each.options));
      task.meta.lab = { defined: 2 };
      expect(await revert(dump)).toBe(original);
    },
  );
});

/** The same domain as no libvirt would print it. */
function inAnotherHand(xml: string): string {
  return xml
    .replaceAll("'", '"')
    .replace(/ (domain|function)="0x0+"/g, '')
    .replace(/ slot="0x00"/g, ' slot="0"')
    .replace(/ bus="0x([0-9a-f]{2})"/g, (_all, digits: string) => ` bus="${Number.parseInt(digits, 16)}"`)
    .replaceAll('/>', ' />')
    .replaceAll('\n', '\r\n')
    .replaceAll('  ', '\t');
}
