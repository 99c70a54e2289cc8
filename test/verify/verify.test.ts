import { describe, expect, it } from 'vitest';
import { verify } from '../../src/verify/verify.js';
import { CASES, gpu, inReport, line } from './cases.js';
import { MORE } from './more-cases.js';
import { type Changes, defined, described, evidenceOf, monitorOf, started, wrongIn } from './running.js';

describe('verify describes', () => {
  it('each difference in words', async () => {
    const inWords = (changes: Changes) =>
      verify(evidenceOf(changes)).map(({ of, title, found, findings, details = [] }) =>
        [
          `  ${of}: ${title}: ${found}`,
          ...findings.map(({ severity, message }) => `    ${severity}: ${message}`),
          ...details.map((detail) => `    ${detail}`),
        ].join('\n'),
      );
    const healthy = new Set(inWords({}));
    const texts = [...CASES, ...MORE].map(([title, changes]) => {
      const differing = inWords(changes).filter((text) => !healthy.has(text));
      return [title, ...(differing.length > 0 ? differing : ['  (nothing)']), ''].join('\n');
    });
    await expect(texts.join('\n')).toMatchFileSnapshot('../fixtures/verify/findings.txt');
  });

  it('what it finds in a healthy guest', () => {
    expect(described({ more: { monitor: monitorOf() } })).toMatchInlineSnapshot(`
      [
        "Domain: that the host's SMMUs are the same: 5 SMMUs",
        "Domain: that each device is behind its vSMMU: 3 of 3 devices",
        "Domain: that the rest matches the plan: vSMMU values, NUMA cells and space for BARs",
        "Domain: that the next start changes nothing: same host devices and vSMMUs",
        "Domain: for devices detached since its start: none was attached or detached",
        "QEMU: the SMMUs on its command line: 3 SMMUs",
        "  ua-vsmmu-smmu-11000000-8 accel=on",
        "  ua-vsmmu-smmu-15000000-10 accel=on",
        "  ua-vsmmu-smmu-16000000-12 accel=on ats=on ril=off ssidsize=20 oas=48",
        "QEMU: the devices on its command line: 3 host devices",
        "QEMU: the answers of its monitor: 4 devices",
        "QEMU: the log of this start: none of the known errors",
        "Host: the kernel log since QEMU started: no SMMU event, no reset",
        "Guest: that each device is behind its vSMMU: 3 SMMUs",
        "Guest: that each device is at its address: 3 devices",
        "  0000:01:00.2 is 0000:e6:00.0",
        "  0006:01:00.0 is 0000:ef:00.0",
        "  0009:01:00.0 is 0000:f8:00.0",
        "Guest: that it translates each device's DMA: DMA-FQ",
        "Guest: that each device has a driver: nvme",
        "Guest: for ATS and PASID: on for 3 and 3 of 3 devices",
        "Guest: for the features of its vSMMUs: 3 vSMMUs",
        "  smmu3.0x000000000c000000: oas=48 nesting=false ats=false ril=false",
        "  smmu3.0x000000000c020000: oas=48 nesting=false ats=false ril=false",
        "  smmu3.0x000000000c040000: oas=48 nesting=false ats=true ril=false",
        "Guest: for NUMA nodes and their distances: 9 nodes",
        "Guest: that each BAR has an address: 3 devices",
        "Guest: the kernel log: no error of an SMMU or a device",
      ]
    `);
  });

  it('what it finds in a guest whose report was not made by root', () => {
    const report = (text: string) => text.replace(/ ats=.*/g, '').replace(/^log.*\n/gm, '');
    expect(described({ report }).filter((each) => each.includes('root'))).toMatchInlineSnapshot(`
      [
        "Guest: for ATS and PASID: not reported: only root can read it",
        "Guest: for the features of its vSMMUs: its log was not reported: only root can read it",
        "Guest: the kernel log: not reported: only root can read it",
      ]
    `);
  });

  it('what it finds in a guest without host devices and SMMUs', () => {
    const live = (xml: string) => xml.replaceAll(/<(hostdev|interface|iommu)\b[\s\S]*?<\/\1>/g, '');
    expect(described({ live }).filter((each) => /^(Domain|Guest)/.test(each))).toMatchInlineSnapshot(`
      [
        "Domain: that the host's SMMUs are the same: 5 SMMUs",
        "Domain: that each device is behind its vSMMU: 0 of 0 devices",
        "Domain: that the rest matches the plan: vSMMU values, NUMA cells and space for BARs",
        "Domain: that the next start changes nothing: same host devices and vSMMUs",
        "Domain: for devices detached since its start: none was attached or detached",
        "Guest: that each device is behind its vSMMU: no SMMU",
        "Guest: that each device is at its address: 0 devices",
        "Guest: that it translates each device's DMA: no device",
        "Guest: that each device has a driver: no device",
        "Guest: for ATS and PASID: on for 0 and 0 of 0 devices",
        "Guest: for the features of its vSMMUs: no longer in its log",
        "Guest: for NUMA nodes and their distances: 9 nodes",
        "Guest: that each BAR has an address: 0 devices",
        "Guest: the kernel log: no error of an SMMU or a device",
      ]
    `);
  });
});

describe('verify reports an error in the right check only:', () => {
  it.each(CASES)('%s', (_, changes, wrong) => {
    expect(wrongIn(changes)).toEqual(wrong);
  });

  it.each([
    ['no device', (text: string) => text.replace(new RegExp(`${line(gpu).source}\n`, 'm'), ''), 'there is no device'],
    [
      'another device',
      inReport(gpu, 'vendor=10de', 'vendor=8086'),
      'there is another device, 8086:2342 instead of 10de:2342',
    ],
  ])('the message about a missing device reports that there is %s', (_, report, words) => {
    const [message] = verify(evidenceOf({ report })).flatMap(({ findings }) => findings.map((each) => each.message));
    expect(message).toContain(words);
  });

  it('verify fails for a device that is not placed', () => {
    const unplaced = (xml: string) => xml.replace(/<iommu [\s\S]*?<\/iommu>/g, '');
    const { 'Domain: that each device is behind its vSMMU': codes } = wrongIn({ live: unplaced });
    expect(codes).toEqual(['device-not-nested', 'device-not-nested', 'device-not-nested']);
  });

  it('verify checks the running domain, not its definition', () => {
    expect(started(defined)).not.toBe(defined);
  });
});
