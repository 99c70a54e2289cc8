/** Installs libvirt's hook in a temporary folder, and calls it as libvirt does. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { REPOSITORY, type Run, temporaryFolder, vsmmu } from './run.js';

/** A sample without the device that is in no IOMMU group, because that is an error of every check. */
export const sample = readFileSync(join(REPOSITORY, 'samples/domains/ml-train.xml'), 'utf8').replaceAll(
  /<hostdev [\s\S]*?<\/hostdev>/g,
  (device) => (/bus='0x00' slot='0x10'/.test(device) ? '' : device),
);
export const converted = vsmmu(['rewrite', '--topology', 'samples/hosts/host-a.json'], sample).stdout;
/** The /sys of the sample's host, in a temporary folder. */
export const sysfs = ((): string => {
  const folder = mkdtempSync(join(tmpdir(), 'vsmmu-test-'));
  spawnSync('tar', ['xzf', join(REPOSITORY, 'test/fixtures/hosts/host-a.sysfs.tar.gz'), '-C', folder]);
  return join(folder, 'sys');
})();

/** A domain with an error for every QEMU: a placed device without iommufd. */
export const broken = converted.replace("<driver iommufd='yes'/>", '');

/** Makes the results independent of the installed libvirt and QEMU. */
export const TARGET = ['--libvirt', '12.8.0', '--qemu', '11.1.0'];

export interface Installed {
  readonly folder: string;
  readonly script: string;
  readonly policy: string;
  readonly log: string;
}

/** Installs the hook in a new folder. */
export function install(policy: object = {}, options: readonly string[] = []): Installed {
  const folder = temporaryFolder();
  const [policyFile, log] = [join(folder, 'policy.json'), join(folder, 'hook.log')];
  writeFileSync(policyFile, JSON.stringify(policy));
  const args = [
    '--dir',
    folder,
    '--policy',
    policyFile,
    '--log',
    log,
    '--sysfs',
    sysfs,
    '--state',
    folder,
    ...TARGET,
    ...options,
  ];
  expect(vsmmu(['hook', 'install', ...args])).toMatchObject({ code: 0, stdout: '' });
  return { folder, script: join(folder, 'qemu.d/vsmmu'), policy: policyFile, log };
}

/** Calls the script as libvirt does: with its environment, and the domain on standard input. */
export function call(script: string, args: readonly string[], input: string | Uint8Array = ''): Run {
  const env = { LC_ALL: 'C', PATH: process.env.PATH ?? '', HOME: '/root' };
  const { status, stdout, stderr } = spawnSync(script, args, { input, env, cwd: '/', encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

/** The path of a program that ends itself with a signal. */
export const KILLED = join(tmpdir(), `vsmmu-test-killed-${process.pid}`);

export const PREPARE = ['vm', 'prepare', 'begin', '-'];
