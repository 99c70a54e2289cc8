import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folders: string[] = [];
const unpacked = new Map<string, string>();

process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/**
 * The `sys` folder of a host of `test/fixtures/hosts`, unpacked once a process and removed at its end.
 * A test that changes it takes `unpackHostAnew`.
 */
export function unpackHost(name: string): string {
  const sys = unpacked.get(name) ?? unpackHostAnew(name);
  unpacked.set(name, sys);
  return sys;
}

/** As `unpackHost`, but a fresh copy each time, for the test to change. */
export function unpackHostAnew(name: string): string {
  const archive = fileURLToPath(new URL(`../fixtures/hosts/${name}.sysfs.tar.gz`, import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), `vsmmu-${name}-`));
  folders.push(folder);
  execFileSync('tar', ['-xzf', archive, '-C', folder]);
  return join(folder, 'sys');
}
