/** Programs named `vsmmu` for the integrations of samples/ to call. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../documents.js';

/** The ways in which `vsmmu` can fail, each with a shell script; without a script, the program is missing. */
export const FAILURES: readonly (readonly [string, string | undefined])[] = [
  ['is missing', undefined],
  ['refuses the domain', 'echo "vm.xml:1:1: error: device-missing" >&2; exit 1'],
  ['is called wrongly', 'exit 2'],
  ['is killed', 'kill -KILL $$'],
  ['takes too long', 'exec sleep 60'],
  ['prints nothing', 'exit 0'],
  ['prints half a domain', 'echo "<domain>"'],
];

/** Puts a `vsmmu` into the first folder of PATH. */
export function install(folder: string, script: string | undefined): void {
  if (script !== undefined) writeFileSync(join(folder, 'vsmmu'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

/** Returns a script that runs this repository's `vsmmu` on a sample host, with current versions of libvirt and QEMU. */
export function onHost(topology: string): string {
  const program = `"${process.execPath}" "${REPOSITORY}bin/vsmmu"`;
  return `exec ${program} "$@" --topology "${REPOSITORY}samples/hosts/${topology}" --libvirt 12.8 --qemu 11.1`;
}
