import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { REPOSITORY } from '../../bin/build/repository.js';
import { executable, output, temporaryFolder } from './packages.js';

/** A PATH that finds the executable as `vsmmu`. */
function path(): string {
  const folder = join(temporaryFolder(), 'bin');
  mkdirSync(folder);
  symlinkSync(executable(), join(folder, 'vsmmu'));
  return `${folder}:/usr/bin:/bin`;
}

/** Runs a script in a shell that has loaded its completion. */
function inShell(shell: string, script: string): string {
  const env = { PATH: path(), HOME: temporaryFolder(), LC_ALL: 'C.UTF-8' };
  return output(
    [shell, ...(shell === 'bash' ? ['--norc'] : shell === 'zsh' ? ['-f'] : ['--no-config']), '-c', script],
    { env },
  );
}

const BASH = `eval "$(vsmmu completion bash)"
# What readline does before it calls a completion function.
typed() { COMP_LINE=$1 COMP_POINT=\${#1} COMPREPLY=(); _vsmmu 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"; }
`;

describe('completion', () => {
  it.each([
    ['a command', 'vsmmu rew', ['rewrite']],
    ['the value of an option', 'vsmmu rewrite --grouping ', ['smmu', 'device']],
    ['an option after others', 'vsmmu rewrite --topology x.json --spare-p', ['--spare-ports']],
    ['a URI with colons', 'vsmmu rewrite --connect qemu:///sy', ['///system']],
    ['the value after =', 'vsmmu rewrite --grouping=d', ['device']],
    ['a file', 'vsmmu rewrite samples/domains/gh', ['samples/domains/gh200-vm.xml']],
    ['a folder', 'vsmmu batch convert --dir samples/dom', ['samples/domains']],
  ])('in bash: %s', (_, line, expected) => {
    expect(inShell('bash', `cd ${REPOSITORY}\n${BASH}typed '${line}'`).trim().split('\n')).toEqual(expected);
  });

  it.each([
    ['a command', 'vsmmu rew', ['rewrite']],
    ['the value of an option', 'vsmmu rewrite --grouping ', ['device', 'smmu']],
    ['the value after =', 'vsmmu rewrite --grouping=d', ['--grouping=device']],
    ['a file', 'vsmmu rewrite samples/domains/gh', ['samples/domains/gh200-vm.xml']],
  ])('in fish: %s', (_, line, expected) => {
    const script = `cd ${REPOSITORY}; vsmmu completion fish | source; complete -C '${line}'`;
    const values = inShell('fish', script)
      .trim()
      .split('\n')
      .map((each) => each.split('\t')[0]);
    expect(values).toEqual(expected);
  });

  it('in zsh: loads without output, and is registered', () => {
    const script =
      'autoload -Uz compinit; compinit -u -d $HOME/dump; eval "$(vsmmu completion zsh)"; print -r -- $_comps[vsmmu]';
    expect(inShell('zsh', script).trim()).toBe('_vsmmu');
  });
});
