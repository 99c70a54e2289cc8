/** What happened, where the system's own words tell it badly. */
const WORDS: Readonly<Record<string, string>> = {
  EISDIR: 'it is a folder',
  ENOTDIR: 'a part of its path is not a folder',
  ELOOP: 'it is a symbolic link, or one of a chain that does not end',
  ENXIO: 'it is a pipe that nobody reads, or a socket',
  ERR_INVALID_ARG_VALUE: 'its name has a character that no file name can have',
};

/** An error of the system in words, without the path and the call: `no such file or directory`. */
export function describeIoError(error: unknown): string {
  const { code = '', message, path, syscall } = toSystemError(error);
  if (code === 'ENOENT' && syscall?.startsWith('spawn')) return `${path} is not installed`;
  if (code === 'ENOENT' && path?.includes('\ufffd')) return 'its name is not UTF-8; rename it';
  return WORDS[code] ?? message.replace(/^[A-Z0-9]+: /, '').replace(/, \w+( '.*')?( -> '.*')?$/s, '');
}

function toSystemError(error: unknown): NodeJS.ErrnoException {
  return error instanceof Error ? error : new Error(String(error));
}
