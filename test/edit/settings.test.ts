import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { revert } from '../../src/edit/undo/revert.js';
import { validate } from '../../src/generated/metadata.validate.js';
import type { Policy } from '../../src/policy/policy.js';
import { at, hostdev, port } from '../plan/example.js';
import { domain, meaning, rewritten } from './example.js';

const KEYS: Partial<Policy> = { romBar: 'off', ras: 'on', hugePages: '2M' };
const MORE = "<memory unit='KiB'>4194304</memory>\n  <memoryBacking>\n    <locked/>\n  </memoryBacking>\n  <os>";
const ONE = domain(port(1), hostdev(1, `<acpi index='1'/>${at(1)}`), hostdev(4)).replace('<os>', MORE);
const AFTER = rewritten(ONE, KEYS);
const restored = (xml: string) => revert(parseDomain(xml)).xml;

describe('the settings of the policy', () => {
  it('are where libvirt prints them', () => {
    expect(AFTER).toMatch(
      /<memoryBacking>\s*<hugepages>\s*<page size='2048' unit='KiB'\/>\s*<\/hugepages>\s*<locked\/>/,
    );
    expect(AFTER).toContain("<features><acpi/><ras state='on'/></features>");
    expect(AFTER).toMatch(/<\/source><rom bar='off'\/><acpi index='1'\/><address type='pci'/);
    expect(AFTER.match(/<rom /g), 'not at a device that stays').toHaveLength(1);
  });

  it('add a <memoryBacking> if there is none, without a page size if the policy names none', () => {
    const bare = domain(port(1), hostdev(1)).replace('<os>', '<memory>4194304</memory>\n  <os>');
    const after = rewritten(bare, { hugePages: 'on' });
    expect(after).toContain('  <memoryBacking>\n    <hugepages/>\n  </memoryBacking>\n  <os>');
    expect(restored(after)).toBe(bare);
    expect(rewritten(after, { hugePages: 'on' })).toBe(after);
  });

  it('are in the record as changes that its schema allows', () => {
    expect(AFTER).toMatch(/<vsmmu:changed ras="none to on" hugePages="none to 2048"\/>/);
    expect(AFTER).toMatch(/<vsmmu:changed device="0000:01:00.0" [^>]*romBar="none to off"/);
    const digest = '0'.repeat(16);
    const record = (changed: object) => ({ digest, former: digest, changed: [changed], added: {} });
    expect(validate(record({ romBar: 'none to off', ras: 'none to on', hugePages: 'none to on' }))).toBe(true);
    for (const other of [
      { romBar: 'on to off' },
      { ras: 'off to on' },
      { hugePages: '4 to on' },
      { hugePages: 'none to none' },
    ]) {
      expect(validate(record(other)), JSON.stringify(other)).toBe(false);
    }
  });

  it('stay in the next run, with or without the keys', () => {
    expect(rewritten(AFTER, KEYS)).toBe(AFTER);
    expect(rewritten(AFTER)).toBe(AFTER);
  });

  it('can be added in a later run', () => {
    expect(restored(rewritten(rewritten(ONE), KEYS))).toBe(ONE);
  });

  it('are reverted', () => {
    expect(restored(AFTER)).toBe(ONE);
  });

  it.each([
    ['a domain of one line', (xml: string) => xml.replace(/\n\s*/g, '')],
    ['an empty <memoryBacking>', (xml: string) => xml.replace(/<locked\/>/, '')],
    ['an empty <rom>', (xml: string) => xml.replace('<acpi index', '<rom/><acpi index')],
    ['a comment in <features>', (xml: string) => xml.replace('<acpi/></', '<acpi/> <!-- so --> </')],
  ])('are reverted in %s', (_title, change) => {
    const before = change(ONE);
    expect(rewritten(before, KEYS)).toContain("<rom bar='off'/>");
    expect(restored(rewritten(before, KEYS))).toBe(before);
  });

  it('are removed from a domain that was edited since, and the edits stay', () => {
    const edit = (xml: string) =>
      xml.replace('<acpi/>', "<acpi/><pmu state='off'/>").replace('<locked/>', '<nosharepages/>');
    expect(meaning(restored(edit(AFTER)))).toEqual(meaning(edit(ONE)));
  });

  it('stay if a user changed them since', () => {
    const edit = (xml: string) =>
      xml.replace("ras state='on'", "ras state='off'").replace("size='2048'", "size='65536'");
    const back = restored(edit(AFTER));
    expect(back).toContain("<ras state='off'/>");
    expect(back).toContain("<page size='65536' unit='KiB'/>");
    expect(back).not.toContain('<rom');
  });

  it('do not remove the file of a ROM that a user added since', () => {
    const back = restored(AFTER.replace("<rom bar='off'/>", "<rom bar='off' file='/rom'/>"));
    expect(back).toContain("<rom file='/rom'/>");
  });
});
