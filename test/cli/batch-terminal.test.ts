import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert, HOST, type Sandbox, sandbox, text } from './batch-sandbox.js';
import { REPOSITORY } from './run.js';

/** What a terminal is sent by a command, and how that ended. */
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
/** How many lines of the table begin so; the bar was where they are. */
const lines = ({ shown }: { readonly shown: string }, word: string): number =>
  shown.split('\n').filter((line) => line.split('\u001b[K').at(-1)?.startsWith(`${word} `)).length;

describe('on a terminal', () => {
  it('has a bar below the table, which tells of each domain what would be done', () => {
    const here = sandbox(THREE);
    const told = atTerminal(here, ...convert(here));
    expect(told.code).toBe(1);
    expect(told.shown).toMatch(/3\/3 {2}\d+ domains\/s, \S+ left/);
    expect([lines(told, 'convert'), lines(told, 'refused')]).toEqual([2, 1]);
  });

  it('tells only of what failed where it is done', () => {
    const here = sandbox(THREE);
    const told = atTerminal(here, ...convert(here), '--in-place', '--apply');
    expect([lines(told, 'converted'), lines(told, 'refused')]).toEqual([0, 1]);
    expect(told.shown).toContain('3 domains: 2 converted, 1 refused');
  });

  it('leaves every line that it showed where it is, and cuts none off', () => {
    const here = sandbox(THREE);
    const { shown } = atTerminal(here, ...convert(here));
    // The cursor comes back to where it was saved last: that must be on the line of the bar.
    const since = shown.slice(shown.lastIndexOf('\u001b7'), shown.lastIndexOf('\u001b8'));
    expect(since).toContain('3/3');
    expect(since).not.toContain('\n');
    expect(shown).not.toContain('\u001b[?7l');
  });

  it('hides the cursor while the bar is there, and shows it again', () => {
    const here = sandbox(THREE);
    const { shown } = atTerminal(here, ...convert(here));
    const [hidden, visible] = [shown.indexOf('\u001b[?25l'), shown.lastIndexOf('\u001b[?25h')];
    expect(hidden).toBeGreaterThanOrEqual(0);
    expect(visible).toBeGreaterThan(shown.lastIndexOf('\u001b[?25l'));
  });

  it('counts only what is left where a run is resumed', () => {
    const here = sandbox({ 'a.xml': 'broken', 'b.xml': text, 'c.xml': text });
    here.batch(...convert(here), '--in-place', '--apply', '--fail-fast', '--jobs', '1');
    const { shown } = atTerminal(here, 'resume');
    expect(shown).toMatch(/ 2\/2 {2}\d+ domains\/s/);
  });

  it('has no bar in a document', () => {
    const here = sandbox(THREE);
    const { shown } = atTerminal(here, ...convert(here), '--json');
    expect(JSON.parse(shown.slice(0, shown.lastIndexOf('}') + 1))).toMatchObject({
      totals: { convert: 2, refused: 1 },
    });
  });

  it('has no bar, and ends, where there is nothing to show', () => {
    const here = sandbox({});
    expect(atTerminal(here, 'convert', '--dir', join(here.folder, 'nowhere'), '--topology', HOST)).toEqual({
      code: 3,
      shown: expect.stringMatching(/^\S+: error: file-unreadable: no such file or directory\r\n$/),
    });
  });
});
