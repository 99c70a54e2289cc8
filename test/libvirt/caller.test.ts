import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Editing, editingOf, editingOfCaller } from '../../src/libvirt/caller.js';

describe('the kind of document that virsh edits', () => {
  it.each<[commandLine: string[], editing: Editing]>([
    [['virsh', 'edit', 'vm'], 'definition'],
    [['/usr/bin/virsh', '-c', 'qemu:///system', '--debug', '0', '-q', 'edit', 'save-image-edit'], 'definition'],
    [['virsh', '--connect=qemu:///system', 'edit', 'vm'], 'definition'],
    [['virsh', '-c', 'edit', 'save-image-edit', 'x'], 'other'],
    [['virsh', 'save-image-edit', '/edit'], 'other'],
    [['virsh', 'managedsave-edit', 'edit'], 'other'],
    [['virsh', 'snapshot-edit', 'vm', 'edit'], 'other'],
    [['virsh', 'net-edit', 'default'], 'other'],
    [['virsh', '-q', '--', 'edit', 'vm'], 'definition'],
    [['virsh', 'list'], 'unknown'],
    [['virsh', 'edit vm'], 'definition'],
    [['virsh', 'list; edit vm'], 'definition'],
    [['virsh', 'edit vm; managedsave-edit vm'], 'other'],
    [['virsh', "'managedsave-edit' vm"], 'other'],
    [['virsh'], 'unknown'],
    [['virsh', '-c', 'qemu:///system'], 'unknown'],
    [['sh', '-c', 'virsh edit vm'], 'file'],
    [['vim', 'virsh'], 'file'],
    [[], 'file'],
  ])('follows from its command line: %j is for a %s', (argv, editing) => {
    expect(editingOf(argv)).toBe(editing);
  });
});

describe('the virsh that starts an editor', () => {
  /** Starts a process with the arguments of `virsh edit`, and this many shells below it. Returns the id of the last one. */
  async function shellsBelowVirsh(shells: number): Promise<number> {
    const nested = '[ "$1" -gt 0 ] || { echo $$; read _; exit; }; bash -c "$0" "$0" $(($1 - 1)); :';
    const virsh = 'exec -a virsh bash -c \'bash -c "$3" "$3" "$4"; :\' edit vm - "$0" "$1"';
    const child = spawn('bash', ['-c', virsh, nested, `${shells - 1}`], { stdio: ['pipe', 'pipe', 'inherit'] });
    onTestFinished(() => void child.stdin.end());
    const [line] = await once(child.stdout, 'data');
    return Number(line);
  }

  it.each<[shells: number, editing: Editing]>([
    [1, 'definition'],
    [7, 'definition'],
    [8, 'file'],
    [9, 'file'],
  ])('is found a few processes above: %d shells below it, the editor is for a %s', async (shells, editing) => {
    expect(editingOfCaller(await shellsBelowVirsh(shells))).toBe(editing);
  });

  it('is absent if no process has the id', () => {
    expect(editingOfCaller(2 ** 31 - 1)).toBe('file');
  });
});
