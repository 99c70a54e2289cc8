import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { run } from './process.js';

const holder = fileURLToPath(new URL('./holder.ts', import.meta.url));
const cli = fileURLToPath(new URL('./cli.ts', import.meta.url));
const tsx = ['--import', 'tsx'];

/** Waits until the kernel is done with a process. */
async function gone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await new Promise((resolve) => setTimeout(resolve, 20));
}

describe('the lab is taken down', () => {
  it.each(['SIGKILL', 'SIGINT', 'SIGTERM'] as const)(
    'after %s to whoever started it, with a guest that is booting',
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

describe('the lab says what it lacks', () => {
  it('in one line, without root, and fails', async () => {
    const nobody = ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const { code, stdout, stderr } = await run([...nobody, process.execPath, ...tsx, cli, 'status']);
    expect({ code, stdout, stderr }).toEqual({ code: 3, stdout: '', stderr: 'lab: the lab needs root\n' });
  });
});
