/** An error of the system in its own words, without the path and the call: `no such file or directory`. */
export function describeIoError(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.replace(/^[A-Z0-9]+: /, '').replace(/, \w+( '.*')?( -> '.*')?$/s, '');
}
