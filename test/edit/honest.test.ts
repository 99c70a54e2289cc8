import { describe, expect, it } from 'vitest';
import { RefusedError } from '../../src/diagnostics/errors.js';
import { parseDomain } from '../../src/domain/domain.js';
import { type Reverted, revert } from '../../src/edit/undo/revert.js';
import type { Policy } from '../../src/policy/policy.js';
import { at, hostdev, port, rng } from '../plan/example.js';
import { domain, meaning, rewritten } from './example.js';

const reverted = (xml: string): Reverted => revert(parseDomain(xml));
const codes = ({ diagnostics, left }: Reverted) => [...diagnostics, ...left].map(({ code }) => code);

const PLAIN = domain(port(1), port(2), hostdev(1, at(1)), hostdev(2, at(2)));

describe('revert restores the original text byte for byte:', () => {
  const namespace = 'http://libvirt.org/schemas/domain/qemu/1.0';
  it.each<[title: string, xml: string, policy?: Partial<Policy>]>([
    ['on one line', PLAIN.replaceAll(/\n\s*/g, '')],
    ['with white space before </devices>', PLAIN.replace('  </devices>', ' \t\n\n \t</devices>')],
    [
      'if pcie-root has no index, as virt-install writes it',
      PLAIN.replace(" index='0' model='pcie-root'", " model='pcie-root'"),
    ],
    [
      "if QEMU's namespace is declared on an inner element",
      PLAIN.replace(
        '</domain>',
        `  <q:commandline xmlns:q='${namespace}'><q:arg value='-s'/></q:commandline>\n</domain>`,
      ),
      { sparePorts: 1, spareMemory: '64G' },
    ],
    [
      'if a title contains the namespace of the record',
      PLAIN.replace('<os>', '<title>urn:vsmmu:domain:1 digest="0000000000000000"</title><os>'),
    ],
  ])('%s', (_title, xml, policy) => {
    const after = rewritten(xml, policy);
    expect(after).not.toBe(xml);
    expect(reverted(after)).toEqual({ xml, diagnostics: [], left: [] });
  });
});

describe('revert after other edits', () => {
  it('leaves nothing of a removed device that was on one line, whether the domain was rewritten again or not', () => {
    const gone = rewritten(PLAIN).replace(/ *<hostdev(?:(?!<hostdev)[\s\S])*bus='2'\/><\/source>.*<\/hostdev>\n/, '');
    const expected = meaning(domain(port(1), port(2), hostdev(1, at(1))));
    expect(meaning(reverted(gone).xml)).toEqual(expected);
    const again = rewritten(gone, { ats: 'on' });
    expect(again).not.toBe(gone);
    expect(meaning(reverted(again).xml)).toEqual(expected);
    expect(codes(reverted(again))).toEqual([]);
  });

  it('keeps a port of pcie.0 that a device used in the meantime, but removes the alias of vsmmu', () => {
    const first = rewritten(domain(hostdev(1), hostdev(2)));
    const [guard] = parseDomain(first).controllers.filter(({ alias }) => alias?.startsWith('ua-vsmmu-root-port-'));
    const used = rewritten(first.replace('  </devices>', `  ${rng(at(guard?.index ?? 0))}\n  </devices>`), {
      ats: 'on',
    });
    const out = reverted(used.replace(/ *<rng .*\n/, ''));
    expect(out.xml).not.toContain('vsmmu');
    expect(codes(out)).toEqual([]);
    expect(parseDomain(out.xml).controllers.map((c) => c.index)).toEqual([0, guard?.index]);
  });

  it('removes the address of a device whose source was edited if the controller of that address is removed', () => {
    const edited = rewritten(PLAIN).replace("<source><address bus='2'/>", "<source><address bus='4'/>");
    const out = reverted(edited);
    expect(codes(out)).toEqual(['address-dropped']);
    expect(parseDomain(out.xml).hostDevices.map((d) => [d.bdf, d.address?.bus])).toEqual([
      ['0000:01:00.0', 1],
      ['0000:04:00.0', undefined],
    ]);
  });

  it('does not restore an address on a controller that a user removed', () => {
    const edited = rewritten(PLAIN).replace(/ *<controller type='pci' index='2' .*\n/, '');
    const out = reverted(edited);
    expect(codes(out)).toEqual(['address-dropped']);
    expect(parseDomain(out.xml).hostDevices.map((d) => d.address?.bus)).toEqual([1, undefined]);
  });

  it('keeps a controller with an alias of vsmmu that no record lists, with an error', () => {
    const first = rewritten(PLAIN);
    const lost = first.replace(/ *<metadata>[\s\S]*<\/metadata>\n/, '');
    const again = rewritten(lost, { ats: 'on' });
    const out = reverted(again);
    expect(out.xml).toBe(lost);
    expect(codes(out)).toEqual(['revert-incomplete']);
    expect(out.left[0]).toMatchObject({ severity: 'error', message: expect.stringContaining('controllers 3-6') });
  });

  it('keeps NUMA cells that others follow, with an error, also after another rewrite', () => {
    const cell = (id: number, rest: string) => `<cell id='${id}' ${rest} memory='1024' unit='KiB'/>`;
    const cells = `<cpu><numa>${cell(0, "cpus='0'")}</numa></cpu>`;
    const record = '<v:changed device="0000:01:00.0" address="01:00.0 to 04:00.0"/><v:added cells="1"/>';
    const xml = PLAIN.replace(
      '<os>',
      `<metadata><v:placement xmlns:v="urn:vsmmu:domain:1" digest="0123456789abcdef" former="0123456789abcdef">${record}</v:placement></metadata><os>`,
    ).replace(
      '<os>',
      cells.replace('</numa>', `<cell id='1' memory='0' unit='KiB'/>${cell(2, "cpus='1'")}</numa>`).concat('<os>'),
    );
    for (const text of [xml, rewritten(xml)]) {
      const out = reverted(text);
      expect(codes(out)).toContain('revert-incomplete');
      expect(out.left[0]?.message).toContain('NUMA cells 1');
    }
  });
});

describe('an unreadable record', () => {
  const broken = rewritten(PLAIN).replace(' to 04:00.0', '');

  it('makes rewrite refuse rather than replace it by an incomplete record', () => {
    expect(rewritten(broken), 'if nothing has to change').toBe(broken);
    expect(() => rewritten(broken, { ats: 'on' })).toThrow(RefusedError);
  });

  it('does not stop --force, which removes elements with aliases of vsmmu', () => {
    expect(() => reverted(broken)).toThrow(RefusedError);
    const { xml } = revert(parseDomain(broken), { force: true });
    expect(xml).not.toMatch(/vsmmu|iommu/);
  });
});

describe('a large record', () => {
  it.each([
    [
      'with 500 KB of white space',
      (xml: string) => xml.replace('controllers="3-6"', `controllers="${' '.repeat(500_000)}"`),
    ],
    ['with a change of 500 KB', (xml: string) => xml.replace('none to yes', 'none to '.repeat(60_000))],
    [
      'beside 20 000 SMMUs',
      (xml: string) =>
        xml.replace('</devices>', `${"<iommu model='smmuv3'><driver pciBus='3'/></iommu>".repeat(20_000)}</devices>`),
    ],
    [
      'with 20 000 changes',
      (xml: string) =>
        xml.replace(
          '<vsmmu:added',
          `${'<vsmmu:changed device="0000:01:00.0" iommufd="none to yes"/>'.repeat(20_000)}<vsmmu:added`,
        ),
    ],
  ])(
    '%s is read in time proportional to its size',
    (_title, enlarge) => {
      const xml = enlarge(rewritten(PLAIN));
      expect(xml.length).toBeGreaterThan(400_000);
      try {
        expect(reverted(xml).xml.length).toBeLessThan(xml.length);
      } catch (error) {
        if (!(error instanceof RefusedError)) throw error;
      }
    },
    20_000,
  );
});
