import { EnvironmentError } from '../../diagnostics/errors.js';
import { probeFailed } from '../../diagnostics/probe.js';

/** The system calls that Node.js does not offer. */
export interface SystemCalls {
  /** Calls ioctl(2) with a structure, which the kernel may change. Returns 0, or the error number. */
  ioctl(fd: number, request: number, structure: Uint32Array): number;
  /** Returns the address of a buffer, for a structure that refers to it. */
  addressOf(buffer: Uint32Array): bigint;
}

/**
 * Loads the system calls through the foreign function interface of the standalone executable's runtime.
 * @throws EnvironmentError `probe-failed` under Node.js, which has no such interface
 */
export async function loadSystemCalls(): Promise<SystemCalls> {
  if (process.versions.bun === undefined) throw new EnvironmentError(probeFailed.runtime());
  const { dlopen, ptr, read } = await import('bun:ffi');
  const { symbols } = dlopen('libc.so.6', {
    ioctl: { args: ['i32', 'u64', 'ptr'], returns: 'i32' },
    __errno_location: { args: [], returns: 'ptr' },
  });
  // The address of errno is the same for all calls of a thread. No other system call may run before it is read.
  const errno = symbols.__errno_location?.();
  return {
    ioctl: (fd, request, structure) => (symbols.ioctl?.(fd, request, structure) === 0 ? 0 : read.i32(errno, 0)),
    addressOf: (buffer) => BigInt(ptr(buffer)),
  };
}
