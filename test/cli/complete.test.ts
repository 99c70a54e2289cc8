import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { complete, domainNames } from '../../src/cli/completion.js';
import { temporaryFolder, vsmmu } from './run.js';

const domains = (uri: string) => (uri === 'qemu:///system' ? ['vm1', 'vm2', 'other'] : []);

/** Returns the values of the candidates for the last word. */
const values = async (...words: string[]) => (await complete(words, domains)).candidates.map(({ value }) => value);

describe('completion of a command line', () => {
  it('offers the commands, and the subcommands of batch and hook', async () => {
    expect(await values('re')).toEqual(['revert', 'rewrite']);
    expect(await values('hook', '')).toEqual(['install', 'status', 'uninstall']);
    expect(await values('batch', 'r')).toEqual(['resume', 'rollback']);
  });

  it('offers no internal command', async () => {
    expect(await values('')).not.toContain('complete');
    expect(await values('')).not.toContain('on-define-domain');
  });

  it('offers the options of the command', async () => {
    expect(await values('rewrite', '--spare')).toEqual(['--spare-ports', '--spare-memory']);
    expect(await values('explain', '--spare')).toEqual([]);
  });

  it('offers the values of an option, after a space and after =', async () => {
    expect(await values('rewrite', '--grouping', '')).toEqual(['smmu', 'device']);
    expect(await values('rewrite', '--grouping=s')).toEqual(['--grouping=smmu']);
  });

  it.each([
    ['an option that takes a file', ['rewrite', '--topology', ''], 'file'],
    ['an option that takes a folder', ['rewrite', '--sysfs', ''], 'folder'],
    ['a domain without --connect', ['rewrite', '--diff', ''], 'file'],
  ])('asks the shell for file names: %s', async (_, words, paths) => {
    expect(await complete(words, domains)).toEqual({ candidates: [], paths });
  });

  it('offers the domains of the libvirt that --connect names', async () => {
    expect(await values('rewrite', '--connect', 'qemu:///system', 'vm')).toEqual(['vm1', 'vm2']);
    expect(await values('rewrite', '--connect=qemu:///system', '--', 'o')).toEqual(['other']);
    expect(await values('check', '-c', 'qemu:///session', '')).toEqual([]);
  });

  it('offers no option after --', async () => {
    expect(await values('explain', '--', '--')).toEqual([]);
    expect(await values('explain', '--json', '--', '--')).toEqual([]);
  });

  it('offers codes after explain, and shells after completion', async () => {
    expect(await values('explain', 'pcihole64-e')).toEqual(['pcihole64-exhausted']);
    expect(await values('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  it('offers nothing after an unknown command', async () => {
    expect(await complete(['frobnicate', ''], domains)).toEqual({ candidates: [] });
    expect(await complete(['hook', 'frobnicate', ''], domains)).toEqual({ candidates: [] });
  });

  it('offers commands with what they do, and --help everywhere', async () => {
    const { candidates } = await complete(['topo'], domains);
    expect(candidates).toEqual([{ value: 'topology', description: expect.stringMatching(/host/) }]);
    expect((await complete(['hook', 'st'], domains)).candidates).toEqual([
      { value: 'status', description: expect.stringMatching(/hook/) },
    ]);
    expect((await complete(['batch'], domains)).candidates).toEqual([{ value: 'batch' }]);
    expect((await complete(['explain', '--he'], domains)).candidates).toEqual([
      { value: '--help', description: 'print help' },
    ]);
  });

  it.each<[title: string, words: string[], offered: string[]]>([
    ['a short option', ['rewrite', '-c', ''], ['qemu:///system', 'qemu:///session']],
    ['an option with = in its value', ['rewrite', '--connect=qemu:///se'], ['--connect=qemu:///session']],
    ['an unknown option with =', ['rewrite', '--frobnicate=x'], []],
    ['an option with any text', ['rewrite', '--spare-memory', ''], []],
    ['a value after a switch', ['rewrite', '--connect', 'qemu:///system', '--diff', 'vm'], ['vm1', 'vm2']],
    ['the local libvirt of a batch', ['batch', 'convert', 'v'], ['vm1', 'vm2']],
    ['another libvirt of a batch', ['batch', 'convert', '-c', 'qemu:///session', ''], []],
    ['a command without operands', ['doctor', ''], []],
    ['a connection after --', ['rewrite', '--', '--connect', 'qemu:///system', ''], []],
  ])('offers the possible words: %s', async (_, words, offered) => {
    expect(await values(...words)).toEqual(offered);
  });

  it('asks the shell for file names after an option that takes a file, also after =', async () => {
    expect(await complete(['rewrite', '-o', ''], domains)).toEqual({ candidates: [], paths: 'file' });
    expect((await complete(['rewrite', '--', ''], domains)).paths).toBe('file');
    expect((await complete(['doctor', ''], domains)).paths).toBeUndefined();
  });
});

describe('the names of domains', () => {
  it('are those that virsh lists, without a connection that can change them', () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'virsh'), `#!/bin/sh\necho "$*" >'${folder}/args'\nprintf 'vm 1\\n\\nvm2\\n'\n`, {
      mode: 0o755,
    });
    vi.stubEnv('PATH', `${folder}:${process.env.PATH}`);
    expect(domainNames('qemu:///x')).toEqual(['vm 1', 'vm2']);
    expect(readFileSync(join(folder, 'args'), 'utf8')).toBe(
      '--quiet --connect qemu:///x --readonly list --all --name\n',
    );
    vi.stubEnv('PATH', '/nowhere');
    expect(domainNames('qemu:///x')).toEqual([]);
    vi.unstubAllEnvs();
  });
});

describe('vsmmu completion', () => {
  it.each([
    ['bash', 'complete -F _vsmmu vsmmu'],
    ['zsh', '#compdef vsmmu'],
    ['fish', "complete -c vsmmu -f -a '(__vsmmu_complete)'"],
  ])('prints the script for %s', (shell, line) => {
    const { code, stdout, stderr } = vsmmu(['completion', shell]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout.split('\n')).toContain(line);
  });
});
