/** `vsmmu edit` as virsh's editor, on definitions and on other documents, which it must not change. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleCases } from './cases.js';
import { domainXml } from './facts/fact.js';
import { Lab } from './lab.js';
import type { Result } from './process.js';
import { sysfs, Tool } from './tool.js';
import { define, undefine, virsh } from './trial.js';

const [ml] = sampleCases();
if (!ml) throw new Error('there is no sample');

let lab: Lab;
let tool: Tool;
/** `vsmmu edit`, as the value of `EDITOR`. */
let editor: string;
beforeAll(async () => {
  lab = await Lab.start();
  tool = await Tool.install(lab);
  editor = `${tool.path} edit --sysfs ${sysfs} --force-tcg`;
});
afterAll(() => lab[Symbol.asyncDispose]());

const dump = (uuid: string): Promise<string> => virsh(lab, ['dumpxml', '--inactive', '--security-info', uuid]);

/** Runs an edit command of virsh with `vsmmu edit` as its editor, and a shell command as the user's editor. */
async function edit(args: readonly string[], own: string, options = ''): Promise<Result> {
  await lab.jail.put('/tmp/own-editor', `${own}\n`);
  return await lab.virsh(args, { env: { EDITOR: `${editor} ${options}`, VSMMU_EDITOR: 'sh /tmp/own-editor' } });
}

/** A shell command that adds a description, which every root element that virsh edits may have. */
const describing = (root: string): string => `sed -i 's,^<${root}[^>]*>,&<description>mine</description>,' "$1"`;

const hostdev = `<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0x91' slot='0' function='0'/></source></hostdev>`;
const padding = `<description>${'.'.repeat(hostdev.length)}</description>`;

/** A Node program that puts a device into a saved state without changing its length (libvirt 12.8: a header, then the XML). */
const addHostdev = `
const { readFileSync, writeFileSync } = require('node:fs');
const [, , file, padding, hostdev] = process.argv;
const saved = readFileSync(file, 'latin1');
const blank = ' '.repeat(padding.length - hostdev.length);
const edited = saved.replace(padding, blank).replace('</devices>', hostdev + '</devices>');
if (edited.length !== saved.length) throw new Error('the saved state is not as expected');
writeFileSync(file, edited, 'latin1');
`;

async function withSample(body: (uuid: string) => Promise<void>): Promise<void> {
  const xml = (ml?.xml ?? '').replace('</devices>', "<graphics type='vnc' passwd='s3cret'/></devices>");
  const uuid = await define(lab, xml);
  try {
    await body(uuid);
  } finally {
    await undefine(lab, uuid);
  }
}

describe('virsh edit', () => {
  it('converts a domain, keeps its password, and reports the changes', async ({ task }) => {
    await withSample(async (uuid) => {
      const { code, stderr } = await edit(['edit', uuid], '', '--no-editor');
      expect(code).toBe(0);
      expect(stderr).toMatch(/^ml-train-01:\d+:\d+: warning: group-shared/m);
      const after = await dump(uuid);
      expect(after).toContain("<iommu model='smmuv3'>");
      expect(after).toContain("passwd='s3cret'");
      task.meta.lab = { defined: 1 };
    });
  });

  it('converts a domain, and defines it as the user edits it', async ({ task }) => {
    await withSample(async (uuid) => {
      const { code } = await edit(['edit', uuid], `grep -q "<iommu model" "$1" && ${describing('domain')}`);
      expect(code).toBe(0);
      const after = await dump(uuid);
      expect(after).toContain("<iommu model='smmuv3'>");
      expect(after).toContain('<description>mine</description>');
      expect(after).not.toContain('vsmmu edit');
      task.meta.lab = { defined: 1 };
    });
  });

  it('changes nothing if the editor of the user fails', async () => {
    await withSample(async (uuid) => {
      const before = await dump(uuid);
      expect((await edit(['edit', uuid], 'exit 1')).code).not.toBe(0);
      expect(await dump(uuid)).toBe(before);
    });
  });

  it('does not change a domain that cannot be converted, unless the user at the terminal wants to edit it', async () => {
    const missing = `<hostdev mode='subsystem' type='pci'><source><address domain='0' bus='0x7e' slot='0' function='0'/></source></hostdev>`;
    const uuid = await define(lab, domainXml({ name: 'nowhere', devices: missing }));
    const before = await dump(uuid);
    const refused = await edit(['edit', uuid], describing('domain'));
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toMatch(/^nowhere:\d+:\d+: error: device-missing: 0000:7e:00\.0/m);
    expect(await dump(uuid)).toBe(before);

    const env = { EDITOR: editor, VSMMU_EDITOR: 'sh /tmp/own-editor' };
    const line = `virsh edit ${uuid}`;
    const no = await tool.atTerminal(line, { env, prompt: /edit it anyway\? \[y\/N\]/i, answer: () => 'n\n' });
    expect(no.code).not.toBe(0);
    expect(await dump(uuid)).toBe(before);
    const yes = await tool.atTerminal(line, { env, prompt: /edit it anyway\? \[y\/N\]/i, answer: () => 'y\n' });
    expect(yes.code).toBe(0);
    expect(await dump(uuid)).toContain('<description>mine</description>');
    await undefine(lab, uuid);
  });
});

describe('a document that is not a domain definition is stored as the editor of the user leaves it:', () => {
  const image = '/var/lib/libvirt/qemu/edited.save';

  it('save-image-edit and managedsave-edit', async ({ task }) => {
    const uuid = await define(lab, domainXml({ name: 'saved' }));
    await virsh(lab, ['start', '--paused', uuid]);
    await virsh(lab, ['save', uuid, image]);
    const saved = await virsh(lab, ['save-image-dumpxml', '--security-info', image]);
    expect((await edit(['save-image-edit', image], describing('domain'))).code).toBe(0);
    const edited = await virsh(lab, ['save-image-dumpxml', '--security-info', image]);
    expect(edited.replace(/ *<description>mine<\/description>\n/, '')).toBe(saved);
    expect(edited).not.toBe(saved);
    await virsh(lab, ['restore', '--paused', image]);

    await virsh(lab, ['managedsave', uuid]);
    const before = await virsh(lab, ['managedsave-dumpxml', '--security-info', uuid]);
    const { code, stderr } = await edit(['managedsave-edit', uuid], 'cp "$1" /tmp/seen');
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining('this is not the definition of a domain'),
    });
    expect(await lab.jail.output(['cat', '/tmp/seen'])).toBe(before);
    await virsh(lab, ['start', '--paused', uuid]);
    await virsh(lab, ['destroy', uuid]);
    await undefine(lab, uuid);
    task.meta.lab = { defined: 1, restored: 2 };
  });

  it('managedsave-edit of a domain with a host device that could be converted', async ({ task }) => {
    // A guest with a host device does not run here: the device replaces a description of the same length in the saved state.
    const uuid = await define(lab, domainXml({ name: 'saved-with' }).replace('<metadata>', `${padding}<metadata>`));
    await virsh(lab, ['start', '--paused', uuid]);
    await virsh(lab, ['managedsave', uuid]);
    const file = '/var/lib/libvirt/qemu/save/saved-with.save';
    await lab.jail.put('/tmp/add-hostdev.js', addHostdev);
    await lab.jail.output(['node', '/tmp/add-hostdev.js', file, padding, hostdev]);
    const before = await virsh(lab, ['managedsave-dumpxml', '--security-info', uuid]);
    expect(before).toMatch(/<address domain='0x0000' bus='0x91'/);
    const { code, stderr } = await edit(['managedsave-edit', uuid], 'cp "$1" /tmp/seen');
    expect({ code, stderr }).toEqual({
      code: 0,
      stderr: expect.stringContaining('this is not the definition of a domain'),
    });
    expect(await lab.jail.output(['cat', '/tmp/seen'])).toBe(before);
    expect(await virsh(lab, ['managedsave-dumpxml', '--security-info', uuid])).toBe(before);
    await virsh(lab, ['managedsave-remove', uuid]);
    await undefine(lab, uuid);
    task.meta.lab = { defined: 1 };
  });

  it('snapshot-edit', async () => {
    const uuid = await define(lab, domainXml({ name: 'snapped' }));
    await virsh(lab, ['start', uuid]);
    const memory = '/var/lib/libvirt/qemu/edited.memory,snapshot=external';
    await virsh(lab, ['snapshot-create-as', uuid, 'first', '--memspec', memory]);
    expect((await edit(['snapshot-edit', uuid, 'first'], describing('domainsnapshot'))).code).toBe(0);
    const after = await virsh(lab, ['snapshot-dumpxml', uuid, 'first']);
    expect(after).toContain('<description>mine</description>');
    await virsh(lab, ['destroy', uuid]);
    await virsh(lab, ['undefine', '--nvram', '--snapshots-metadata', uuid]);
  });

  it('net-edit', async () => {
    // libvirt's own test driver, because the lab has none for networks; it lasts as long as its virsh.
    const commands = 'net-destroy default; net-dumpxml default; net-edit default; net-dumpxml default';
    const { code, stdout } = await edit(['-c', 'test:///default', commands], 'sed -i s/virbr0/virbr1/ "$1"');
    expect(code).toBe(0);
    const [before = '', after] = stdout.split(/(?<=<\/network>)/).map((xml) => xml.trim());
    expect(before).toContain('virbr0');
    expect(after).toBe(before.replace('virbr0', 'virbr1'));
  });
});
