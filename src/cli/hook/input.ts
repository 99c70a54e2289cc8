import { closeSync, constants, openSync, readSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { systemCode } from '../../io/errors.js';
import { MAX_BYTES } from '../../xml/source.js';
import { readInput } from '../io/files.js';

const CHUNK = 64 * 1024;

/**
 * Reads standard input, but not beyond the size limit. A pipe is reopened in non-blocking mode and polled: loading
 * Node's stream takes longer than checking a domain, and a blocking read cannot be aborted.
 */
export async function readHookInput(): Promise<Uint8Array> {
  let fd: number;
  try {
    fd = openSync('/dev/stdin', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return await readInput('-'); // A socket, or no /proc.
  }
  try {
    const chunks: Buffer[] = [];
    for (let size = 0; size <= MAX_BYTES; ) {
      const chunk = Buffer.allocUnsafe(CHUNK);
      const count = tryRead(fd, chunk);
      if (count === 0) break;
      if (count === undefined) await pause(1);
      else {
        chunks.push(chunk.subarray(0, count));
        size += count;
      }
    }
    return Buffer.concat(chunks);
  } finally {
    closeSync(fd);
  }
}

/** Returns the number of bytes read; 0 at the end of the input, undefined if no data is available yet. */
function tryRead(fd: number, into: Buffer): number | undefined {
  try {
    return readSync(fd, into);
  } catch (error) {
    if (systemCode(error) === 'EAGAIN') return undefined;
    throw error;
  }
}
