import { describe, expect, it } from 'vitest';
import { isRemote, sshTarget } from '../../src/libvirt/uri.js';

describe('a libvirt URI', () => {
  it.each([
    ['qemu:///system', false],
    ['qemu+unix:///system?socket=/run/x', false],
    ['test:///default', false],
    ['qemu+ssh://host/system', true],
    ['qemu+tls://root@host:16514/system', true],
  ])('%s belongs to another machine: %s', (uri, remote) => {
    expect(isRemote(uri)).toBe(remote);
  });

  it.each([
    ['qemu+ssh://host/system', { host: 'host', user: undefined, port: undefined }],
    ['qemu+ssh://root@host.example:2222/system', { host: 'host.example', user: 'root', port: '2222' }],
    ['qemu+ssh://[fe80::1]/system', { host: 'fe80::1', user: undefined, port: undefined }],
  ])('%s contains the target for ssh', (uri, target) => {
    expect(sshTarget(uri)).toEqual(target);
  });

  it.each([
    'qemu+ssh://-oProxyCommand=id/system',
    'qemu+ssh://-l@host/system',
    'qemu+ssh://host$(id)/system',
    'qemu+ssh://host;id/system',
    'qemu+ssh://a b/system',
    'qemu:///system',
  ])('%s is not passed to ssh', (uri) => {
    expect(() => sshTarget(uri)).toThrow(/is not a URI with a host/);
  });
});
