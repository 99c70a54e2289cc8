/**
 * A process for tests to kill: starts a lab and a guest in it, and prints the process IDs, outside the jail,
 * of the jail's first process, its libvirtd and its QEMU.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { bootConsole } from './guest.js';
import { Lab } from './lab.js';

const lab = await Lab.start();
void bootConsole(lab, ['-M', 'virt', '-cpu', 'cortex-a72', '-m', '512M', '-S']);

/** Processes with this name (the first 15 letters: proc(5), comm) in the jail's PID namespace. */
function inJail(name: string): string[] {
  const namespace = readlinkSync(`/proc/${lab.jail.pid}/ns/pid`);
  return readdirSync('/proc').filter((pid) => {
    try {
      const comm = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
      return comm === name && readlinkSync(`/proc/${pid}/ns/pid`) === namespace;
    } catch {
      return false; // Not a process, or one that has just ended.
    }
  });
}

let pids: string[] = [];
while (pids.length !== 2) {
  await new Promise((resolve) => setTimeout(resolve, 50));
  pids = [...inJail('libvirtd'), ...inJail('qemu-system-aar')];
}
process.stdout.write(`${[lab.jail.pid, ...pids].join(' ')}\n`);
setInterval(() => undefined, 60_000);
