import { closeSync, constants, openSync, readSync } from 'node:fs';

/** What the kernel has said since it started, a line each, as far as it is still there; empty where nobody may read it. */
export type KernelLog = () => readonly string[];

/** The longest record that the kernel gives (Linux, `PRINTKRB_RECORD_MAX` and a prefix). */
const RECORD = 8192;

/**
 * This machine's, from `/dev/kmsg` (Linux, Documentation/ABI/testing/dev-kmsg): each read gives one record,
 * `level,number,time,flags;text`, with lines of its own behind it that begin with a space.
 */
export const KERNEL_LOG: KernelLog = () => {
  const lines: string[] = [];
  let fd: number;
  try {
    fd = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return lines;
  }
  const buffer = Buffer.allocUnsafe(RECORD);
  try {
    for (;;) {
      const [text = ''] = (readRecord(fd, buffer) ?? '').split('\n', 1);
      if (text === '') return lines;
      lines.push(text.slice(text.indexOf(';') + 1));
    }
  } finally {
    closeSync(fd);
  }
};

/** The next record; undefined after the last. */
function readRecord(fd: number, buffer: Buffer): string | undefined {
  for (;;) {
    try {
      return buffer.toString('utf8', 0, readSync(fd, buffer));
    } catch (error) {
      // The oldest records may be overwritten while they are read: the next read goes on with what is left.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') return undefined;
    }
  }
}
