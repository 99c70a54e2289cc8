import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { asTcg, forCommandLine, hostAddresses, pciAddresses } from './domain.js';

const xml = readFileSync(new URL('../fixtures/domain-a.xml', import.meta.url), 'utf8');

describe('the changes for the lab', () => {
  it('change only the type and the CPU of the domain', () => {
    const lines = xml.split('\n');
    const changed = asTcg(xml).split('\n');
    expect(changed.filter((line, index) => line !== lines[index])).toEqual([
      "<domain type='qemu'>",
      "  <cpu mode='custom' match='exact'><model>cortex-a72</model></cpu>",
    ]);
  });

  it('keep the NUMA cells of the CPU', () => {
    const cpu =
      "<cpu mode='host-passthrough' check='none'>\n<topology sockets='2'/>\n<numa><cell id='0'/></numa></cpu>";
    expect(asTcg(cpu)).toBe(
      "<cpu mode='custom' match='exact'><model>cortex-a72</model><numa><cell id='0'/></numa></cpu>",
    );
  });

  it('replace an interface that is a host device by a hostdev at its position', () => {
    const changed = forCommandLine(xml);
    expect(hostAddresses(changed)).toEqual([
      '0000:31:10.2',
      '0000:91:00.0',
      '0000:11:00.0',
      '0000:11:00.1',
      '0000:00:10.0',
    ]);
    expect(pciAddresses(changed)).toEqual(pciAddresses(xml));
  });
});
