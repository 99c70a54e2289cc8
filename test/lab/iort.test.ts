import { describe, expect, it } from 'vitest';
import { formatMapping, parseIort } from './iort.js';

/** The table of QEMU 11.1 for bus numbers 229, 238 and 247, with an endpoint behind a port of the last two. */
const table = Buffer.from(
  'SU9SVAACAAAFZ0JPQ0hTIEJYUEMgICAgAQAAAEJYUEMBAAAABQAAADAAAAAAAAAAABgAAQAAAAAAAAAAAAAAAAEAAAAAAAAABFgABAEAAAABAAAARAAA' +
    'AAAAAAwAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAACQAAAAkQAAAJMAAACSAAAAAAAAAAAAAAAAAAAA//8AAAAAAAAwAAAAAAAAAARYAAQCAAAAAQAAAEQA' +
    'AAAAAAIMAAAAAAEAAAAAAAAAAAAAAAAAAAAAAAAAlAAAAJUAAACXAAAAlgAAAAAAAAAAAAAAAAAAAP//AAAAAAAAMAAAAAAAAAAEWAAEAwAAAAEAAABE' +
    'AAAAAAAEDAAAAAABAAAAAAAAAAAAAAAAAAAAAAAAAJgAAACZAAAAmwAAAJoAAAAAAAAAAAAAAAAAAAD//wAAAAAAADAAAAAAAAAAArAAAwQAAAAHAAAA' +
    'JAAAAAEAAAAAAAADAAAAAAAAAAAQAAAAAOUAAP8AAAAA5QAASAAAAAAAAAAA7gAA/wEAAADuAACgAAAAAAAAAAD3AAD/AQAAAPcAAPgAAAAAAAAAAAAA' +
    'AP/kAAAAAAAAMAAAAAAAAAAA5gAA/wcAAADmAAAwAAAAAAAAAADwAAD/BgAAAPAAADAAAAAAAAAAAPkAAP8GAAAA+QAAMAAAAAAAAAA=',
  'base64',
);

describe('the IORT', () => {
  it('has an SMMU for each expander bus, and maps all other IDs to the ITS', () => {
    const { smmus, mappings } = parseIort(table);
    expect(smmus).toEqual([0x0c000000n, 0x0c020000n, 0x0c040000n]);
    expect(mappings.map(formatMapping)).toEqual([
      'e500+0ff→smmu3.0x000000000c000000',
      'ee00+1ff→smmu3.0x000000000c020000',
      'f700+1ff→smmu3.0x000000000c040000',
      '0000+e4ff→ITS',
      'e600+7ff→ITS',
      'f000+6ff→ITS',
      'f900+6ff→ITS',
    ]);
  });

  it('is not read from another table or a truncated one', () => {
    expect(() => parseIort(Buffer.from('FACP'.padEnd(64)))).toThrow('not an IORT');
    expect(() => parseIort(table.subarray(0, 100))).toThrow(RangeError);
  });
});
