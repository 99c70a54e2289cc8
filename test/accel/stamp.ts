/**
 * Which sources the acceleration was last shown for: `proven.json` has the hash of all that a run covers, written by a
 * run of everything that passed. CI goes by it, since making the host takes half an hour on a new machine.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const stamp = fileURLToPath(new URL('./proven.json', import.meta.url));

/** The tool and this lab, without generated files and documents. */
const covered = ['src', 'schemas', 'bin', 'test/accel'];
const leftOut = /^src\/generated\/|\.md$|^test\/accel\/proven\.json$/;

/** Every test file of this lab, by its path. */
export function testFiles(): string[] {
  return files('test/accel')
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join(repository, path));
}

/** Whether what a run covers is still what the last one that passed had. */
export function isProven(): boolean {
  if (!existsSync(stamp)) return false;
  return (JSON.parse(readFileSync(stamp, 'utf8')) as { sources?: string }).sources === sourcesHash();
}

export function writeStamp(): void {
  if (!isProven()) writeFileSync(stamp, `${JSON.stringify({ sources: sourcesHash() }, null, 2)}\n`);
}

function sourcesHash(): string {
  const hash = createHash('sha256');
  for (const path of covered.flatMap(files).filter((each) => !leftOut.test(each)))
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(repository, path)))
      .update('\0');
  return hash.digest('hex').slice(0, 16);
}

/** Paths of the files below a folder of the repository, in order. */
function files(folder: string): string[] {
  return readdirSync(join(repository, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(repository, join(entry.parentPath, entry.name)))
    .sort();
}
