import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeIoError, systemCode } from '../../src/io/errors.js';
import { temporaryFolder } from '../cli/run.js';

/** The error of a program that does not start. */
async function startError(program: string): Promise<unknown> {
  const [error] = await once(spawn(program), 'error').catch((thrown: unknown) => [thrown]);
  return error;
}

it('the error reports that a program is not installed', async () => {
  expect(describeIoError(await startError('/nonexistent/ssh'))).toBe('/nonexistent/ssh is not installed');
});

it('the error reports why an installed program cannot be started', async () => {
  const program = join(temporaryFolder(), 'ssh');
  writeFileSync(program, '', { mode: 0o644 });
  expect(describeIoError(await startError(program))).toBe(`${program} cannot be started: permission denied`);
});

it('the error of a file is described without the call and the path', () => {
  const failure = (path: string) => {
    try {
      readFileSync(path);
      return undefined;
    } catch (error) {
      return error;
    }
  };
  expect(describeIoError(failure('/nonexistent'))).toBe('no such file or directory');
  expect(describeIoError(failure('/non\uFFFDexistent'))).toBe('its name is not UTF-8; rename it');
  expect(describeIoError(failure('/etc'))).toBe('it is a folder');
  expect(describeIoError(failure('/etc/passwd/x'))).toBe('a part of its path is not a folder');
  expect(systemCode(failure('/nonexistent'))).toBe('ENOENT');
});

it('any other thrown value is described by its text, and has no code', () => {
  expect(describeIoError(new Error('no more memory'))).toBe('no more memory');
  expect(describeIoError('no more memory')).toBe('no more memory');
  expect([systemCode(new Error('x')), systemCode({ code: 'ENOENT' }), systemCode('ENOENT')]).toEqual(
    Array(3).fill(undefined),
  );
  expect(systemCode(Object.assign(new Error('x'), { code: 1 }))).toBeUndefined();
});
