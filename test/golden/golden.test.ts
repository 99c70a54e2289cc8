import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';

/**
 * Each folder here is one run of the program: `command` is its command line, in the repository; `report` what it says on
 * standard error, and its exit code; `output.…` what it prints, where it prints something.
 */
const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const ROOT = fileURLToPath(new URL('../..', import.meta.url));

const cases = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(command: readonly string[]): Promise<Run> {
  return new Promise((resolve, reject) => {
    // As on nobody's machine: no settings from around.
    const options = { cwd: ROOT, env: {} };
    execFile(process.execPath, [join(ROOT, 'bin/vsmmu'), ...command], options, (error, stdout, stderr) => {
      if (error && typeof error.code !== 'number') reject(error);
      else resolve({ code: Number(error?.code ?? 0), stdout, stderr });
    });
  });
}

function outputFile(command: readonly string[]): string {
  if (command.includes('--diff')) return 'output.diff';
  return command[0] === 'plan' ? 'output.txt' : 'output.xml';
}

describe('the golden run', () => {
  it.for(cases)('%s', async (name, { expect }) => {
    const folder = join(FOLDER, name);
    const [program, ...command] = readFileSync(join(folder, 'command'), 'utf8').trim().split(' ');
    expect(program).toBe('vsmmu');
    const { code, stdout, stderr } = await run(command);
    await expect(`${stderr}exit code ${code}\n`).toMatchFileSnapshot(join(folder, 'report'));
    const output = join(folder, outputFile(command));
    if (stdout === '') expect(existsSync(output), `${output}, though nothing is printed`).toBe(false);
    else await expect(stdout).toMatchFileSnapshot(output);
    if (code !== 0) expect(stdout).toBe('');
  });
});
