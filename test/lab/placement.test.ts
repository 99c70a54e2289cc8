import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleCases } from './cases.js';
import { Lab } from './lab.js';
import { commandLine, definedAs } from './trial.js';
import { rewrite } from './vsmmu.js';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(() => lab[Symbol.asyncDispose]());

const samples = new Map(sampleCases().map((each) => [each.title, each]));
const hostA = ['--topology', fileURLToPath(new URL('../../samples/hosts/host-a.json', import.meta.url))];

function sample(title: string) {
  const found = samples.get(title);
  if (!found) throw new Error(`there is no sample ${title}`);
  return found;
}

describe('libvirt takes, and prints where the tool puts it', () => {
  it.each(['ml-train on host-a', 'gh200-vm on gh200', 'arm-server-vm on arm-server'])(
    'iommufd for the whole domain, which each device then has: %s',
    async (title) => {
      const { xml, options } = sample(title);
      const how = [...options, '--iommufd', 'domain'];
      const rewritten = await rewrite(await definedAs(lab, xml), how);
      const dump = await definedAs(lab, rewritten);
      expect(dump).toBe(rewritten);
      const { layout } = await commandLine(lab, dump);
      expect(layout.hostDevices.length).toBeGreaterThan(0);
      expect(layout.hostDevices.filter(({ iommufd }) => !iommufd)).toEqual([]);
    },
  );

  it('the other endpoints of a group, of which QEMU gets none', async () => {
    const { xml } = sample('ml-train on host-a');
    // Only one of the two functions that share a group.
    const alone = xml.replace(
      /\n *<hostdev(?:(?!<\/hostdev>)[\s\S])*bus='0x11' slot='0x00' function='0x1'[\s\S]*?<\/hostdev>/,
      '',
    );
    expect(alone).not.toBe(xml);
    const original = await definedAs(lab, alone);
    const without = await definedAs(lab, await rewrite(original, hostA));
    const rewritten = await rewrite(original, [...hostA, '--complete-groups']);
    const dump = await definedAs(lab, rewritten);
    expect(dump).toBe(rewritten);
    expect(dump.match(/<address type='unassigned'\/>/g)).toHaveLength(1);
    expect(await rewrite(dump, [...hostA, '--complete-groups']), 'the second run changes nothing').toBe(dump);
    const [one, other] = [await commandLine(lab, dump), await commandLine(lab, without)];
    expect(one.layout.hostDevices).toEqual(other.layout.hostDevices);
  });
});
