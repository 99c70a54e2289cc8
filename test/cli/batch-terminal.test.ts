import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert, HOST, type Sandbox, sandbox, text } from './batch-sandbox.js';
import { REPOSITORY } from './run.js';

/** The output of a command on a terminal, and its exit code. */
function atTerminal({ state }: Sandbox, ...args: readonly string[]): { readonly code: number | null; shown: string } {
  const words = [process.execPath, join(REPOSITORY, 'bin/vsmmu'), 'batch', ...args, '--state', state];
  const line = words.map((word) => `'${word}'`).join(' ');
  const { status, stdout } = spawnSync('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TERM: 'xterm', NO_COLOR: '1' },
  });
  return { code: status, shown: stdout };
}

const THREE = { 'a.xml': text, 'b.xml': text, 'c.xml': 'broken' };
/** Counts the lines of the table that begin with a word; each replaced the progress bar. */
const lines = ({ shown }: { readonly shown: string }, word: string): number =>
  shown.split('\n').filter((line) => line.split('\u001b[K').at(-1)?.startsWith(`${word} `)).length;

describe('batch on a terminal', () => {
  it('shows a progress bar below the table, which has the verdict of each domain in a dry run', () => {
    const here = sandbox(THREE);
    const output = atTerminal(here, ...convert(here));
    expect(output.code).toBe(1);
    expect(output.shown).toMatch(/3\/3 {2}\d+ domains\/s, \S+ left/);
    expect([lines(output, 'convert'), lines(output, 'refused')]).toEqual([2, 1]);
  });

  it('lists only failures with --apply', () => {
    const here = sandbox(THREE);
    const output = atTerminal(here, ...convert(here), '--in-place', '--apply');
    expect([lines(output, 'converted'), lines(output, 'refused')]).toEqual([0, 1]);
    expect(output.shown).toContain('3 domains: 2 converted, 1 refused');
  });

  it('does not overwrite or cut off any line of the table', () => {
    const here = sandbox(THREE);
    const { shown } = atTerminal(here, ...convert(here));
    // The cursor returns to the last saved position, which must be on the line of the bar.
    const since = shown.slice(shown.lastIndexOf('\u001b7'), shown.lastIndexOf('\u001b8'));
    expect(since).toContain('3/3');
    expect(since).not.toContain('\n');
    expect(shown).not.toContain('\u001b[?7l');
  });

  it('hides the cursor while the bar is visible, and shows it again afterwards', () => {
    const here = sandbox(THREE);
    const { shown } = atTerminal(here, ...convert(here));
    const [hidden, visible] = [shown.indexOf('\u001b[?25l'), shown.lastIndexOf('\u001b[?25h')];
    expect(hidden).toBeGreaterThanOrEqual(0);
    expect(visible).toBeGreaterThan(shown.lastIndexOf('\u001b[?25l'));
  });

  it('counts only the remaining domains when a run is resumed', () => {
    const here = sandbox({ 'a.xml': 'broken', 'b.xml': text, 'c.xml': text });
    here.batch(...convert(here), '--in-place', '--apply', '--fail-fast', '--jobs', '1');
    const { shown } = atTerminal(here, 'resume');
    expect(shown).toMatch(/ 2\/2 {2}\d+ domains\/s/);
  });

  it('shows no bar with --json', () => {
    const here = sandbox(THREE);
    const { shown } = atTerminal(here, ...convert(here), '--json');
    expect(JSON.parse(shown.slice(0, shown.lastIndexOf('}') + 1))).toMatchObject({
      totals: { convert: 2, refused: 1 },
    });
  });

  it('shows no bar, and ends, if there is no domain', () => {
    const here = sandbox({});
    expect(atTerminal(here, 'convert', '--dir', join(here.folder, 'nowhere'), '--topology', HOST)).toEqual({
      code: 3,
      shown: expect.stringMatching(/^\S+: error: file-unreadable: no such file or directory\r\n$/),
    });
  });
});
