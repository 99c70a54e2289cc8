/** `npm run lab -- accel COMMAND`: manual use of the emulated host. */
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { Jail } from '../lab/jail.js';
import { sayOnStderr } from '../lab/lab.js';
import { LabError } from '../lab/process.js';
import { forget, remember, runningPid } from '../lab/running.js';
import { demonstrate } from './demo.js';
import { AccelHost, record, upFolder } from './host.js';
import { partPath } from './parts.js';

export const accelUsage = `npm run lab -- accel COMMAND: an emulated Arm host with nested SMMUs

  up            make its kernel and disk if necessary, start it, and leave it running
  down          end the host
  shell         open a shell on it; Ctrl-] leaves
  run COMMAND…  run a program on it
  demo          convert and start a domain with accelerated vSMMUs, on the running host or on a new one
  status        print what exists
`;

/** Runs a command and returns the exit code. Throws LabError. */
export async function accel([command, ...rest]: readonly string[]): Promise<number> {
  switch (command) {
    case 'up':
      await up();
      return 0;
    case 'down':
      await down();
      return 0;
    case 'shell':
      return await shell();
    case 'run':
      return await runOnHost(rest);
    case 'demo':
      await demo();
      return 0;
    case 'status':
      status();
      return 0;
    default:
      process.stderr.write(accelUsage);
      return 2;
  }
}

async function up(): Promise<void> {
  if (runningPid(record) !== undefined) throw new LabError('the host is up already');
  const host = await AccelHost.start({ detached: true });
  remember(host.jail.pid, record);
  await host.disconnect();
  process.stdout.write('up: npm run lab -- accel shell\n');
}

async function down(): Promise<void> {
  await Jail.join(requireUp()).kill();
  forget(record);
  await rm(upFolder(), { recursive: true, force: true });
}

function requireUp(): number {
  const pid = runningPid(record);
  if (pid === undefined) throw new LabError('the host is not up: npm run lab -- accel up');
  return pid;
}

async function runOnHost(argv: readonly string[]): Promise<number> {
  if (argv.length === 0) throw new LabError('run takes a program and its arguments');
  const host = await AccelHost.attach(upFolder(), requireUp());
  const { code, stdout, stderr } = await host.run(argv, { limitSeconds: 600 });
  await host.disconnect();
  process.stdout.write(stdout);
  process.stderr.write(stderr);
  return code;
}

async function demo(): Promise<void> {
  const pid = runningPid(record);
  if (pid === undefined) {
    await using host = await AccelHost.start();
    await demonstrate(host, (text) => process.stdout.write(text));
    return;
  }
  const host = await AccelHost.attach(upFolder(), pid);
  await demonstrate(host, (text) => process.stdout.write(text));
  await host.disconnect();
}

function status(): void {
  for (const name of ['agent', 'kernel', 'disk']) {
    const path = partPath(name);
    process.stdout.write(`${name.padEnd(8)} ${existsSync(path) ? path : 'not made yet'}\n`);
  }
  const pid = runningPid(record);
  process.stdout.write(`host     ${pid === undefined ? 'not up' : `up, process ${pid}`}\n`);
}

/** Connects this terminal to the host's console until Ctrl-] is pressed or the host ends. Returns the exit code. */
function shell(): Promise<number> {
  requireUp();
  const leave = 0x1d;
  sayOnStderr('ctrl-] leaves');
  return new Promise((resolve, reject) => {
    const console = connect(join(upFolder(), 'console.sock'));
    const end = (code: number): void => {
      if (process.stdin.isTTY) process.stdin.setRawMode(false);
      process.stdin.destroy();
      console.destroy();
      resolve(code);
    };
    console.once('error', (error) => reject(new LabError(`the host's console: ${error.message}`)));
    console.once('connect', () => {
      if (process.stdin.isTTY) process.stdin.setRawMode(true);
      // A terminal of unknown size reports 0.
      const { columns, rows } = process.stdout;
      console.write(`\nstty rows ${rows || 24} columns ${columns || 80}\n`);
      process.stdin.on('data', (chunk: Buffer) => (chunk.includes(leave) ? end(0) : console.write(chunk)));
      // If standard input is a pipe, waits for the answers before it disconnects.
      process.stdin.once('end', () => setTimeout(() => end(0), 3000));
    });
    console.on('data', (chunk) => process.stdout.write(chunk));
    console.once('close', () => end(0));
  });
}
