import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** Returns the first bytes of a file, at most `limit`; empty if it is not a regular file or cannot be read. */
export function readBytes(file: string, limit: number): Buffer {
  let fd: number | undefined;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    if (!fstatSync(fd).isFile()) return Buffer.alloc(0);
    const buffer = Buffer.alloc(limit);
    let length = 0;
    for (let read = -1; read !== 0 && length < limit; length += read) {
      read = readSync(fd, buffer, length, limit - length, null);
    }
    return buffer.subarray(0, length);
  } catch {
    return Buffer.alloc(0);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
