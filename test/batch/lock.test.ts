import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockFolder, takeLock } from '../../src/batch/lock.js';
import { temporaryFolder } from '../cli/run.js';

describe('the lock', () => {
  it('is held by one process at a time, and the error of another process names the holder', async () => {
    const file = join(temporaryFolder(), 'lock');
    using _lock = await takeLock(file);
    let waited = false;
    await expect(takeLock(file, { waitSeconds: 0, onWait: () => (waited = true) })).rejects.toMatchObject({
      diagnostics: [{ code: 'state-locked', message: `another batch (process ${process.pid}) is running` }],
    });
    expect(waited).toBe(false);
  });

  it('is free once it is released', async () => {
    const file = join(temporaryFolder(), 'lock');
    (await takeLock(file))[Symbol.dispose]();
    using lock = await takeLock(file, { waitSeconds: 0 });
    expect(lock).toBeDefined();
  });

  it('is waited for', async () => {
    const file = join(temporaryFolder(), 'lock');
    const first = await takeLock(file);
    let waited = '';
    const second = takeLock(file, {
      onWait: (holder) => {
        waited = holder;
        first[Symbol.dispose]();
      },
    });
    (await second)[Symbol.dispose]();
    expect(waited).toBe(String(process.pid));
  });

  it('is not inherited by programs that its holder starts', async () => {
    const file = join(temporaryFolder(), 'lock');
    const lock = await takeLock(file);
    const child = spawn('sleep', ['60']);
    await once(child, 'spawn');
    lock[Symbol.dispose]();
    try {
      expect(spawnSync('flock', ['--nonblock', file, 'true']).status).toBe(0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('is released when its process ends, however it ends', async () => {
    const file = join(temporaryFolder(), 'lock');
    const holder = spawn('flock', [file, '--command', 'echo held; exec sleep 60'], {
      stdio: ['ignore', 'pipe', 'ignore'],
      detached: true,
    });
    await once(holder.stdout, 'data');
    await expect(takeLock(file, { waitSeconds: 0 })).rejects.toThrow(/is running/);
    process.kill(-(holder.pid ?? 0), 'SIGKILL');
    (await takeLock(file))[Symbol.dispose]();
  });
});

describe('the lock of a folder', () => {
  it('works for any path of the folder, and writes nothing to it', async () => {
    const top = temporaryFolder();
    const folder = join(top, 'folder');
    mkdirSync(folder);
    symlinkSync('folder', join(top, 'link'));
    using _lock = await lockFolder(folder);
    await expect(lockFolder(join(top, 'link'), { waitSeconds: 0 })).rejects.toMatchObject({
      diagnostics: [{ code: 'state-locked', message: 'another batch is running', file: join(top, 'link') }],
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is an error when the time limit for waiting is over', async () => {
    const folder = temporaryFolder();
    using _lock = await lockFolder(folder);
    let waited = false;
    const second = lockFolder(folder, { waitSeconds: 1, onWait: () => (waited = true) });
    await expect(second).rejects.toThrow('another batch is running');
    expect(waited).toBe(true);
  });

  it('is an error if the folder does not exist', async () => {
    await expect(lockFolder(join(temporaryFolder(), 'gone'))).rejects.toMatchObject({
      diagnostics: [{ code: 'file-unreadable' }],
    });
  });
});
