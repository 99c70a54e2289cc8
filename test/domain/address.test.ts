import { describe, expect, it } from 'vitest';
import { type Bdf, bdfAttributes, compareBdf, formatBdf, parseBdf } from '../../src/domain/address.js';
import { parseNumber } from '../../src/domain/number.js';

describe('a number as libvirt reads it', () => {
  it.each([
    ['0', 0],
    ['15', 15],
    ['0x1f', 31],
    ['0X1F', 31],
    ['010', 8],
    ['00', 0],
    ['08', undefined],
    ['1f', undefined],
    ['0x', undefined],
    ['', undefined],
    ['+1', undefined],
    ['-1', undefined],
    ['1.0', undefined],
    ['1e3', undefined],
  ])('%s is %s', (text, value) => {
    expect(parseNumber(text)).toBe(value);
  });
});

describe('a BDF', () => {
  it.each([
    ['0000:31:10.2', '0000:31:10.2'],
    ['31:10.2', '0000:31:10.2'],
    ['0000:C1:1F.7', '0000:c1:1f.7'],
    ['10000:01:00.0', '10000:01:00.0'],
    ['0000:31:20.0', undefined],
    ['0000:31:10.8', undefined],
    ['000:31:10.0', undefined],
    ['0000:31:10', undefined],
    ['00010000:01:00.0', '10000:01:00.0'],
  ])('%s is %s', (text, bdf) => {
    expect(parseBdf(text)).toBe(bdf);
  });

  it('is written with as many digits of the PCI domain as necessary', () => {
    expect(formatBdf({ domain: 0x10000, bus: 1, slot: 0x1f, function: 7 })).toBe('10000:01:1f.7');
  });

  it('is written as the attributes of an address, as libvirt writes them', () => {
    const written = bdfAttributes('0000:c1:0a.7' as Bdf).map(([name, value]) => `${name}=${value}`);
    expect(written).toEqual(['domain=0x0000', 'bus=0xc1', 'slot=0x0a', 'function=0x7']);
  });

  it('is sorted by number, not by text', () => {
    const sorted = ['10000:00:00.0', 'ffff:00:00.0', '0000:01:00.1', '0000:01:00.0'] as Bdf[];
    expect(sorted.sort(compareBdf)).toEqual(['0000:01:00.0', '0000:01:00.1', 'ffff:00:00.0', '10000:00:00.0']);
  });
});
