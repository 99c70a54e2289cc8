import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder, vsmmu } from './run.js';

const SAMPLES = [
  ['altra-vm', 'altra'],
  ['arm-server-vm', 'arm-server'],
  ['dense-vm', 'dense'],
  ['gb10-nic-vm', 'gb10'],
  ['gb200-cx8-vm', 'gb200-cx8'],
  ['gb200-vm', 'gb200'],
  ['gh200-vm', 'gh200'],
  ['kunpeng-vm', 'kunpeng'],
  ['ml-train', 'host-a'],
  ['qemu-series', 'three-smmus'],
  ['virtio-only', 'gh200'],
  ['x86-vm', 'x86'],
] as const;

/** Returns the output of `vsmmu plan` for a sample. */
function planned(domain: string, host: string, ...options: string[]): string {
  const where = ['--topology', `samples/hosts/${host}.json`, `samples/domains/${domain}.xml`];
  const { code, stdout } = vsmmu(['plan', '--quiet', ...options, ...where]);
  expect(code).toBe(0);
  return stdout;
}

/** Returns the lines of a section. */
function section(text: string, title: string): string[] {
  const lines = text.split('\n');
  const start = lines.indexOf(title);
  if (start < 0) return [];
  const end = lines.indexOf('', start);
  return lines.slice(start + 1, end < 0 ? undefined : end);
}

describe('vsmmu plan', () => {
  it.each(SAMPLES)('prints at most 80 columns, without colour: %s on %s', (domain, host) => {
    const text = planned(domain, host, '--guest', '--mirror-switches');
    expect(text.split('\n').filter((line) => [...line].length > 80)).toEqual([]);
    expect(text).not.toContain('\u001b');
  });

  it('prints why a device is not behind a vSMMU', () => {
    expect(section(planned('dense-vm', 'dense'), 'Behind no vSMMU')).toEqual([
      '  0006:02:00.0  Ethernet  0000:10:00.0  shares IOMMU group 22',
      '  0006:02:00.1  Ethernet  0000:11:00.0  shares IOMMU group 22',
      '  000c:01:00.0  USB       0000:16:00.0  behind no SMMU on the host',
    ]);
  });

  it('accounts for all 256 bus numbers', () => {
    const counts = section(planned('gb200-vm', 'gb200'), 'Bus numbers').map((line) => Number.parseInt(line, 10));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(256);
  });

  it('lists the NICs that udev will rename', () => {
    const noticed = section(planned('ml-train', 'host-a'), 'What the guest will notice');
    expect(noticed).toContain('    0000:31:10.2  enp3s0 -> enp239s0');
  });

  it('lists what the domain can no longer do, if any device is accelerated', () => {
    expect(section(planned('ml-train', 'host-a'), 'No longer possible').join(' ')).toContain('live migration');
    expect(planned('virtio-only', 'gh200')).toBe('virtio-only: no host devices; nothing to change.\n');
  });

  it('reports that libvirt has not chosen all addresses yet', () => {
    const file = join(temporaryFolder(), 'vm.xml');
    const xml = readFileSync('samples/domains/ml-train.xml', 'utf8');
    writeFileSync(file, xml.replace(/(<rng[\s\S]*?)<address [^>]*\/>/, '$1'));
    const { stdout } = vsmmu(['plan', '--quiet', '--topology', 'samples/hosts/host-a.json', file]);
    expect(section(stdout, 'Not final').join(' ')).toContain('yet to choose addresses');
  });

  it('draws the guest only with --guest', () => {
    expect(planned('ml-train', 'host-a')).not.toContain('lspci');
    const text = planned('ml-train', 'host-a', '--guest');
    expect(section(text, 'lspci -tv').at(-1)).toBe(' \\-[0000:f7]---00.0-[f8]----00.0  host 0000:91:00.0, NVMe');
    expect(section(text, 'IORT: ids of PCI requesters')).toEqual([
      '  0000-edff  ITS, no SMMU',
      '  ee00-efff  vSMMU 0, expander bus 10',
      '  f000-f6ff  ITS, no SMMU',
      '  f700-f8ff  vSMMU 1, expander bus 12',
      '  f900-ffff  ITS, no SMMU',
    ]);
  });
});
