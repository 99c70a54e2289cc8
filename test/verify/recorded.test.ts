/** The recording of a guest with three accelerated vSMMUs: libvirt 12.8, QEMU 11.1, Linux 7.2 on the host of test/accel. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { readGuestReport } from '../../src/guest/report.js';
import type { LogRecord } from '../../src/host/kernel-log.js';
import { readTopology } from '../../src/host/snapshot.js';
import { DEFAULT_POLICY } from '../../src/policy/policy.js';
import { gradeOf } from '../../src/verify/check.js';
import { readCommandLine } from '../../src/verify/command-line.js';
import { planRunning } from '../../src/verify/domain.js';
import { type Evidence, verify } from '../../src/verify/verify.js';
import { REPOSITORY } from '../cli/run.js';

const recorded = (name: string): string => readFileSync(`${REPOSITORY}/test/fixtures/verify/${name}`, 'utf8');

const live = parseDomain(recorded('live.xml'));
const host = readTopology(recorded('topology.json'), 'topology.json');
const log = [...recorded('kernel.log').matchAll(/^\[ *([\d.]+)\] (.*)$/gm)].map(
  ([, seconds, text = '']): LogRecord => ({ seconds: Number(seconds), text }),
);
const evidence: Evidence = {
  live,
  next: parseDomain(recorded('next.xml')),
  host,
  plan: planRunning(live, host, DEFAULT_POLICY, {}),
  qemu: readCommandLine(recorded('cmdline').split('\n')),
  qemuProblem: '',
  qemuLog: recorded('qemu.log'),
  hostLog: { log, since: 60, smmus: undefined },
  monitor: { pci: JSON.parse(recorded('query-pci.json')), accel: live.iommus.map(() => ({ return: true })) },
  guest: readGuestReport(recorded('report')),
};

describe('a real guest', () => {
  it('passes all checks', () => {
    const checks = verify(evidence);
    expect(checks.filter((check) => gradeOf(check) !== 'pass')).toEqual([]);
    expect(checks).toHaveLength(19);
  });

  it('has four devices behind three vSMMUs, each at its predicted address', () => {
    const found = Object.fromEntries(verify(evidence).map(({ of, title, found }) => [`${of}: ${title}`, found]));
    expect(found).toMatchObject({
      'Domain: that each device is behind its vSMMU': '4 of 4 devices',
      'QEMU: the SMMUs on its command line': '3 SMMUs',
      'QEMU: the devices on its command line': '4 host devices',
      'Guest: that each device is behind its vSMMU': '3 SMMUs',
      'Guest: that each device is at its address': '4 devices',
      "Guest: that it translates each device's DMA": 'DMA',
      'Guest: that each device has a driver': 'nvme, igbvf',
    });
  });
});
