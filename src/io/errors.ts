import { getSystemErrorMap } from 'node:util';

/** Plain messages for errors whose system text is unclear. */
const WORDS: Readonly<Record<string, string>> = {
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is not a folder',
  ELOOP: 'it is a symbolic link, or links form a circle',
  ENXIO: 'it is a pipe without a reader, or a socket',
  ERR_INVALID_ARG_VALUE: 'its name contains a character that file names cannot contain',
};

/** Describes a system error in words, without the path and the call: `no such file or directory`. */
export function describeIoError(error: unknown): string {
  const systemError = toSystemError(error);
  const { code = '', message, path, syscall } = systemError;
  if (syscall?.startsWith('spawn')) return describeSpawnError(systemError);
  if (code === 'ENOENT' && path?.includes('\ufffd')) return 'its name is not UTF-8; rename it';
  return WORDS[code] ?? message.replace(/^[A-Z0-9]+: /, '').replace(/, \w+( '.*')?( -> '.*')?$/s, '');
}

/**
 * Describes why a program could not be started. Node and Bun word these errors differently, and neither says what
 * failed.
 */
function describeSpawnError({ code = '', errno = 0, path }: NodeJS.ErrnoException): string {
  const program = path ?? 'the program';
  if (code === 'ENOENT') return `${program} is not installed`;
  return `${program} cannot be started: ${getSystemErrorMap().get(errno)?.[1] ?? code}`;
}

function toSystemError(error: unknown): NodeJS.ErrnoException {
  return error instanceof Error ? error : new Error(String(error));
}

/** Returns the code of a system error, such as `ENOENT`; undefined for any other error. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
