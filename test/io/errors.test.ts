import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { describeIoError } from '../../src/io/errors.js';
import { temporaryFolder } from '../cli/run.js';

/** The error of a program that does not start. */
async function startError(program: string): Promise<unknown> {
  const [error] = await once(spawn(program), 'error').catch((thrown: unknown) => [thrown]);
  return error;
}

it('the error says that a program is not installed', async () => {
  expect(describeIoError(await startError('/nonexistent/ssh'))).toBe('/nonexistent/ssh is not installed');
});

it('the error says why an installed program cannot be started', async () => {
  const program = join(temporaryFolder(), 'ssh');
  writeFileSync(program, '', { mode: 0o644 });
  expect(describeIoError(await startError(program))).toBe(`${program} cannot be started: permission denied`);
});
