import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { convert, converted, type Sandbox, sandbox, text } from './batch-sandbox.js';
import { REPOSITORY, type Run } from './run.js';

/** A file that a killed batch did not complete. */
const ORPHAN = '.vsmmu-AbCdEfGh01234_-z';

/** Runs `body` while another process has the lock of a folder. */
async function whileLocked<T>(folder: string, body: () => T): Promise<T> {
  const args = [folder, '--command', 'echo locked; exec sleep 600'];
  const holder = spawn('flock', args, { stdio: ['ignore', 'pipe', 'ignore'], detached: true });
  await once(holder.stdout, 'data');
  try {
    return body();
  } finally {
    process.kill(-(holder.pid ?? 0), 'SIGKILL');
  }
}

async function started(args: readonly string[]): Promise<Run> {
  const child = spawn(process.execPath, [join(REPOSITORY, 'bin/vsmmu'), 'batch', ...args]);
  const output = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream].setEncoding('utf8').on('data', (data: string) => {
      output[stream] += data;
    });
  }
  const [code] = await once(child, 'close');
  return { code, ...output };
}

const outOf = (here: Sandbox): string => join(here.folder, '../out');
const inPlace = (here: Sandbox): string[] => [...convert(here), '--in-place', '--apply'];

describe('a folder that another batch writes to', () => {
  const refused = {
    code: 3,
    stdout: '',
    stderr: expect.stringMatching(
      /: error: state-locked: another batch is running; wait until it ends, or give a longer --wait\n$/,
    ),
  };

  it('is not converted in place, and no run is begun', async () => {
    const here = sandbox({ 'vm.xml': text });
    const run = await whileLocked(here.folder, () => here.batch(...inPlace(here), '--wait', '0'));
    expect(run).toMatchObject(refused);
    expect(here.read('vm.xml')).toBe(text);
    expect(here.batch('list').stdout).toBe('');
  });

  it('is not used for results', async () => {
    const here = sandbox({ 'vm.xml': text });
    mkdirSync(outOf(here));
    const args = [...convert(here), '--out', outOf(here), '--apply', '--wait', '0'];
    expect(await whileLocked(outOf(here), () => here.batch(...args))).toMatchObject(refused);
    expect(readdirSync(outOf(here))).toEqual([]);
  });

  it('is not rolled back, and no run in it is resumed', async () => {
    const here = sandbox({ 'vm.xml': text });
    const run = JSON.parse(here.batch(...inPlace(here), '--json').stdout).run;
    const [rollback, resume] = await whileLocked(here.folder, () => [
      here.batch('rollback', '--wait', '0'),
      here.batch('resume', run, '--wait', '0'),
    ]);
    expect(rollback).toMatchObject(refused);
    expect(resume).toMatchObject(refused);
    expect(here.read('vm.xml')).toBe(converted);
  });

  it('may be read for a dry run and for results elsewhere', async () => {
    const here = sandbox({ 'vm.xml': text });
    const args = [...convert(here), '--wait', '0'];
    const [dry, out] = await whileLocked(here.folder, () => [
      here.batch(...args),
      here.batch(...args, '--out', outOf(here), '--apply'),
    ]);
    expect([dry?.code, out?.code]).toEqual([0, 0]);
    expect(readFileSync(join(outOf(here), 'vm.xml'), 'utf8')).toBe(converted);
  });
});

describe('two batches on one folder with different state folders', () => {
  it('take turns: one of them converts each file completely', async () => {
    const files = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`vm-${i}.xml`, text]));
    const here = sandbox(files);
    const states = ['one', 'two'].map((name) => join(here.folder, '..', name));
    const runs = await Promise.all(states.map((state) => started([...inPlace(here), '--json', '--state', state])));
    expect(runs.map(({ code }) => code)).toEqual([0, 0]);
    const totals = runs.map(({ stdout }) => JSON.parse(stdout).totals);
    expect(totals).toContainEqual({ converted: 60 });
    expect(totals).toContainEqual({ unchanged: 60 });
    expect(readdirSync(here.folder).filter((file) => !(file in files) || here.read(file) !== converted)).toEqual([]);
  });
});

describe('an incomplete file of a killed batch', () => {
  it('is removed from the folder by the next batch that changes it, not by a dry run', () => {
    const here = sandbox({ 'vm.xml': text, [`sub/${ORPHAN}`]: 'half' });
    here.batch(...convert(here));
    expect(existsSync(join(here.folder, 'sub', ORPHAN))).toBe(true);
    here.batch(...inPlace(here));
    expect(existsSync(join(here.folder, 'sub', ORPHAN))).toBe(false);
  });

  it('is removed from the folder of the results', () => {
    const here = sandbox({ 'vm.xml': text });
    mkdirSync(outOf(here));
    writeFileSync(join(outOf(here), ORPHAN), 'half');
    here.batch(...convert(here), '--out', outOf(here), '--apply');
    expect(readdirSync(outOf(here))).toEqual(['vm.xml']);
  });

  it('is removed from the backups of the run that is resumed', () => {
    const here = sandbox({ 'vm.xml': text });
    const { run } = JSON.parse(here.batch(...inPlace(here), '--json').stdout);
    const backups = join(here.state, 'runs', run, 'backup');
    writeFileSync(join(backups, ORPHAN), 'half');
    expect(here.batch('resume', run).code).toBe(0);
    expect(readdirSync(backups)).toHaveLength(1);
    expect(readdirSync(backups)).not.toContain(ORPHAN);
  });
});
