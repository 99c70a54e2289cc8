import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleCases } from './cases.js';
import { Lab } from './lab.js';
import { Tool } from './tool.js';
import { define, undefine, virsh } from './trial.js';

const [ml] = sampleCases();
if (!ml) throw new Error('there is no sample');

let lab: Lab;
let tool: Tool;
beforeAll(async () => {
  lab = await Lab.start();
  tool = await Tool.install(lab);
});
afterAll(() => lab[Symbol.asyncDispose]());

const state = ['--state', '/tmp/state'];
const dump = (uuid: string): Promise<string> => virsh(lab, ['dumpxml', '--inactive', '--security-info', uuid]);

/** Defines the sample with a name and a password while `body` runs. */
async function withDomain<T>(name: string, body: (uuid: string) => Promise<T>): Promise<T> {
  const uuid = randomUUID();
  const xml = (ml?.xml ?? '')
    .replace(/<name>.*<\/name>/, `<name>${name}</name>`)
    .replace(/<uuid>.*<\/uuid>/, `<uuid>${uuid}</uuid>`)
    .replace('</devices>', "<graphics type='vnc' passwd='s3cret'/></devices>");
  await virsh(lab, ['define', '--validate', '/dev/stdin'], xml);
  try {
    return await body(uuid);
  } finally {
    await undefine(lab, uuid);
  }
}

describe('--connect', () => {
  it.for(['12', '--help', '$(id)', 'install', 'it’s "so"'])('finds a domain called %s', async (name) => {
    await withDomain(name, async (uuid) => {
      const here = ['--quiet', ...tool.here, '--', name];
      const byName = await tool.run(['rewrite', ...here]);
      expect(byName).toMatchObject({ code: 0, stderr: '' });
      expect(byName.stdout).toContain(`<uuid>${uuid}</uuid>`);
      expect(byName.stdout).toContain("<iommu model='smmuv3'>");
      expect((await tool.run(['plan', ...here])).code).toBe(0);
    });
  });

  it('uses the name of a domain in messages, also if the operand is a UUID', async () => {
    await withDomain('named', async (uuid) => {
      const { code, stderr } = await tool.run(['plan', ...tool.here, uuid.toUpperCase()]);
      expect(code).toBe(0);
      expect(stderr).toMatch(/^named:\d+:\d+: warning: /m);
    });
  });

  it('is suggested if a file is missing and libvirt has a domain of that name', async () => {
    await withDomain('suggested', async () => {
      const line = 'no such file or directory; libvirt has a domain of this name: add --connect qemu:///system\n';
      const { code, stderr } = await tool.run(['rewrite', 'suggested']);
      expect({ code, stderr }).toEqual({ code: 3, stderr: `suggested: error: file-unreadable: ${line}` });
      expect((await tool.run(['rewrite', 'missing'])).stderr).toBe(
        'missing: error: file-unreadable: no such file or directory\n',
      );
    });
  });

  it('makes attach print the device to plug in', async () => {
    await withDomain('plugged', async (uuid) => {
      await tool.run(['rewrite', '--define', '--yes', ...state, '--spare-ports', '1', ...tool.here, uuid]);
      const [connect, uri] = ['--connect', 'qemu:///system'];
      const host = tool.here.slice(2, 4);
      const device = await tool.run(['attach', connect, uri, ...host, 'plugged', '0000:31:10.4']);
      expect(device.stderr).toBe('');
      await virsh(lab, ['attach-device', uuid, '/dev/stdin', '--config'], device.stdout);
    });
  });
});

const atTerminal = (name: string, answer: () => string | Promise<string>) => {
  const line = `${tool.path} rewrite --define ${[...state, ...tool.here].join(' ')} ${name}`;
  return tool.atTerminal(line, { prompt: /\[y\/N\]/, answer });
};

describe('--define', () => {
  it('stores the domain and keeps its password, and revert restores it byte for byte', async ({ task }) => {
    await withDomain('stored', async (uuid) => {
      const before = await dump(uuid);
      const rewritten = await tool.run(['rewrite', '--define', '--yes', '--diff', ...state, ...tool.here, 'stored']);
      expect(rewritten.code).toBe(0);
      expect(rewritten.stdout).toContain("+    <iommu model='smmuv3'>");
      expect(rewritten.stdout + rewritten.stderr).not.toContain('s3cret');
      const after = await dump(uuid);
      expect(after).toContain("passwd='s3cret'");
      expect(after).toContain("<iommu model='smmuv3'>");

      const backup = /is in (\S+)$/m.exec(rewritten.stderr)?.[1] ?? '';
      expect(await lab.jail.output(['cat', backup])).toBe(before);
      expect(await lab.jail.output(['stat', '-c', '%a', backup])).toBe('600\n');

      const again = await tool.run(['rewrite', '--define', '--yes', '--json', ...state, ...tool.here, 'stored']);
      expect(JSON.parse(again.stdout)).toMatchObject({ changed: false });
      await tool.run(['revert', '--define', '--yes', ...state, '--connect', 'qemu:///system', 'stored']);
      expect(await dump(uuid)).toBe(before);
      task.meta.lab = { defined: 2 };
    });
  });

  it('shows the change and asks on a terminal, and treats any answer except yes as no', async () => {
    await withDomain('asked', async (uuid) => {
      const before = await dump(uuid);
      const no = await atTerminal('asked', () => '\n');
      expect(no.shown).toMatch(/<iommu model='smmuv3'>[\s\S]*Define "asked"\? \[y\/N\]/);
      expect(no.shown).toContain('define-declined');
      expect(no.shown).not.toContain('s3cret');
      expect(no.code).toBe(1);
      expect(await dump(uuid)).toBe(before);
      expect((await atTerminal('asked', () => 'y\n')).code).toBe(0);
      expect(await dump(uuid)).not.toBe(before);
    });
  });

  it('changes nothing without a terminal and without --yes', async () => {
    await withDomain('unasked', async (uuid) => {
      const before = await dump(uuid);
      const { code, stderr } = await tool.run(['rewrite', '--define', '--quiet', ...state, ...tool.here, 'unasked']);
      expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('give --yes') });
      expect(await dump(uuid)).toBe(before);
    });
  });

  it('keeps a definition that was made while it asked', async () => {
    await withDomain('edited', async (uuid) => {
      const { code, shown } = await atTerminal('edited', async () => {
        await virsh(lab, ['desc', uuid, '--title', 'mine', '--config']);
        return 'y\n';
      });
      expect(shown).toContain('domain-edited');
      expect(code).toBe(1);
      const after = await dump(uuid);
      expect(after).toContain('<title>mine</title>');
      expect(after).not.toContain('<iommu');
    });
  });

  it('reports that changes to a running domain take effect at its next start, and leaves it running', async () => {
    const uuid = await define(lab, (ml?.xml ?? '').replace(/<devices>[\s\S]*<\/devices>/, '<devices/>'));
    try {
      await virsh(lab, ['start', '--paused', uuid]);
      const before = await dump(uuid);
      const hostdev = `<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x91' slot='0x00' function='0x0'/></source></hostdev>`;
      await virsh(lab, ['attach-device', uuid, '/dev/stdin', '--config'], hostdev);
      const { code, stderr } = await tool.run(['rewrite', '--define', '--yes', ...state, ...tool.here, uuid]);
      expect(stderr).toMatch(/note: domain-running/);
      expect(code).toBe(0);
      expect(await dump(uuid)).not.toBe(before);
      expect((await virsh(lab, ['domstate', uuid])).trim()).toBe('paused');
    } finally {
      await virsh(lab, ['destroy', uuid]);
      await undefine(lab, uuid);
    }
  });
});
