import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { REPOSITORY, vsmmu } from '../cli/run.js';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));

/** The command lines of the golden runs that print a rewritten domain, each with the file of its input. */
const runs = readdirSync(FOLDER, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map(({ name }) => {
    const [, command, ...args] = readFileSync(join(FOLDER, name, 'command'), 'utf8')
      .trim()
      .split(' ');
    const file = args.find((arg) => arg.endsWith('.xml')) ?? '';
    return { name, command, file, args: args.filter((arg) => arg !== '--diff' && arg !== '--verbose') };
  })
  .filter(({ name, command, args }) => {
    const code = readFileSync(join(FOLDER, name, 'report'), 'utf8');
    return command === 'rewrite' && !args.includes('--relayout') && code.endsWith('exit code 0\n');
  });

describe('the result of a golden run is reverted', () => {
  it.for(runs)('$name', ({ file, args }) => {
    const before = readFileSync(join(REPOSITORY, file), 'utf8');
    const after = vsmmu(['rewrite', '--quiet', ...args]).stdout;
    // There is nothing to revert, or an earlier run also changed the domain.
    if (after === before || before.includes('urn:vsmmu')) return;
    // A domain with vsmmu's aliases and no record keeps them, which is an error.
    const code = before.includes('ua-vsmmu-') ? 1 : 0;
    expect(vsmmu(['revert', '--quiet'], after)).toMatchObject({ code, stdout: before });
    // The same in another style: double quotes, CRLF line ends, a space at the end of empty elements.
    const other = before.replaceAll("'", '"').replaceAll('/>', ' />').replace(/\r?\n/g, '\r\n');
    const again = vsmmu(['rewrite', '--quiet', ...args.map((arg) => (arg === file ? '-' : arg))], other).stdout;
    expect(vsmmu(['revert', '--quiet'], again)).toMatchObject({ code, stdout: other });
  });
});
