import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../cli/run.js';
import { REPOSITORY } from '../documents.js';
import { FAILURES, install } from './programs.js';

/** The failures of `vsmmu batch`, which prints no domain. */
const BATCH_FAILURES = FAILURES.filter(([title]) => !title.startsWith('prints'));

let folder: string;
beforeEach(() => {
  folder = temporaryFolder();
  mkdirSync(join(folder, 'bin'));
  program('virt-install', 'echo "<domain><name>guest</name></domain>"');
  // Stores what it defines and what it starts.
  program(
    'virsh',
    `case $1 in define) cat "$2" >"${folder}/defined" ;; domstate) echo shut off ;; *) echo "$@" >"${folder}/started" ;; esac`,
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

function program(name: string, script: string): void {
  writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

function run(script: string, env: NodeJS.ProcessEnv = {}) {
  const { status, stderr } = spawnSync(join(REPOSITORY, 'samples', script), ['--name', 'guest'], {
    encoding: 'utf8',
    timeout: 30_000,
    env: { PATH: `${folder}/bin:/usr/bin:/bin`, VSMMU_LIMIT: '1', DOMAIN: 'guest', ...env },
  });
  const stored = (name: string) => {
    const file = join(folder, name);
    return existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined;
  };
  return { status, stderr, defined: stored('defined'), started: stored('started') };
}

describe('virt-install/define.sh', () => {
  it('defines what vsmmu prints', () => {
    install(join(folder, 'bin'), 'sed s/guest/converted/');
    const defined = '<domain><name>converted</name></domain>';
    expect(run('virt-install/define.sh', { VSMMU_LIMIT: '60' })).toMatchObject({ status: 0, defined });
  });

  it.each(BATCH_FAILURES)('defines nothing, with a reason, if vsmmu %s', (_, script) => {
    install(join(folder, 'bin'), script);
    const { status, stderr, defined } = run('virt-install/define.sh');
    expect(defined).toBeUndefined();
    expect(stderr).toContain(`vsmmu rewrite failed with exit code ${status}; nothing is defined`);
    expect(status).toBeGreaterThan(0);
  });
});

describe('terraform/convert.sh', () => {
  it('starts the domain after its conversion', () => {
    install(join(folder, 'bin'), `echo "$@" >"${folder}/defined"`);
    expect(run('terraform/convert.sh', { VSMMU_LIMIT: '60' })).toMatchObject({
      status: 0,
      defined: 'batch convert --apply --libvirt here --qemu here -- guest',
      started: 'start --domain guest',
    });
  });

  it.each(BATCH_FAILURES)('starts the domain as it is, or nothing with enforce, if vsmmu %s', (_, script) => {
    install(join(folder, 'bin'), script);
    expect(run('terraform/convert.sh', { VSMMU_MODE: 'enforce' })).toMatchObject({ status: 1, started: undefined });
    const { status, stderr, started } = run('terraform/convert.sh', { VSMMU_MODE: 'warn' });
    expect({ status, started }).toEqual({ status: 0, started: 'start --domain guest' });
    expect(stderr).toContain('vsmmu: guest was not converted');
  });
});
