import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleCases } from './cases.js';
import { forCommandLine } from './domain.js';
import { Lab } from './lab.js';
import { commandLine, definedAs, virsh } from './trial.js';
import { rewrite } from './vsmmu.js';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(() => lab[Symbol.asyncDispose]());

const samples = new Map(sampleCases().map((each) => [each.title, each]));
const topology = (file: string) => ['--topology', fileURLToPath(new URL(`../../${file}`, import.meta.url))];
/** host-a with a host driver bound to one of two functions that share a group. */
const held = topology('test/golden/group-not-viable/host.json');

/** host-a with ACS in its switch: each port has its own group. */
function withAcs(): string[] {
  const host = JSON.parse(readFileSync(topology('samples/hosts/host-a.json')[1] ?? '', 'utf8'));
  for (const device of host.devices) if (/^0000:52:0[01]\.0$/.test(device.bdf)) device.group += 1000;
  const file = join(mkdtempSync(join(tmpdir(), 'vsmmu-acs-')), 'host.json');
  writeFileSync(file, JSON.stringify(host));
  return ['--topology', file];
}

function sample(title: string) {
  const found = samples.get(title);
  if (!found) throw new Error(`there is no sample ${title}`);
  return found;
}

describe('libvirt accepts, and prints at the same position,', () => {
  it.each(['ml-train on host-a', 'gh200-vm on gh200', 'arm-server-vm on arm-server'])(
    'iommufd for the whole domain, which applies to each device: %s',
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

  it('the other endpoints of a group, which QEMU does not get', async () => {
    const { xml } = sample('ml-train on host-a');
    // Only one of the two functions that share a group.
    const alone = xml.replace(
      /\n *<hostdev(?:(?!<\/hostdev>)[\s\S])*bus='0x11' slot='0x00' function='0x1'[\s\S]*?<\/hostdev>/,
      '',
    );
    expect(alone).not.toBe(xml);
    const original = await definedAs(lab, alone);
    const without = await definedAs(lab, await rewrite(original, held));
    const rewritten = await rewrite(original, [...held, '--complete-groups']);
    const dump = await definedAs(lab, rewritten);
    expect(dump).toBe(rewritten);
    expect(dump.match(/<address type='unassigned'\/>/g)).toHaveLength(1);
    expect(await rewrite(dump, [...held, '--complete-groups']), 'the second run changes nothing').toBe(dump);
    const [one, other] = [await commandLine(lab, dump), await commandLine(lab, without)];
    expect(one.layout.hostDevices).toEqual(other.layout.hostDevices);
  });

  it('a switch for devices that are below a switch on the host', async () => {
    const { xml } = sample('ml-train on host-a');
    // Replaces two devices by two that are below a switch of the host.
    const from = [/bus='0x31' slot='0x10' function='0x2'/, /bus='0x91' slot='0x00' function='0x0'/];
    const below = xml
      .replace(from[0] ?? '', "bus='0x53' slot='0x00' function='0x0'")
      .replace(from[1] ?? '', "bus='0x54' slot='0x00' function='0x0'");
    const how = [...withAcs(), '--mirror-switches'];
    const rewritten = await rewrite(await definedAs(lab, below), how);
    const dump = await definedAs(lab, rewritten);
    expect(dump).toBe(rewritten);
    expect(dump.match(/model='pcie-switch-(?:up|down)stream-port'/g)).toHaveLength(3);
    expect(await rewrite(dump, how), 'the second run changes nothing').toBe(dump);
    const argv = await virsh(lab, ['domxml-to-native', 'qemu-argv', '/dev/stdin'], forCommandLine(dump));
    expect(argv).toMatch(/"driver":"x3130-upstream","id":"ua-vsmmu-switch-\d+","bus":"ua-vsmmu-port-\d+"/);
    expect(argv.match(/"driver":"xio3130-downstream"[^}]*"bus":"ua-vsmmu-switch-\d+"/g)).toHaveLength(2);
  });
});
