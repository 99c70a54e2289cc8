import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { InputError } from '../../src/diagnostics/errors.js';
import { GUEST_SCRIPT } from '../../src/generated/guest-script.js';
import { readGuestReport } from '../../src/guest/report.js';
import { bdf, unpackHost } from '../host/fixture.js';

/** Shells of guests. Those that are not installed here run in the guests of the lab. */
const SHELLS = [['dash'], ['bash', '--posix'], ['busybox', 'sh']];
const shells = SHELLS.filter(([program = '']) => spawnSync(program, ['-c', 'true']).error === undefined);

/** Returns the output of the script on a machine with this /sys. */
function reportOf(sysfs: string, [program = '', ...args]: readonly string[]): string {
  const script = GUEST_SCRIPT.replaceAll(' /sys/', ` ${sysfs}/`);
  const { stdout, stderr, status } = spawnSync(program, [...args, '-s'], { input: script, encoding: 'utf8' });
  expect(stderr).toBe('');
  expect(status).toBe(0);
  return stdout;
}

describe('the script for guests', () => {
  const sysfs = unpackHost('host-a');

  it.each(shells)('reports the content of /sys in %s', (...shell) => {
    const { smmus, devices, nodes } = readGuestReport(reportOf(sysfs, shell));
    expect(smmus).toHaveLength(5);
    expect(smmus[1]).toEqual({ name: 'smmu3.0x000000000c020000', device: 'arm-smmu-v3.1.auto' });
    expect(devices.get(bdf('0000:12:00.0'))).toEqual({
      bdf: '0000:12:00.0',
      vendor: '1b36',
      device: '0010',
      driver: undefined,
      smmu: 'smmu3.0x000000000c000000',
      type: 'DMA',
      node: 0,
      unplaced: [],
      ats: 'none',
      pasid: 'none',
    });
    expect(devices.get(bdf('0000:00:10.0'))).toMatchObject({ smmu: undefined, type: undefined, node: undefined });
    expect(nodes.map(({ distances }) => distances.length)).toEqual(nodes.map(() => nodes.length));
  });

  it('is printed by vsmmu verify --guest-script', () => {
    expect(GUEST_SCRIPT.startsWith('#!/bin/sh\n')).toBe(true);
    expect(GUEST_SCRIPT).not.toContain('\r');
  });
});

const FIRST = 'vsmmu-guest-report 1';
const SMMU = 'smmu smmu3.0x000000000c000000 arm-smmu-v3.0.auto';
const PCI = 'pci 0000:ef:00.0 vendor=10de device=2941';
const text = (...lines: readonly string[]): string => [FIRST, ...lines, 'end', ''].join('\n');

describe('a report of a guest', () => {
  it('may come over a terminal', () => {
    const report = readGuestReport(text('kernel 6.19.0', SMMU, PCI).replaceAll('\n', '\r\n'));
    expect(report.kernel).toBe('6.19.0');
    expect(report.devices.size).toBe(1);
  });

  it('has no log if the guest could not read it', () => {
    expect(readGuestReport(text()).log).toBeUndefined();
    expect(readGuestReport(text('log')).log).toEqual([]);
  });

  it('has a log without control characters', () => {
    expect(readGuestReport(text('log', 'log \u001b[2J\u202eevil')).log).toEqual(['\\u001b[2J\\u202eevil']);
  });

  it.each([
    ['nothing', ''],
    ['another first line', 'Welcome to Debian\nend\n'],
    ['no last line', [FIRST, PCI, ''].join('\n')],
    ['a first line only', FIRST],
    ['an unknown key', text('cpu 4')],
    ['a device twice', text(PCI, PCI)],
    ['an SMMU twice', text(SMMU, SMMU)],
    ['two kernels', text('kernel 6.1', 'kernel 6.2')],
    ['a node twice', text('node 0 cpus=0 distances=10', 'node 0 cpus=0 distances=10')],
    ['an invalid address', text(PCI.replace('ef:00', 'xx:00'))],
    ['a device without ids', text('pci 0000:ef:00.0 node=0')],
    ['an unknown property', text(`${PCI} colour=red`)],
    ['a property of every object', text(`${PCI} constructor=x`)],
    ['a property twice', text(`${PCI} node=0 node=1`)],
    ['a property without a value', text(`${PCI} driver`)],
    ['a driver with a control character', text(`${PCI} driver=a\u001b[1m`)],
    ['ATS that is neither on nor off', text(`${PCI} ats=maybe`)],
    ['a long line', text(`log ${'x'.repeat(1000)}`)],
    ['many lines', text(...Array.from({ length: 70_001 }, () => 'log'))],
    ['more than 4 MiB', text(...Array.from({ length: 5000 }, () => `log ${'x'.repeat(900)}`))],
  ])('is refused with %s', (_, report) => {
    expect(() => readGuestReport(report)).toThrow(InputError);
  });
});
