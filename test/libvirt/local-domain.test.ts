import { describe, expect, it, onTestFinished } from 'vitest';
import { hasDomain } from '../../src/libvirt/local-domain.js';
import { temporaryFolder } from '../cli/run.js';
import { DOMAINS, withRecordedVirsh } from './recorded-virsh.js';

const URI = 'qemu:///system';

describe('a domain of the local libvirt', () => {
  it.each([
    [DOMAINS[1].name, true],
    [DOMAINS[1].uuid, true],
    ['other', false],
  ])('is found by name and by UUID: %s', async (name, expected) => {
    withRecordedVirsh(() => '<domain/>');
    expect(await hasDomain(URI, name)).toBe(expected);
  });

  it('is not searched without virsh', async () => {
    const { PATH } = process.env;
    onTestFinished(() => {
      process.env.PATH = PATH;
    });
    process.env.PATH = temporaryFolder();
    expect(await hasDomain(URI, 'vm')).toBe(false);
  });
});
