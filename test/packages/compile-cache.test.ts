import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cacheFolder } from '../lab/cache.js';
import { output, packageFile, run } from './packages.js';

const VERSION = '22.23.3';

/** Returns a Node with a compile cache. The first call downloads it into the lab's cache. */
function node22(): string {
  const name = `node-linux-${process.arch}`;
  const folder = join(cacheFolder(), `${name}-${VERSION}`);
  if (!existsSync(folder)) {
    const scratch = mkdtempSync(join(cacheFolder(), 'download-'));
    const env = { env: process.env };
    output(['npm', 'pack', '--silent', '--pack-destination', scratch, `${name}@${VERSION}`], env);
    output(['tar', '-xzf', join(scratch, `${name}-${VERSION}.tgz`), '-C', scratch], env);
    renameSync(join(scratch, 'package'), folder);
    rmSync(scratch, { recursive: true });
  }
  return join(folder, 'bin/node');
}

const NOBODY = 65534;
const folder = mkdtempSync(join(tmpdir(), 'vsmmu-cache-'));
const node = join(folder, 'node');
const home = join(folder, 'home');
const cache = join(home, '.cache');
const elsewhere = join(folder, 'elsewhere');

beforeAll(() => {
  chmodSync(folder, 0o755);
  makeFolder(elsewhere);
  output(['cp', node22(), node], { env: process.env });
  chmodSync(node, 0o755);
  output(['tar', '-xzf', packageFile(/\.tgz$/), '-C', folder, '--no-same-owner'], { env: process.env });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  rmSync(home, { recursive: true, force: true });
  makeFolder(home);
});

function makeFolder(path: string, mode = 0o700, owner = NOBODY): void {
  mkdirSync(path);
  chownSync(path, owner, owner);
  chmodSync(path, mode);
}

/** Makes the cache, and calls `make` with the path of vsmmu's folder in it. */
function inCache(make: (path: string) => void): void {
  makeFolder(cache);
  make(join(cache, 'vsmmu'));
}

/** Starts the npm package as another user, and returns the names in vsmmu's folder of that user's cache. */
function start(options: readonly string[] = ['--reuid=nobody', '--clear-groups'], HOME = home): readonly string[] {
  const argv = ['setpriv', ...options, node, join(folder, 'package/bin/vsmmu'), '--version'];
  const { code, stderr } = run(argv, { env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', HOME } });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return existsSync(join(cache, 'vsmmu')) ? readdirSync(join(cache, 'vsmmu')) : [];
}

describe('the compile cache of Node 22', () => {
  it('is in the cache folder of the user, below the version of Node', () => {
    expect(start()).toEqual([expect.stringMatching(`^v${VERSION}-.*-${NOBODY}$`)]);
    expect(start()).toHaveLength(1);
  });

  it('is not kept for root', () => {
    expect(start(['--reuid=root', '--clear-groups'])).toEqual([]);
  });

  it.each<[what: string, prepare: () => void]>([
    ['the cache is writable by a group', () => makeFolder(cache, 0o770)],
    ['the cache belongs to another user', () => makeFolder(cache, 0o777, 0)],
    ['the folder in it is writable by others', () => inCache((path) => makeFolder(path, 0o702))],
    ['the folder in it belongs to another user', () => inCache((path) => makeFolder(path, 0o755, 0))],
    ['the folder in it is a link', () => inCache((path) => symlinkSync(elsewhere, path))],
    ['the cache is read-only', () => makeFolder(cache, 0o500)],
  ])('is not used if %s', (_, prepare) => {
    prepare();
    expect(start()).toEqual([]);
    expect(readdirSync(home)).toEqual(['.cache']);
  });

  it.each(['/nowhere', '/proc', ''])('is not used without a home folder: %j', (HOME) => {
    expect(start(undefined, HOME)).toEqual([]);
  });
});
