import { execFileSync } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Bdf } from '../../src/domain/address.js';
import type { PciDevice } from '../../src/generated/topology.js';
import type { Host } from '../../src/host/host.js';

const unpacked = new Map<string, string>();

/** Files that no scan opens. Copies for tests do not have them, to save time. */
const NOT_SCANNED = ['acpi', 'aer', 'link', 'config', 'uevent', 'modalias', 'driver_override', 'revision', 'enable']
  .concat(['ari_enabled', 'wakeup', 'LNX*', '*:pcie0*', '*subsystem*', '*_link_*', 'memory[0-9]*'])
  .flatMap((name) => ['--exclude', `*/${name}`]);

/** Returns the `sys` folder of a host of `test/fixtures/hosts`, unpacked once. Tests must not change it. */
export function unpackHost(name: string): string {
  const sys = unpacked.get(name) ?? unpackAnew(name);
  unpacked.set(name, sys);
  return sys;
}

/** Returns the `sys` folder of a changed copy of a host; `at` returns the full path of a path below `sys`. */
export function changedHost(change: (at: (path: string) => string) => void, name = 'host-a'): string {
  const sys = unpackAnew(name, NOT_SCANNED);
  change((path) => join(sys, path));
  return sys;
}

/** Returns the device with an address, which must exist. */
export function deviceOf(host: Host, address: string): PciDevice {
  const device = host.device(address as Bdf);
  if (!device) throw new Error(`no ${address}`);
  return device;
}

/** The addresses of devices. */
export const bdfs = (devices: readonly PciDevice[]): string[] => devices.map((device) => device.bdf);

/** An address written by hand. */
export const bdf = (text: string): Bdf => text as Bdf;

function unpackAnew(name: string, options: readonly string[] = []): string {
  const archive = fileURLToPath(new URL(`../fixtures/hosts/${name}.sysfs.tar.gz`, import.meta.url));
  const folder = mkdtempSync(join(tmpdir(), `vsmmu-${name}-`));
  execFileSync('tar', ['-xzf', archive, '-C', folder, ...options]);
  return join(folder, 'sys');
}
