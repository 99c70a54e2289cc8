import { describe, expect, it } from 'vitest';
import { complete } from '../../src/cli/completion.js';

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
  });
});
