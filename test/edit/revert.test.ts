import { describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { type RevertOptions, revert } from '../../src/edit/undo/revert.js';
import type { Policy } from '../../src/policy/policy.js';
import { at, expander, hostdev, port, rng } from '../plan/example.js';
import { domain, meaning, rewritten } from './example.js';

function reverted(xml: string, options: RevertOptions = {}): { xml: string; codes: string[] } {
  const { xml: out, diagnostics } = revert(parseDomain(xml), options);
  return { xml: out, codes: diagnostics.map((d) => d.code) };
}

it('revert restores a domain with an <address> directly in <devices>, which libvirt ignores', () => {
  const before = domain("<address type='pci' bus='0x03' slot='0x00'/>", hostdev(1));
  expect(reverted(rewritten(before)).xml).toBe(before);
});

/** A line with its addresses written as `at` writes them. */
function canonical(line: string): string {
  return line.replace(/<address type='pci'([^>]*)\/>/g, (_, given: string) => {
    const part = (name: string) => Number(new RegExp(`${name}='([^']*)'`).exec(given)?.[1] ?? 0);
    return at(part('bus'), part('slot'), part('function'));
  });
}

/** Rewrites, edits and reverts a domain. Returns the lines that differ from the original, and the diagnostics. */
function afterEdit(
  before: string,
  edit: (xml: string) => string,
): { added: string[]; lost: string[]; codes: string[] } {
  const edited = edit(rewritten(before));
  expect(edited, 'the edit does something').not.toBe(rewritten(before));
  const { xml, codes } = reverted(edited);
  const [was, is] = [before, xml].map((text) => text.split('\n').map(canonical)) as [string[], string[]];
  return { added: is.filter((line) => !was.includes(line)), lost: was.filter((line) => !is.includes(line)), codes };
}

const PLAIN = domain(port(1), hostdev(1, at(1)), rng(at(0, 2)));

describe('a rewritten domain', () => {
  it.each<[title: string, devices: string[], policy?: Partial<Policy>]>([
    ['with a device that had no address', [port(1), hostdev(1)]],
    ['with a device whose address was empty', [port(1), hostdev(1, "<address type='pci'/>")]],
    ['with numbers in several bases', [port(8), hostdev(1, "<address type='pci' bus='010' slot='0x0' function='0'/>")]],
    ['with a driver of its own', [port(1), hostdev(1, `<driver name='vfio' iommufd='no'/>${at(1)}`)]],
    [
      'with functions of a slot that are separated, one of which gets function 0',
      [port(1), hostdev(1, at(1)), hostdev(4, at(1, 0, 1)), rng(at(1, 0, 2))],
    ],
    ['with an SMMU for the whole machine', [port(1), "<iommu model='smmuv3' />", hostdev(1, at(1))]],
    [
      'with an SMMU for the whole machine that was removed',
      [port(1), port(2), "<iommu   model='smmuv3'></iommu>", hostdev(1, at(1)), hostdev(4, at(2))],
      { emulatedIommu: 'drop' },
    ],
    ['with spare ports', [port(1), hostdev(1, at(1))], { sparePorts: 2 }],
    [
      'with an existing expander bus',
      [
        port(1),
        expander(2, 200),
        port(3, at(2)),
        hostdev(1, at(3)),
        hostdev(3, at(1)),
        "<iommu model='smmuv3'><driver pciBus='2' accel='off'/></iommu>",
      ],
    ],
    [
      'with a vSMMU as patched libvirts write it',
      [
        ...[port(1), expander(2, 200), port(3, at(2)), hostdev(1, at(3))],
        '<iommu model="smmuv3"><driver pciBus="2"  ssidSize="8" accel="on"/></iommu>',
      ],
      { ssidsize: 9 },
    ],
    ['with memory that spare ports reserve', [port(1), hostdev(1, at(1))], { sparePorts: 1, spareMemory: '64G' }],
    ['with iommufd for the whole domain', [port(1), hostdev(1, at(1))], { iommufd: 'domain' }],
  ])('%s is restored', (_title, devices, policy) => {
    const before = domain(...devices);
    const after = rewritten(before, policy);
    expect(after).not.toBe(before);
    expect(reverted(after)).toEqual({ xml: before, codes: [] });
  });

  it('is restored after several runs, each with another device and policy', () => {
    const first = rewritten(PLAIN);
    const more = first.replace('  </devices>', `  ${hostdev(2)}\n  </devices>`);
    const second = rewritten(more, { ats: 'on', sparePorts: 0 });
    const third = rewritten(second, { ats: 'off', oas: 48 });
    expect(new Set([first, second, third]).size).toBe(3);
    expect(meaning(reverted(third).xml)).toEqual(
      meaning(PLAIN.replace('  </devices>', `  ${hostdev(2)}\n  </devices>`)),
    );
  });

  it('has one record, with one line per device', () => {
    const printed = (bus: number) => `<address type='pci' domain='0x0000' bus='0x0${bus}' slot='0x00' function='0x0'/>`;
    const xml = rewritten(domain(port(1), port(2), hostdev(1, printed(1)), hostdev(2, printed(2))));
    const [record = ''] = /<vsmmu:placement[\s\S]*<\/vsmmu:placement>/.exec(xml) ?? [];
    expect(record.replace(/"\w{16}"/g, '"…"').split('\n')).toEqual([
      '<vsmmu:placement xmlns:vsmmu="urn:vsmmu:domain:1" digest="…" former="…">',
      '      <vsmmu:changed device="0000:01:00.0" address="01:00.0 to 04:00.0" iommufd="none to yes"/>',
      '      <vsmmu:changed device="0000:02:00.0" address="02:00.0 to 06:00.0" iommufd="none to yes"/>',
      '      <vsmmu:added controllers="3-6"/>',
      '      <vsmmu:text edits="37-32+0 519-1088+0 1649-23+0 1748-4+4 1834-23+0 1933-4+4 1977-156+0" put="0x010x02"/>',
      '    </vsmmu:placement>',
    ]);
  });

  it('keeps the metadata of other programs', () => {
    const before = PLAIN.replace('<os>', '<metadata><a:b xmlns:a="urn:a"/></metadata>\n  <os>');
    expect(reverted(rewritten(before)).xml).toBe(before);
    const more = (xml: string) => xml.replace('</metadata>', '<c:d xmlns:c="urn:c"/></metadata>');
    expect(reverted(more(rewritten(before))).xml).toContain('<a:b xmlns:a="urn:a"/>');
    const kept = reverted(more(rewritten(PLAIN))).xml;
    expect(kept).toContain('<c:d xmlns:c="urn:c"/>');
    expect(kept).not.toContain('vsmmu');
  });
});

describe('revert after an edit by hand', () => {
  it('keeps other changes', () => {
    const edit = (xml: string) => xml.replace("<rng model='virtio'>", "<rng model='virtio-transitional'>");
    expect(afterEdit(PLAIN, edit)).toMatchObject({ added: [expect.stringContaining('transitional')], codes: [] });
  });

  it('does not restore a removed device', () => {
    expect(afterEdit(PLAIN, (xml) => xml.replace(/ *<hostdev[\s\S]*<\/hostdev>\n/, ''))).toEqual({
      added: [],
      lost: [expect.stringContaining('<hostdev')],
      codes: [],
    });
  });

  it('does not move a device that the user moved', () => {
    const move = (xml: string) => xml.replace(/(<source><address bus='1'\/><\/source>)<address[^>]*>/, `$1${at(0, 9)}`);
    expect(afterEdit(PLAIN, move)).toMatchObject({ added: [expect.stringContaining(at(0, 9))], codes: [] });
  });

  it('drops the address of a device that the user put on a port that vsmmu added', () => {
    const put = (xml: string) => xml.replace('  </devices>', `  ${hostdev(3, at(3, 0, 1))}\n  </devices>`);
    const { added, codes } = afterEdit(PLAIN, put);
    expect(added).toEqual([`  ${hostdev(3)}`]);
    expect(codes).toEqual(['address-dropped']);
  });

  it('drops the address of a device if another device uses its former address', () => {
    const take = (xml: string) => xml.replace('  </devices>', `  ${rng(at(1))}\n  </devices>`);
    const { added, codes } = afterEdit(PLAIN, take);
    expect(added).toEqual([`    ${hostdev(1)}`, `  ${rng(at(1))}`]);
    expect(codes).toEqual(['address-dropped']);
  });

  it('does not return a function to a slot whose function 0 has been detached', () => {
    const first = at(1).replace("function='0'", "function='0' multifunction='on'");
    const before = domain(port(1), hostdev(1, first), hostdev(2, at(1, 0, 1)), rng(at(0, 2)));
    const { added, codes } = afterEdit(before, (xml) =>
      xml.replace(/ *<hostdev (?:(?!<hostdev)[\s\S])*bus='1'\/><\/source>[\s\S]*?<\/hostdev>\n/, ''),
    );
    expect(added).toEqual([`    ${hostdev(2)}`]);
    expect(codes).toEqual(['address-dropped']);
  });

  it('does not return a function to a slot whose detached function 0 vsmmu never moved', () => {
    const first = at(1).replace("function='0'", "function='0' multifunction='on'");
    const before = domain(port(1), hostdev(4, first), hostdev(1, at(1, 0, 1)), rng(at(0, 2)));
    const { added, codes } = afterEdit(before, (xml) =>
      xml.replace(/ *<hostdev (?:(?!<hostdev)[\s\S])*bus='4'\/><\/source>[\s\S]*?<\/hostdev>\n/, ''),
    );
    expect(added).toEqual([`    ${hostdev(1)}`]);
    expect(codes).toEqual(['address-dropped']);
  });

  it('drops the address of a port that the user put on an expander bus of vsmmu, and keeps its device', () => {
    const put = (xml: string) =>
      xml.replace('  </devices>', `  ${port(4, at(2, 5))}\n    ${hostdev(3, at(4))}\n  </devices>`);
    const { added, codes } = afterEdit(PLAIN, (xml) => put(xml));
    expect(added.join('\n')).toContain(hostdev(3, at(4)));
    expect(codes).toEqual(['address-dropped', 'revert-port-left']);
  });

  it('leaves no gap below a controller that was added after those of vsmmu', () => {
    const put = (xml: string) => xml.replace('  </devices>', `  ${port(4, at(0, 9))}\n    ${rng(at(4))}\n  </devices>`);
    const { added, codes } = afterEdit(PLAIN, put);
    expect(codes).toEqual(['revert-port-left']);
    const after = parseDomain(PLAIN.replace('  </devices>', `${added.join('\n')}\n  </devices>`));
    expect(after.controllers.map((c) => c.index).sort()).toEqual([0, 1, 2, 3, 4]);
    expect(after.controllers.filter((c) => c.alias).length).toBe(0);
  });

  it('keeps an attribute that the user added to <driver>', () => {
    const more = (xml: string) => xml.replace("<driver iommufd='yes'/>", "<driver name='vfio' iommufd='yes'/>");
    const { added } = afterEdit(PLAIN, more);
    expect(added).toEqual([expect.stringContaining("<driver name='vfio'/>")]);
  });

  it('removes an SMMU that replaced the one of vsmmu, together with its expander bus', () => {
    const mine = "<iommu model='smmuv3'><driver pciBus='2' accel='on' ats='off'/></iommu>";
    const { added, codes } = afterEdit(PLAIN, (xml) => xml.replace(/<iommu[\s\S]*<\/iommu>/, mine));
    expect({ added, codes }).toEqual({ added: [], codes: [] });
  });
});

describe('a namespace that vsmmu declared', () => {
  const policy: Partial<Policy> = { sparePorts: 1, spareMemory: '64G' };
  const qemu = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'";

  it('stays if another element uses it', () => {
    const after = rewritten(PLAIN, policy);
    expect(after).toContain(qemu);
    const used = after.replace(
      '<qemu:override>',
      "<qemu:commandline><qemu:arg value='-s'/></qemu:commandline><qemu:override>",
    );
    const { xml } = reverted(used);
    expect(xml).toContain(qemu);
    expect(xml).toContain("<qemu:arg value='-s'/>");
    expect(xml).not.toContain('override');
  });
});

describe('a domain without a record', () => {
  const foreign = rewritten(PLAIN).replace(/ *<metadata>[\s\S]*<\/metadata>\n/, '');

  it('is not changed if vsmmu added nothing to it', () => {
    expect(reverted(PLAIN)).toEqual({ xml: PLAIN, codes: ['revert-nothing'] });
  });

  it('is refused if it has expander buses', () => {
    expect(() => reverted(foreign)).toThrow('no record of what was there before');
  });

  it('loses its expander buses with --force, and its devices lose their addresses', () => {
    const { xml, codes } = reverted(foreign, { force: true });
    expect(codes).toEqual(['address-dropped']);
    const after = parseDomain(xml);
    expect(after.iommus).toEqual([]);
    expect(after.controllers.map((c) => c.index)).toEqual([0, 1]);
    expect(after.hostDevices.map((d) => d.awaitsAddress)).toEqual([true]);
    expect(after.otherDevices.map((d) => d.address?.slot)).toEqual([2]);
  });

  it('loses with --force also the other changes of vsmmu: iommufd of its devices, memory of its ports', () => {
    const before = domain(
      port(1),
      port(5),
      hostdev(1, at(1)),
      hostdev(2, `<driver name='vfio' iommufd='yes'/>${at(5)}`),
    );
    const after = rewritten(before, { sparePorts: 1 }).replace(/ *<metadata>[\s\S]*<\/metadata>\n/, '');
    const { xml } = reverted(after, { force: true });
    expect(after).toContain('qemu:override>');
    expect(xml).not.toMatch(/override|<driver iommufd/);
    expect(xml).toContain("<driver name='vfio' iommufd='yes'/>");
  });

  it('loses with --force hand-made expander buses too, but only those with an accelerated vSMMU', () => {
    const xml = domain(
      ...[expander(1, 200), port(2, at(1)), expander(3, 100), port(4, at(3)), hostdev(1, at(2)), rng(at(4))],
      "<iommu model='smmuv3'><driver pciBus='1' accel='on'/></iommu>",
    );
    const after = parseDomain(reverted(xml, { force: true }).xml);
    expect(after.controllers.map((c) => [c.index, c.model, c.address?.bus])).toEqual(
      [
        [0, 'pcie-root', undefined],
        [3, 'pcie-expander-bus', 0],
        [4, 'pcie-root-port', 3],
        ...[1, 2].map((index) => [index, 'pcie-root-port', 0]),
      ].sort((a, b) => Number(a[0]) - Number(b[0])),
    );
    expect(after.iommus).toEqual([]);
    expect(after.hostDevices[0]?.address).toBeUndefined();
  });
});

describe('a root port that vsmmu added to pcie.0', () => {
  const BARE = domain(hostdev(1));
  const attached = (index: number) => rewritten(BARE).replace('  </devices>', `  ${rng(at(index))}\n  </devices>`);
  /** The root ports that vsmmu adds to `pcie.0` so that libvirt does not use the ports behind vSMMUs. */
  const guards = parseDomain(rewritten(BARE)).controllers.filter(({ alias }) =>
    alias?.startsWith('ua-vsmmu-root-port'),
  );

  it('stays while a device that was added later is on it, which keeps its address', () => {
    const [guard] = guards;
    const { controllers, otherDevices } = parseDomain(reverted(attached(guard?.index ?? -1)).xml);
    expect(controllers.map(({ index }) => index)).toContain(guard?.index);
    expect(otherDevices.map(({ address }) => address?.bus)).toContain(guard?.index);
    expect(controllers.map(({ model }) => model)).not.toContain('pcie-expander-bus');
  });

  it('then belongs to the domain: nothing of vsmmu is left', () => {
    const out = revert(parseDomain(attached(guards[0]?.index ?? -1)));
    expect(out.left).toEqual([]);
    expect(out.xml).not.toContain('vsmmu');
  });

  it('also belongs to the domain if that was converted again in the meantime', () => {
    const again = rewritten(attached(guards[0]?.index ?? -1).replace('  </devices>', `  ${hostdev(2)}\n  </devices>`));
    const out = revert(parseDomain(again));
    expect(out.left).toEqual([]);
    expect(out.xml).not.toContain('vsmmu');
  });

  it('is removed if no device is on it', () => {
    expect(guards.length).toBeGreaterThan(0);
    expect(reverted(rewritten(BARE)).xml).toBe(BARE);
  });

  it('stays while it is function 0 for ports that libvirt added', () => {
    const own = guards.filter(({ address }) => address?.function === 0);
    const slot = own[0]?.address?.slot ?? 0;
    const beside = `${port(30, at(0, slot, 7))}${rng(at(30))}`;
    const xml = rewritten(BARE).replace('  </devices>', `  ${beside}\n  </devices>`);
    const { controllers } = parseDomain(reverted(xml).xml);
    const functions = controllers
      .filter(({ address }) => address?.slot === slot)
      .map(({ address }) => address?.function);
    expect(functions).toContain(0);
    expect(functions).toContain(7);
  });
});
