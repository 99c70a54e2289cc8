/** `npm run lab -- COMMAND`: manual use of the lab. Only this file prints for users and chooses exit codes. */
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { accel } from '../accel/cli.js';
import { captureHost } from './capture.js';
import { parseDescription } from './description.js';
import { Jail, requireMachine } from './jail.js';
import { Lab, sayOnStderr, versions } from './lab.js';
import { LabError } from './process.js';
import { rootPath } from './rootfs.js';
import { forget, remember, runningPid } from './running.js';

const usage = `npm run lab -- COMMAND

  up                        make the root if necessary, start a libvirtd in it, and leave it running
  down                      end that libvirtd
  shell                     open a shell with that libvirtd, or with a new one if none is running
  status                    print what exists, and the versions of libvirt, QEMU and Debian
  capture-host DESCRIPTION… boot the hosts that JSON files describe, and store their /sys in test/fixtures/hosts
  accel …                   an emulated Arm host with nested SMMUs: up, down, shell, run, demo, status
`;

const fixtures = fileURLToPath(new URL('../fixtures/hosts/', import.meta.url));

async function up(): Promise<void> {
  if (runningPid() !== undefined) throw new LabError('the lab is up already');
  const lab = await Lab.startDetached();
  remember(lab.jail.pid);
  const { libvirt, qemu } = await versions(lab);
  await lab[Symbol.asyncDispose]();
  process.stdout.write(`up: libvirt ${libvirt}, QEMU ${qemu}; npm run lab -- shell\n`);
}

async function down(): Promise<void> {
  const pid = runningPid();
  if (pid === undefined) throw new LabError('no lab is up');
  await Jail.join(pid).kill();
  forget();
}

async function shell(): Promise<number> {
  const pid = runningPid();
  const bash = ['bash', '--noprofile', '--norc', '-i'];
  const env = { PS1: 'lab# ' };
  if (pid !== undefined) return (await Jail.join(pid).run(bash, { terminal: true, env })).code;
  await using lab = await Lab.start();
  return (await lab.run(bash, { terminal: true, env })).code;
}

async function status(): Promise<void> {
  const pid = runningPid();
  const made = existsSync(rootPath());
  process.stdout.write(`root     ${made ? rootPath() : 'not made yet'}\n`);
  process.stdout.write(`libvirtd ${pid === undefined ? 'not up' : `up, process ${pid}`}\n`);
  if (!made) return;
  await using lab = await Lab.start();
  const { libvirt, qemu, debian } = await versions(lab);
  process.stdout.write(`libvirt  ${libvirt}\nQEMU     ${qemu}\nDebian   ${debian}\n`);
}

async function capture(descriptions: readonly string[]): Promise<void> {
  if (descriptions.length === 0) throw new LabError('capture-host needs a description: test/lab/hosts/*.json');
  await using lab = await Lab.start();
  await mkdir(fixtures, { recursive: true });
  for (const file of descriptions) {
    if (!existsSync(file)) throw new LabError(`${file}: there is no such file`);
    sayOnStderr(`booting ${file}`);
    const archive = await captureHost(lab, parseDescription(await readFile(file, 'utf8'), file));
    const target = join(fixtures, `${basename(file, '.json')}.sysfs.tar.gz`);
    await writeFile(target, archive);
    process.stdout.write(`${join(dirname(target), basename(target))}: ${archive.length} bytes\n`);
  }
}

async function main([command, ...rest]: readonly string[]): Promise<number> {
  if (command !== undefined && command !== 'down') requireMachine();
  switch (command) {
    case 'up':
      await up();
      return 0;
    case 'down':
      await down();
      return 0;
    case 'shell':
      return await shell();
    case 'status':
      await status();
      return 0;
    case 'capture-host':
      await capture(rest.map((file) => resolve(file)));
      return 0;
    case 'accel':
      return await accel(rest);
    default:
      process.stderr.write(usage);
      return 2;
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof LabError)) throw error;
  sayOnStderr(error.message);
  process.exitCode = 3;
}
