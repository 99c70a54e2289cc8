import { describe, expect, it } from 'vitest';
import { formatKib, formatSize, type KiB, parseSize } from '../../src/domain/size.js';

describe('a size, in KiB, as libvirt 12.8 reads it', () => {
  it.for([
    ['1073741824', undefined, 2 ** 30],
    ['1', 'b', 1],
    ['1025', 'bytes', 2],
    ['0', 'TiB', 0],
    ['1', 'k', 1],
    ['1000', 'KB', 977],
    ['1', 'KiB', 1],
    ['3', 'MiB', 3 * 1024],
    ['1099512', 'MB', 1073742188],
    ['512', 'g', 2 ** 29],
    ['1', 'tib', 2 ** 30],
    ['1', 'P', 2 ** 40],
    [' 7\n', 'GiB', 7 * 2 ** 20],
  ] as const)('%s %s is %i', ([text, unit, kib]) => {
    expect(parseSize(text, unit)).toBe(kib);
  });

  it.for([
    ['', undefined],
    ['-1', 'KiB'],
    ['0x10', 'KiB'],
    ['1.5', 'GiB'],
    ['1', 'GiBs'],
    ['1', 'furlong'],
    ['99999999999999999999', 'KiB'],
    ['16', 'EiB'],
  ] as const)('%s %s is not a size', ([text, unit]) => {
    expect(parseSize(text, unit)).toBeUndefined();
  });

  it.for([
    [0, '0 KiB'],
    [1000, '1000 KiB'],
    [2 ** 29, '512 GiB'],
    [3 * 2 ** 30, '3 TiB'],
    [2 ** 42, '4096 TiB'],
  ] as const)('%i is written as %s', ([kib, text]) => {
    expect(formatKib(kib as KiB)).toBe(text);
  });

  it.for([
    [0, '0'],
    [512, '512'],
    [1024, '1K'],
    [1536, '1536'],
    [128 * 2 ** 30, '128G'],
    [2 ** 60, '1024P'],
  ] as const)('%i bytes are %s, the largest unit that divides them', ([bytes, text]) => {
    expect(formatSize(bytes)).toBe(text);
  });
});
