import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder, vsmmu } from '../cli/run.js';
import { documentText, REPOSITORY } from '../documents.js';
import { FAILURES, install, onHost } from './programs.js';

const gh200 = documentText('samples/domains/gh200-vm.xml');
const withoutDevices = documentText('samples/domains/virtio-only.xml');

let folder: string;
let hooks: string;
beforeEach(() => {
  folder = temporaryFolder();
  chmodSync(folder, 0o755);
  hooks = join(folder, 'before_vm_start');
  for (const name of [hooks, join(folder, 'bin'), join(folder, 'tmp')]) mkdirSync(name);
  chmodSync(join(folder, 'tmp'), 0o1777);
  copyFileSync(join(REPOSITORY, 'samples/ovirt/60_vsmmu'), join(hooks, '60_vsmmu'));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Start {
  /** The domain that VDSM defines. */
  readonly xml: string;
  /** The text of the engine's event; undefined if the VM starts. */
  readonly error: string | undefined;
}

/**
 * Starts a VM as VDSM does (`before_vm_start` and `_runHooksDir` of lib/vdsm/common/hooks.py, commit fd4b0df20): all hooks
 * in the order of their names, with custom properties in the environment. Exit code 2 ends the loop; any code except 0 is an error.
 */
function start(xml: string, custom: Readonly<Record<string, string>> = {}, uid = process.getuid?.()): Start {
  const file = join(folder, 'tmp/tmpdomain');
  writeFileSync(file, xml, { mode: 0o600 });
  if (uid !== undefined) spawnSync('chown', [String(uid), file]);
  const env = { PATH: `${folder}/bin:/usr/bin:/bin`, VSMMU_LIMIT: '1', ...custom, vmId: 'x', _hook_domxml: file };
  const errors: string[] = [];
  for (const name of readdirSync(hooks).sort()) {
    const { status, stderr } = spawnSync(join(hooks, name), {
      env,
      encoding: 'utf8',
      ...(uid !== undefined && { uid }),
    });
    if (status !== 0) errors.push(stderr);
    if (status === 2) break;
  }
  expect(readdirSync(join(folder, 'tmp')), 'nothing is left behind').toEqual(['tmpdomain']);
  return { xml: readFileSync(file, 'utf8'), error: errors.at(-1) };
}

/** Adds a hook that adds a mark to the domain. */
function addLaterHook(): void {
  writeFileSync(join(hooks, '70_later'), '#!/bin/sh\necho "<!-- later -->" >>"$_hook_domxml"\n', { mode: 0o755 });
}

describe("oVirt's hook", () => {
  it('gives VDSM the domain that vsmmu rewrite prints', () => {
    install(join(folder, 'bin'), onHost('gh200.json'));
    const { stdout } = vsmmu(['rewrite', '--topology', 'samples/hosts/gh200.json', 'samples/domains/gh200-vm.xml']);
    expect(stdout).not.toBe(gh200);
    expect(start(gh200, { VSMMU_LIMIT: '60' })).toEqual({ xml: stdout, error: undefined });
  });

  it.skipIf(process.getuid?.() !== 0)('works for a user who is not root', () => {
    install(join(folder, 'bin'), 'sed s/gh200-vm/converted/ "$6"');
    expect(start(gh200, {}, 65534)).toEqual({ xml: gh200.replaceAll('gh200-vm', 'converted'), error: undefined });
  });

  it.each(FAILURES)('leaves the domain unchanged, and lets it start, if vsmmu %s', (_, script) => {
    install(join(folder, 'bin'), script);
    addLaterHook();
    expect(start(gh200)).toEqual({ xml: `${gh200}<!-- later -->\n`, error: undefined });
  });

  it.each(FAILURES)('refuses the start, with the reason, if the property is enforce and vsmmu %s', (_, script) => {
    install(join(folder, 'bin'), script);
    addLaterHook();
    const { xml, error } = start(gh200, { vsmmu: 'enforce' });
    expect(error).toMatch(/^vsmmu: vsmmu rewrite .*; the domain stays as it was$/m);
    expect(xml).toBe(gh200);
  });

  it('does not change a domain without a host device, even if the property is enforce and vsmmu is missing', () => {
    expect(start(withoutDevices, { vsmmu: 'enforce' })).toEqual({ xml: withoutDevices, error: undefined });
  });

  it('does not convert the domain if the property is off', () => {
    install(join(folder, 'bin'), onHost('gh200.json'));
    expect(start(gh200, { vsmmu: 'off' })).toEqual({ xml: gh200, error: undefined });
  });
});
