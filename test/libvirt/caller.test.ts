import { describe, expect, it } from 'vitest';
import { type Editing, editingOf } from '../../src/libvirt/caller.js';

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
