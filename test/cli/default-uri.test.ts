/** LIBVIRT_DEFAULT_URI supplies the URI where a command needs libvirt, and never turns a file operand into a name. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { withRecordedVirsh } from '../libvirt/recorded-virsh.js';
import { REPOSITORY, vsmmu } from './run.js';

const SAMPLE = 'samples/domains/gh200-vm.xml';
const HOST = ['--topology', 'samples/hosts/gh200.json'];
const BATCH = ['batch', 'convert', '--all', '--libvirt', '12.8.0', '--qemu', '11.1.0', ...HOST];
const URI = { LIBVIRT_DEFAULT_URI: 'qemu:///session' };

const recorded = () => withRecordedVirsh(() => readFileSync(join(REPOSITORY, SAMPLE), 'utf8'));

describe('LIBVIRT_DEFAULT_URI', () => {
  it('is the libvirt of a batch without --connect', () => {
    const virsh = recorded();
    expect(vsmmu(BATCH, '', URI)).toMatchObject({ code: 0 });
    expect(virsh.started()[0]).toBe('--quiet --connect=qemu:///session');
  });

  it('is overridden by --connect', () => {
    const virsh = recorded();
    vsmmu([...BATCH, '--connect', 'test:///default'], '', URI);
    expect(virsh.started()[0]).toBe('--quiet --connect=test:///default');
  });

  it('is ignored if it is empty', () => {
    const virsh = recorded();
    vsmmu(BATCH, '', { LIBVIRT_DEFAULT_URI: '' });
    expect(virsh.started()[0]).toBe('--quiet --connect=qemu:///system');
  });

  it.each(['rewrite', 'plan', 'check', 'revert'])('does not prevent %s from reading a file', (command) => {
    const virsh = recorded();
    const options = command === 'revert' ? [] : HOST;
    expect(vsmmu([command, ...options, SAMPLE], '', URI)).toEqual(vsmmu([command, ...options, SAMPLE]));
    expect(virsh.started()).toEqual([]);
  });

  it.each(['rewrite', 'plan', 'check', 'revert'])('does not make %s treat a missing file as a domain', (command) => {
    recorded();
    const { code, stdout, stderr } = vsmmu([command, 'vm'], '', URI);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toBe(
      'vm: error: file-unreadable: no such file or directory; libvirt has a domain of this name: add --connect qemu:///session\n',
    );
  });

  it('is not searched for the name of a missing file if it is on another machine', () => {
    const virsh = recorded();
    const run = vsmmu(['rewrite', 'vm'], '', { LIBVIRT_DEFAULT_URI: 'qemu+ssh://far/system' });
    expect(run.stderr).toBe('vm: error: file-unreadable: no such file or directory\n');
    expect(virsh.started()).toEqual([]);
  });
});
