import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HOST, text } from '../cli/batch-sandbox.js';
import { REPOSITORY, temporaryFolder } from '../cli/run.js';

describe('a batch that writes into another folder', () => {
  it.each(['1', '2'])('syncs each result to disk before the journal records it as written: %s threads', (jobs) => {
    const top = temporaryFolder();
    const [folder, calls] = [join(top, 'in'), join(top, 'calls')];
    const names = ['a.xml', 'b.xml', 'c.xml'];
    mkdirSync(folder);
    for (const name of names) writeFileSync(join(folder, name), text);
    const convert = ['convert', '--dir', folder, '--out', join(top, 'out'), '--apply', '--topology', HOST];
    const program = ['-r', join(REPOSITORY, 'test/batch/log-calls.cjs'), join(REPOSITORY, 'bin/vsmmu'), 'batch'];
    execFileSync(process.execPath, [...program, ...convert, '--state', join(top, 'state'), '--jobs', jobs], {
      env: { ...process.env, CALLS: calls },
      stdio: 'pipe',
    });
    const lines = readFileSync(calls, 'utf8').split('\n');
    for (const name of names) {
      const renamed = lines.findIndex((line) => line.startsWith('renamed') && line.endsWith(` ${name}`));
      const synced = lines.indexOf(`synced ${lines[renamed]?.split(' ')[1]}`);
      const settled = lines.findIndex((line) => line.includes('"written"') && line.includes(`"${name}"`));
      expect([synced, renamed, settled].map((line) => line >= 0)).toEqual([true, true, true]);
      expect([synced, renamed, settled]).toEqual([synced, renamed, settled].sort((a, b) => a - b));
    }
  });
});
