import { describe, expect, it } from 'vitest';
import type { Policy } from '../../src/policy/policy.js';
import { domainXml, hostdev, hostOf, planned } from './build.js';

const HOST = hostOf(1, [{ bdf: '0000:01:00.0' }, { bdf: '0000:02:00.0', smmu: null }]);
const ALL: Partial<Policy> = { romBar: 'off', ras: 'on', hugePages: '512M' };

/** The settings of the plan for a domain with a device to place and one that stays, and the warnings. */
function settingsOf(change: (xml: string) => string = (xml) => xml, policy: Partial<Policy> = ALL) {
  const xml = change(domainXml(hostdev('0000:01:00.0') + hostdev('0000:02:00.0')));
  const { plan, diagnostics } = planned(xml, HOST, policy);
  return { ...plan.settings, warnings: diagnostics.filter((d) => d.severity === 'warning').map((d) => d.code) };
}

const addedAfter = (start: string, added: string) => (xml: string) => xml.replace(start, `${start}${added}`);
const rom = (attributes: string) =>
  addedAfter("<hostdev mode='subsystem' type='pci' managed='yes'>", `<rom ${attributes}/>`);
const backing = (content: string) => addedAfter('<name>test</name>', `<memoryBacking>${content}</memoryBacking>`);

describe('the settings of the policy', () => {
  it('are not written without the keys', () => {
    expect(settingsOf(undefined, {})).toEqual({ romBars: [], ras: false, hugePages: null, warnings: [] });
  });

  it('are written for placed devices, and not for others', () => {
    expect(settingsOf()).toEqual({ romBars: ['0000:01:00.0'], ras: true, hugePages: 524288, warnings: [] });
  });

  it('are not written in a domain without a placed device', () => {
    const { plan } = planned(domainXml(hostdev('0000:02:00.0')), HOST, ALL);
    expect(plan).toMatchObject({ changed: false, settings: { romBars: [], ras: false, hugePages: null } });
  });

  it('use the default huge page size of the host if the policy has no size', () => {
    expect(settingsOf(undefined, { hugePages: 'on' }).hugePages).toBe('on');
  });

  it.each([
    ['a ROM that is off', rom("bar='off'"), { romBars: [] }, []],
    ['a ROM that is disabled', rom("enabled='no'"), { romBars: [] }, []],
    ['an empty <rom>', rom(''), { romBars: ['0000:01:00.0'] }, []],
    ['a ROM of its own', rom("file='/rom'"), { romBars: [] }, ['setting-kept']],
    ['a ROM that is on', rom("bar='on'"), { romBars: [] }, ['setting-kept']],
    ['RAS', addedAfter('<acpi/>', "<ras state='on'/>"), { ras: false }, []],
    ['RAS that is off', addedAfter('<acpi/>', "<ras state='off'/>"), { ras: false }, ['setting-kept']],
    ['other settings of its memory', backing('<locked/>'), { hugePages: 524288 }, []],
    ['the same huge pages', backing("<hugepages><page size='512' unit='M'/></hugepages>"), { hugePages: null }, []],
    ['other huge pages', backing('<hugepages/>'), { hugePages: null }, ['setting-kept']],
    [
      'huge pages for a cell',
      backing("<hugepages><page size='2048' nodeset='0'/></hugepages>"),
      { hugePages: null },
      ['setting-kept'],
    ],
    ['memory without a file', backing("<source type='anonymous'/>"), { hugePages: null }, ['setting-kept']],
    ['memory in a file', backing("<source type='file'/>"), { hugePages: 524288 }, []],
    ['memory allocated on demand', backing("<allocation mode='ondemand'/>"), { hugePages: null }, ['setting-kept']],
    ['memory allocated immediately', backing("<allocation mode='immediate'/>"), { hugePages: 524288 }, []],
    [
      'memory that is not a multiple of the page size',
      (xml: string) => xml.replace('4194304', '4194305'),
      { hugePages: null },
      ['setting-kept'],
    ],
    [
      'a cell whose memory is not a multiple of the page size',
      addedAfter(
        '</name>',
        "<cpu><numa><cell id='0' cpus='0' memory='4194304'/><cell id='1' memory='1024'/></numa></cpu>",
      ),
      { hugePages: null },
      ['setting-kept'],
    ],
  ])('respect %s of the domain', (_title, change, expected, warnings) => {
    expect(settingsOf(change)).toMatchObject({ ...expected, warnings });
  });

  it('keep huge pages of any size that the domain has', () => {
    const change = backing("<hugepages><page size='2' unit='M'/></hugepages>");
    expect(settingsOf(change, { hugePages: 'on' })).toMatchObject({ hugePages: null, warnings: [] });
  });
});
