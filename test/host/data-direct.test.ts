import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Bdf } from '../../src/domain/address.js';
import type { PciDevice } from '../../src/generated/topology.js';
import { keywordOf, withDataDirect } from '../../src/host/data-direct.js';
import { Host } from '../../src/host/host.js';

/** A VPD as ConnectX NICs have it: the product's name, then read-only fields, then read-write fields. */
function vpd(fields: Readonly<Record<string, string>>, name = 'ConnectX-8 SuperNIC'): Buffer {
  const large = (tag: number, content: Buffer) =>
    Buffer.concat([Buffer.from([tag, content.length & 0xff, content.length >> 8]), content]);
  const list = Object.entries(fields).map(([keyword, value]) =>
    Buffer.concat([Buffer.from(keyword), Buffer.from([value.length]), Buffer.from(value)]),
  );
  return Buffer.concat([
    large(0x82, Buffer.from(name)),
    large(0x90, Buffer.concat(list)),
    large(0x91, Buffer.from('V3\u0003not')),
    Buffer.from([0x78]),
  ]);
}

describe('a keyword of a VPD', () => {
  it('is read from the read-only fields', () => {
    expect(keywordOf(vpd({ PN: '900-9X81Q', V3: 'b5aa', SN: 'MT24' }), 'V3')).toBe('b5aa');
    expect(keywordOf(vpd({ PN: '900-9X81Q' }), 'V3')).toBeUndefined();
  });

  it('is found only before the end tag', () => {
    expect(keywordOf(Buffer.concat([Buffer.from([0x78]), vpd({ V3: 'b5aa' })]), 'V3')).toBeUndefined();
  });

  it.each([...vpd({ PN: 'x', V3: 'b5aa' }).keys()])('is absent, without an error, in a VPD of %i bytes', (length) => {
    const found = keywordOf(vpd({ PN: 'x', V3: 'b5aa' }).subarray(0, length), 'V3');
    expect([undefined, 'b5aa']).toContain(found);
  });

  it('is absent in arbitrary bytes', () => {
    for (let byte = 0; byte < 256; byte++) expect(keywordOf(Buffer.alloc(64, byte), 'V3')).toBeUndefined();
  });
});

describe('the NIC of a DMA function in another segment', () => {
  const sysfs = mkdtempSync(join(tmpdir(), 'vsmmu-data-direct-'));
  afterAll(() => rmSync(sysfs, { recursive: true }));
  const device = (bdf: string, id: string, more: Partial<PciDevice> = {}): PciDevice => ({
    ...{ bdf: bdf as Bdf, vendor: '0x15b3', device: id, class: '0x020700', driver: null, vfio: false, bridge: false },
    ...{ smmu: null, group: 1, node: 0, parent: null, physfn: null, bars: [], ...more },
  });
  const write = (bdf: string, content: Buffer) => {
    mkdirSync(join(sysfs, 'bus/pci/devices', bdf), { recursive: true });
    writeFileSync(join(sysfs, 'bus/pci/devices', bdf, 'vpd'), content);
  };
  const dma = (bdf: string) => device(bdf, '0x2100', { class: '0x080100' });
  const hostOf = (...devices: PciDevice[]) => new Host({ version: 1, smmus: [], devices, nodes: [] });
  const related = (host: Host) =>
    withDataDirect(host, sysfs).topology.devices.flatMap(({ bdf, dataDirect }) =>
      dataDirect ? [[bdf, dataDirect]] : [],
    );

  it('is the one with the same UUID in its VPD', () => {
    write('0000:03:00.0', vpd({ SN: 'MT24', V3: 'uuid-a' }));
    write('0000:03:00.1', vpd({ SN: 'MT24', V3: 'uuid-a' }));
    write('0002:03:00.0', vpd({ SN: 'MT25', V3: 'uuid-b' }));
    write('0009:03:00.0', vpd({ V3: 'uuid-a' }));
    write('0008:03:00.0', vpd({ V3: 'uuid-b' }));
    const nics = ['0000:03:00.0', '0000:03:00.1', '0002:03:00.0'].map((bdf) => device(bdf, '0x1023'));
    const host = hostOf(...nics, dma('0008:03:00.0'), dma('0009:03:00.0'));
    expect(related(host)).toEqual([
      ['0008:03:00.0', ['0002:03:00.0']],
      ['0009:03:00.0', ['0000:03:00.0', '0000:03:00.1']],
    ]);
    expect(JSON.stringify(withDataDirect(host, sysfs).topology)).not.toMatch(/uuid|MT2/);
  });

  it('is unknown if a VPD cannot be read or has no UUID', () => {
    write('0010:03:00.0', vpd({ SN: 'MT26' }));
    expect(related(hostOf(device('0010:03:00.0', '0x1023'), dma('0018:03:00.0'), dma('0010:03:00.0')))).toEqual([]);
  });

  it('is a physical function of the same vendor, and not another DMA function', () => {
    const uuid = vpd({ V3: 'uuid-c' });
    for (const name of ['0020:03:00.0', '0020:03:00.1', '0020:04:00.0', '0020:05:00.0', '0028:03:00.0'])
      write(name, uuid);
    const host = hostOf(
      device('0020:03:00.0', '0x1023'),
      device('0020:03:00.1', '0x101e', { physfn: '0020:03:00.0' as Bdf }),
      device('0020:04:00.0', '0x1572', { vendor: '0x8086' }),
      device('0020:05:00.0', '0xc2d5', { class: '0x080100' }),
      dma('0028:03:00.0'),
    );
    expect(related(host)).toEqual([['0028:03:00.0', ['0020:03:00.0']]]);
  });

  it('is found at the end of the longest VPD, and not after it', () => {
    const long = (length: number) => {
      const field = Buffer.concat([Buffer.from('PN\xff', 'latin1'), Buffer.alloc(255, 0x20)]);
      const fields = Array.from({ length: Math.floor(length / field.length) }, () => field);
      const content = Buffer.concat([...fields, Buffer.from('V3\u0006uuid-d')]);
      return Buffer.concat([Buffer.from([0x90, content.length & 0xff, content.length >> 8]), content]);
    };
    const host = hostOf(device('0030:03:00.0', '0x1023'), dma('0038:03:00.0'));
    for (const [length, found] of [
      [32_000, [['0038:03:00.0', ['0030:03:00.0']]]],
      [33_500, []],
    ] as const) {
      for (const name of ['0030:03:00.0', '0038:03:00.0']) write(name, long(length));
      expect(related(host)).toEqual(found);
    }
  });

  it('is unknown if the VPD is not a file', () => {
    mkdirSync(join(sysfs, 'bus/pci/devices/0040:03:00.0/vpd'), { recursive: true });
    expect(related(hostOf(device('0040:03:00.0', '0x1023'), dma('0040:03:00.0')))).toEqual([]);
  });

  it('is not looked for on a host without such a function', () => {
    const host = hostOf(device('0000:03:00.0', '0x1023'));
    expect(withDataDirect(host, sysfs)).toBe(host);
  });
});
