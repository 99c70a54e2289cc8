import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { parseQemuSize } from '../../src/domain/overrides.js';
import { rewrite } from '../../src/edit/rewrite.js';
import type { Policy } from '../../src/policy/policy.js';
import { domainXml, hostdev, hostOf, planned } from './build.js';

const BDF = '0000:01:00.0';
const host = hostOf(1, [{ bdf: BDF }]);
const QEMU = 'http://libvirt.org/schemas/domain/qemu/1.0';
const policy: Partial<Policy> = { sparePorts: 1, spareMemory: '128G' };
const xml = domainXml(hostdev(BDF));

function write(text: string, how: Partial<Policy> = policy): string {
  const { plan } = planned(text, host, how);
  const written = rewrite(parseDomain(text), plan);
  expect(planned(written, host, how).plan.changed, 'the second run changes nothing').toBe(false);
  return written;
}

const reserves = (text: string): string[] => text.match(/<[^<]*pref64-reserve[^>]*>/g) ?? [];

describe('memory that spare ports reserve', () => {
  it('is set in <qemu:override>, by the alias of the port, with the namespace on the root element', () => {
    const text = write(xml);
    const [, alias] = /\n {2}<qemu:override>\n {4}<qemu:device alias='([^']*)'>/.exec(text) ?? [];
    expect(text).toMatch(`<domain type='kvm' xmlns:qemu='${QEMU}'>`);
    expect(text).toContain(`  </devices>
  <qemu:override>
    <qemu:device alias='${alias}'>
      <qemu:frontend>
        <qemu:property name='pref64-reserve' type='unsigned' value='137438953472'/>
      </qemu:frontend>
    </qemu:device>
  </qemu:override>
</domain>`);
    const ports = planned(xml, host, policy).plan.expanderBuses.flatMap(({ ports }) => ports);
    expect(ports.map(({ devices, reserve }) => [devices, reserve])).toEqual([
      [[BDF], 0],
      [[], 128 * 2 ** 30],
    ]);
    expect(ports[1]?.alias).toBe(alias);
  });

  it('is not reserved without spare ports', () => {
    expect(reserves(write(xml, { spareMemory: '1G' }))).toEqual([]);
  });

  it.each([
    ['1M', 2 ** 20],
    ['3G', 4 * 2 ** 30],
    ['96G', 128 * 2 ** 30],
    ['1T', 2 ** 40],
  ])('is rounded up to a power of two: %s', (spareMemory, bytes) => {
    expect(reserves(write(xml, { sparePorts: 1, spareMemory }))).toEqual([expect.stringContaining(`value='${bytes}'`)]);
  });

  it('is reserved on existing spare ports, grows in place, and never shrinks', () => {
    const before = write(xml, { sparePorts: 1 });
    const small = write(before, { sparePorts: 1, spareMemory: '1G' });
    const large = write(small);
    expect(reserves(small)).toEqual([expect.stringContaining("value='1073741824'")]);
    expect(reserves(large)).toEqual([expect.stringContaining("value='137438953472'")]);
    expect(write(large, { sparePorts: 1 })).toBe(large);
    expect(write(large, { sparePorts: 1, spareMemory: '1G' })).toBe(large);
  });

  it('is added to the existing overrides of the domain, with their prefix', () => {
    const override = `<q:override><q:device alias='video0'><q:frontend><q:property name='x' type='bool' value='true'/></q:frontend></q:device></q:override>`;
    const text = write(
      xml
        .replace("<domain type='kvm'>", `<domain type='kvm' xmlns:q='${QEMU}'>`)
        .replace('</domain>', `  ${override}\n</domain>`),
    );
    expect(text).toContain("<q:device alias='video0'>");
    expect(reserves(text)).toEqual([expect.stringMatching(/^<q:property/)]);
    expect(text.match(/override>/g)).toHaveLength(2);
  });

  it('uses another prefix if qemu is bound to another namespace', () => {
    const text = write(xml.replace("<domain type='kvm'>", "<domain type='kvm' xmlns:qemu='urn:x'>"));
    expect(text).toContain(`<domain type='kvm' xmlns:qemu='urn:x' xmlns:qemu1='${QEMU}'>`);
    const third = write(
      xml.replace("<domain type='kvm'>", "<domain type='kvm' xmlns:qemu='urn:x' xmlns:qemu1='urn:y'>"),
    );
    expect(third).toContain(`xmlns:qemu1='urn:y' xmlns:qemu2='${QEMU}'>`);
    expect(text).toContain('<qemu1:override>');
  });

  it.each([
    ['256G', 1, null],
    ['512G', 1, 2 ** 30],
    ['256G', 4, 2 ** 31],
  ])('is counted in the space for 64-bit BARs: %s on %i ports', (spareMemory, sparePorts, kib) => {
    const { plan } = planned(xml, host, { sparePorts, spareMemory });
    expect(plan.pcihole64?.after ?? null).toBe(kib);
  });

  it('is left out on a port that libvirt named itself', () => {
    const ports = planned(xml, host, { sparePorts: 1 }).plan.expanderBuses[0]?.ports ?? [];
    const unnamed = write(xml, { sparePorts: 1, spareMemory: 0 }).replace(
      `      <alias name='${ports[1]?.alias}'/>\n`,
      '',
    );
    expect(reserves(write(unnamed))).toEqual([]);
  });
});

describe('parseQemuSize reads a size', () => {
  it.each([
    ['137438953472', 2 ** 37],
    ['128G', 2 ** 37],
    ['0x80M', 2 ** 27],
    ['1T', 2 ** 40],
    ['many', undefined],
    ['', undefined],
  ])('%s', (text, bytes) => expect(parseQemuSize(text)).toBe(bytes));
});
