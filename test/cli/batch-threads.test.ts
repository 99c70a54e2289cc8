import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert, converted, type Sandbox, sandbox, text, verdicts } from './batch-sandbox.js';
import { REPOSITORY, type Run } from './run.js';

const OTHER = text.replace('aarch64', 'x86_64');
const name = (i: number): string => `vm-${String(i).padStart(3, '0')}.xml`;
/** Files that need a backup, followed by files that take no time. */
const UNEQUAL = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [name(i), i < 32 ? text : OTHER]));

/** Runs a batch with a script that Node loads first in every thread. */
function batchWith(script: string, here: Sandbox, args: readonly string[]): Run {
  const file = join(here.folder, '../preload.cjs');
  writeFileSync(file, `const { isMainThread, parentPort, threadId } = require('node:worker_threads');\n${script}`);
  const argv = ['-r', file, join(REPOSITORY, 'bin/vsmmu'), 'batch', ...args, '--state', here.state];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
  return { code: status, stdout, stderr };
}

describe('a batch with several threads', () => {
  it('reports each file once, whichever thread is ready first', () => {
    const here = sandbox(UNEQUAL);
    const run = here.batch(...convert(here), '--in-place', '--apply', '--jobs', '2', '--json');
    const document = JSON.parse(run.stdout);
    expect(document).toMatchObject({ changed: true, totals: { converted: 32, 'not-applicable': 32 } });
    expect(document.domains.map(({ id }: { id: string }) => id)).toEqual(Object.keys(UNEQUAL));
    for (const [file, before] of Object.entries(UNEQUAL)) {
      expect(here.read(file), file).toBe(before === text ? converted : before);
    }
    expect(here.batch('rollback', '--run', document.run).code).toBe(0);
    for (const [file, before] of Object.entries(UNEQUAL)) expect(here.read(file), file).toBe(before);
  });

  it.each([
    ['1', 0],
    ['2', 2],
    ['5', 5],
  ])('with --jobs %s starts %i worker threads', (jobs, threads) => {
    const here = sandbox(UNEQUAL);
    const log = join(here.folder, '../threads');
    const script = `require('node:fs').appendFileSync(${JSON.stringify(log)}, isMainThread ? '' : threadId + '\\n');`;
    expect(batchWith(script, here, [...convert(here), '--jobs', jobs]).code).toBe(0);
    expect(readFileSync(log, 'utf8').split('\n').filter(Boolean)).toHaveLength(threads);
  });

  it.each([
    ['dies', `if (!isMainThread) process.exit(7);`, /a worker thread failed: it ended with exit code 7/],
    [
      'throws',
      `if (!isMainThread) setTimeout(() => { throw new Error('broken'); });`,
      /a worker thread failed: broken/,
    ],
    [
      'returns the result of another file',
      `if (!isMainThread) {
        const post = parentPort.postMessage.bind(parentPort);
        parentPort.postMessage = (results) => post(results.map((result) => ({ ...result, path: 'other.xml' })));
      }`,
      /a worker thread failed: it returned a result for other\.xml, which it was not given/,
    ],
  ])('is incomplete if a thread %s: exit code 3, and the run can be resumed', (_, script, message) => {
    const here = sandbox(UNEQUAL);
    const run = batchWith(script, here, [...convert(here), '--in-place', '--apply', '--jobs', '2', '--json']);
    expect(run.code).toBe(3);
    expect(run.stderr).toMatch(/^vsmmu: error: run-incomplete: /m);
    expect(run.stderr).toMatch(message);
    expect(run.stderr).toMatch(/^vsmmu: to continue: vsmmu batch resume /m);
    expect(here.batch('list').stdout).toContain('unfinished');
    const resumed = here.batch('resume', '--json');
    expect(JSON.parse(resumed.stdout).totals).toEqual({ converted: 32, 'not-applicable': 32 });
    expect(Object.keys(verdicts(resumed))).toHaveLength(64);
  });
});
