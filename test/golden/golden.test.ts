import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, it } from 'vitest';
import { runProgram, startProgram } from '../cli/run.js';

/**
 * Each folder here is one run of the program: `command` is its command line, in the repository; `report` is its standard error and
 * its exit code; `output.…` is its standard output, if there is any.
 */
const FOLDER = fileURLToPath(new URL('.', import.meta.url));

const cases = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);

/** An environment without settings. */
const NO_SETTINGS = { env: { VSMMU_LIBVIRT_SCHEMAS: '/nowhere' } };

function commandOf(folder: string): string[] {
  const [program, ...command] = readFileSync(join(folder, 'command'), 'utf8').trim().split(' ');
  if (program !== 'vsmmu') throw new Error(`${folder}/command runs ${program}`);
  return command;
}

function outputFile(command: readonly string[]): string {
  if (command.includes('--diff')) return 'output.diff';
  return command[0] === 'plan' ? 'output.txt' : 'output.xml';
}

describe('the golden run', () => {
  it.for(['plan', 'host-without-smmu', 'sample-ml-train'])(
    '%s is the same in a separate process',
    (name, { expect }) => {
      const command = commandOf(join(FOLDER, name));
      expect(startProgram('vsmmu', command, NO_SETTINGS)).toEqual(runProgram('vsmmu', command, NO_SETTINGS));
    },
  );

  it.for(cases)('%s', async (name, { expect }) => {
    const folder = join(FOLDER, name);
    const command = commandOf(folder);
    const { code, stdout, stderr } = runProgram('vsmmu', command, NO_SETTINGS);
    await expect(`${stderr}exit code ${code}\n`).toMatchFileSnapshot(join(folder, 'report'));
    const output = join(folder, outputFile(command));
    if (stdout === '') expect(existsSync(output), `${output}, though nothing is printed`).toBe(false);
    else await expect(stdout).toMatchFileSnapshot(output);
    if (code !== 0) expect(stdout).toBe('');
  });
});
