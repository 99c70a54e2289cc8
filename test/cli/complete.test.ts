import { describe, expect, it } from 'vitest';
import { complete } from '../../src/cli/complete.js';

const domains = (uri: string) => (uri === 'qemu:///system' ? ['vm1', 'vm2', 'other'] : []);

/** The values of the candidates for the last word. */
const values = (...words: string[]) => complete(words, domains).candidates.map(({ value }) => value);

describe('completion of a command line', () => {
  it('offers the commands, and the second words of batch and hook', () => {
    expect(values('re')).toEqual(['rewrite', 'revert']);
    expect(values('hook', '')).toEqual(['install', 'uninstall', 'status']);
    expect(values('batch', 'r')).toEqual(['resume', 'rollback']);
  });

  it('offers no command that only programs call', () => {
    expect(values('')).not.toContain('complete');
    expect(values('')).not.toContain('on-define-domain');
  });

  it('offers the options of the command', () => {
    expect(values('rewrite', '--spare')).toEqual(['--spare-ports', '--spare-memory']);
    expect(values('explain', '--spare')).toEqual([]);
  });

  it('offers the values of an option, after a space as after =', () => {
    expect(values('rewrite', '--grouping', '')).toEqual(['smmu', 'device']);
    expect(values('rewrite', '--grouping=s')).toEqual(['--grouping=smmu']);
  });

  it.each([
    ['an option that takes a file', ['rewrite', '--topology', ''], 'file'],
    ['an option that takes a folder', ['rewrite', '--sysfs', ''], 'folder'],
    ['a domain without --connect', ['rewrite', '--diff', ''], 'file'],
  ])('asks the shell for names of files: %s', (_, words, paths) => {
    expect(complete(words, domains)).toEqual({ candidates: [], paths });
  });

  it('offers the domains of the libvirt that --connect names', () => {
    expect(values('rewrite', '--connect', 'qemu:///system', 'vm')).toEqual(['vm1', 'vm2']);
    expect(values('rewrite', '--connect=qemu:///system', '--', 'o')).toEqual(['other']);
    expect(values('check', '-c', 'qemu:///session', '')).toEqual([]);
  });

  it('offers no option after --', () => {
    expect(values('explain', '--', '--')).toEqual([]);
    expect(values('explain', '--json', '--', '--')).toEqual([]);
  });

  it('offers codes after explain, and shells after completion', () => {
    expect(values('explain', 'pcihole64-e')).toEqual(['pcihole64-exhausted']);
    expect(values('completion', '')).toEqual(['bash', 'zsh', 'fish']);
  });

  it('offers nothing after an unknown command', () => {
    expect(complete(['frobnicate', ''], domains)).toEqual({ candidates: [] });
  });
});
