import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { run } from './process.js';

const holder = fileURLToPath(new URL('./holder.ts', import.meta.url));
const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));
const tsx = ['--import', 'tsx'];

/** Waits until a process has ended. */
async function gone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('the lab ends', () => {
  it.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)(
    'after %s to the process that started it, with a booting guest',
    async (signal) => {
      const mounts = readFileSync('/proc/mounts', 'utf8');
      const child = spawn(process.execPath, [...tsx, holder], { stdio: ['ignore', 'pipe', 'inherit'] });
      const ended = new Promise((resolve) => child.once('close', resolve));
      const pids: number[] = [];
      for await (const line of createInterface({ input: child.stdout })) {
        pids.push(...line.split(' ').map(Number));
        break;
      }
      expect(pids).toHaveLength(3);
      for (const pid of pids) expect(existsSync(`/proc/${pid}`)).toBe(true);

      child.kill(signal);
      await ended;
      for (const pid of pids) await gone(pid);
      expect(readFileSync('/proc/mounts', 'utf8')).toBe(mounts);
    },
  );
});

describe('the lab reports missing requirements', () => {
  it('in one line and fails, if it is not run as root', async () => {
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const { code, stdout, stderr } = await run([...nobody, process.execPath, ...tsx, cli, 'status']);
    expect({ code, stdout, stderr }).toEqual({ code: 3, stdout: '', stderr: 'lab: the lab needs root\n' });
  });
});
