/** The kernel and the disk of a host, made once per recipe and kept in the lab's cache. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir, rename, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheFolder, lockFile, takeLock } from '../lab/cache.js';
import { LabError } from '../lab/process.js';
import { openRoot, type Root } from '../lab/rootfs.js';
import { agentRecipe, makeAgent } from './agent.js';
import { imageRecipe, makeImage } from './image.js';
import { kernelRecipe, makeKernel } from './kernel.js';
import { Workshop } from './workshop.js';

interface Part {
  readonly name: string;
  readonly recipe: unknown;
  readonly make: (workshop: Workshop, target: string, say: (line: string) => void) => Promise<void>;
}

// The disk first: it takes only a minute, so problems with the network appear early.
const parts: readonly Part[] = [
  { name: 'agent', recipe: agentRecipe, make: makeAgent },
  { name: 'disk', recipe: imageRecipe, make: makeImage },
  { name: 'kernel', recipe: kernelRecipe, make: makeKernel },
];

/** Disk space needed while they are made: sources, objects, compilers, packages. */
const neededGiB = 6;

export interface Parts {
  readonly kernel: string;
  readonly disk: string;
  /** The guests' agent. */
  readonly agent: string;
  /** The lab's root, whose QEMU emulates the host. */
  readonly root: string;
  release(): Promise<void>;
}

/** Returns the path of a part of the current recipe, whether or not it exists. */
export function partPath(name: string): string {
  const part = parts.find((each) => each.name === name);
  const key = createHash('sha256').update(JSON.stringify(part?.recipe)).digest('hex').slice(0, 12);
  return join(cacheFolder(), `accel-${name}-${key}`);
}

/** Returns whether all parts exist. */
export function partsAreMade(): boolean {
  return parts.every(({ name }) => existsSync(partPath(name)));
}

/** Returns the parts, and makes the missing ones. Calls `say` before each slow step. Throws LabError. */
export async function openParts(say: (line: string) => void): Promise<Parts> {
  const root = await openRoot(say);
  try {
    for (;;) {
      const lock = await take('shared', say);
      if (partsAreMade()) {
        const release = async (): Promise<void> => {
          await lock.release();
          await root.release();
        };
        return {
          kernel: partPath('kernel'),
          disk: partPath('disk'),
          agent: partPath('agent'),
          root: root.path,
          release,
        };
      }
      await lock.release();
      await makeMissing(root, say);
    }
  } catch (error) {
    await root.release();
    throw error;
  }
}

async function makeMissing(root: Root, say: (line: string) => void): Promise<void> {
  const lock = await take('exclusive', say);
  try {
    if (partsAreMade()) return;
    await removeOthers();
    await requireSpace();
    await using workshop = await Workshop.open(root.path, say);
    for (const { name, make } of parts) {
      if (existsSync(partPath(name))) continue;
      const unfinished = `${partPath(name)}.unfinished`;
      await make(workshop, unfinished, say);
      await rename(unfinished, partPath(name));
    }
  } finally {
    await lock.release();
  }
}

function take(kind: 'shared' | 'exclusive', say: (line: string) => void) {
  return takeLock(kind, () => say('waiting for another user of the emulated host'), lockFile('accel.lock'));
}

/** Removes parts of other recipes and unfinished ones. The caller holds the exclusive lock. */
async function removeOthers(): Promise<void> {
  const kept = new Set(parts.map(({ name }) => partPath(name)));
  for (const name of await readdir(cacheFolder())) {
    const path = join(cacheFolder(), name);
    if (/^accel-(agent|kernel|disk|iort)-/.test(name) && !kept.has(path)) await rm(path, { force: true });
  }
}

async function requireSpace(): Promise<void> {
  const { bavail, bsize } = await statfs(cacheFolder());
  const free = (bavail * bsize) / 1024 ** 3;
  if (free < neededGiB) {
    throw new LabError(
      `making the host needs ${neededGiB} GiB of disk; ${cacheFolder()} has ${free.toFixed(1)} GiB left`,
    );
  }
}
