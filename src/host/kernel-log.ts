import { closeSync, constants, openSync, readSync } from 'node:fs';
import { systemCode } from '../io/errors.js';

/** Returns the lines of the kernel log that are still in its buffer; empty without permission to read it. */
export type KernelLog = () => readonly string[];

/** A line of the kernel's log. */
export interface LogRecord {
  /** The time at which it was written, in seconds since the kernel started. */
  readonly seconds: number;
  readonly text: string;
}

/** The longest record that the kernel returns, in bytes (Linux, `PRINTKRB_RECORD_MAX` and a prefix). */
const RECORD = 8192;

/** Reads the kernel log of this machine. */
export const KERNEL_LOG: KernelLog = () => (readKernelLog() ?? []).map(({ text }) => text);

/**
 * Reads the kernel log of this machine from `/dev/kmsg` (Linux, Documentation/ABI/testing/dev-kmsg). Each read returns one
 * record: `level,number,microseconds,flags;text`, followed by lines that begin with a space.
 * @returns undefined without permission to read it
 */
export function readKernelLog(): readonly LogRecord[] | undefined {
  const records: LogRecord[] = [];
  let fd: number;
  try {
    fd = openSync('/dev/kmsg', constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
  const buffer = Buffer.allocUnsafe(RECORD);
  try {
    for (;;) {
      const [line = ''] = (readRecord(fd, buffer) ?? '').split('\n', 1);
      if (line === '') return records;
      const at = line.indexOf(';');
      records.push({ seconds: Number(line.slice(0, at).split(',')[2]) / 1e6, text: line.slice(at + 1) });
    }
  } finally {
    closeSync(fd);
  }
}

/** Reads the next record; undefined after the last. */
function readRecord(fd: number, buffer: Buffer): string | undefined {
  for (;;) {
    try {
      return buffer.toString('utf8', 0, readSync(fd, buffer));
    } catch (error) {
      // The oldest records may be overwritten while they are read: the next read continues with the oldest record left.
      if (systemCode(error) !== 'EPIPE') return undefined;
    }
  }
}
