/**
 * Records which sources the tests of acceleration passed with: a complete run that passes writes the hash of the sources to
 * `proven.json`. CI runs these tests only if the hash has changed, because a new computer needs half an hour to make the host.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const stamp = fileURLToPath(new URL('./proven.json', import.meta.url));

/** The sources of vsmmu and of this lab. Generated files and documents are left out. */
const covered = ['src', 'schemas', 'bin', 'test/accel'];
const leftOut = /^src\/generated\/|\.md$|^test\/accel\/proven\.json$/;

/** Returns the paths of the test files of this lab. */
export function testFiles(): string[] {
  return files('test/accel')
    .filter((path) => path.endsWith('.test.ts'))
    .map((path) => join(repository, path));
}

/** Returns whether the sources are those of the last run that passed. */
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

/** Returns the paths of the files below a folder of the repository, sorted. */
function files(folder: string): string[] {
  return readdirSync(join(repository, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(repository, join(entry.parentPath, entry.name)))
    .sort();
}
