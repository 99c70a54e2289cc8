import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RefusedError } from '../../src/diagnostics/errors.js';
import { formatGuestAddress } from '../../src/domain/address.js';
import { type Domain, parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import {
  digestOf,
  NAMESPACE,
  readRecord,
  recordElement,
  type UndoRecord,
  withoutRecord,
} from '../../src/edit/undo/record.js';
import { withoutExpanderBuses } from '../../src/edit/undo/relayout.js';
import { revert } from '../../src/edit/undo/revert.js';
import { formatEdits, parseEdits } from '../../src/edit/undo/text.js';
import { plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { parseXml, type XmlElement } from '../../src/xml/document.js';
import { type NewElement, printElement } from '../../src/xml/print.js';
import { applyEdits, sortEdits } from '../../src/xml/text-edits.js';
import { at, expander, hostdev, hostWith, port, rng, vsmmu } from '../plan/example.js';
import { complaint } from '../xml/libxml2.js';

/** Number of forged records; `VSMMU_RUNS` sets another, such as 100000. */
const RUNS = Number(process.env.VSMMU_RUNS ?? 1000);

const QEMU = "xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'";

/** A domain with one element of each kind that a record must not change. */
const ORIGINAL = `<domain type='kvm' ${QEMU}>
  <name>vm</name>
  <metadata>
    <a:b xmlns:a="urn:a">of <a:i/> others</a:b>
  </metadata>
  <memory unit='KiB'>4194304</memory>
  <vcpu>4</vcpu>
  <os><type arch='aarch64' machine='virt'>hvm</type></os>
  <memoryBacking><locked/></memoryBacking>
  <features><acpi/></features>
  <cpu mode='host-passthrough'>
    <numa>
      <cell id='0' cpus='0-1' memory='2097152' unit='KiB'/>
      <cell id='1' cpus='2-3' memory='2097152' unit='KiB'/>
    </numa>
  </cpu>
  <devices>
    <disk type='file' device='disk'>
      <source file='/a'/>
      <target dev='vda' bus='virtio'/>
      ${at(1)}
    </disk>
    <controller type='pci' index='0' model='pcie-root'/>
    ${[port(1), port(2), port(3), port(4), expander(5, 240), port(6, at(5))].join('\n    ')}
    <controller type='usb' index='0' model='qemu-xhci'>${at(2)}</controller>
    ${[hostdev(1, at(3)), hostdev(2, `<rom file='/rom'/>${at(4)}`), hostdev(3, at(6)), rng(at(0, 20)), vsmmu(5)].join('\n    ')}
    <hostdev mode='subsystem' type='pci' managed='yes'><source><address bus='9'/></source><address type='unassigned'/></hostdev>
    <input type='tablet' bus='usb'/>
    <interface type='user'><rom bar='off'/>${at(0, 21)}</interface>
    <memballoon model='none'/>
  </devices>
  <qemu:commandline><qemu:arg value='-s'/></qemu:commandline>
</domain>
`;
const HOST = hostWith(2, { 1: { smmu: 0 }, 2: { smmu: 1 }, 3: { smmu: 0 }, 7: { smmu: 0 }, 9: { smmu: null } });
const rewritten = (domain: Domain, policy: Partial<Policy>): string =>
  rewrite(domain, plan(domain, HOST, { ...DEFAULT_POLICY, ...policy }).plan);
const REWRITTEN = rewritten(parseDomain(ORIGINAL), {
  sparePorts: 1,
  spareMemory: '64G',
  romBar: 'off',
  ras: 'on',
  hugePages: '2M',
});

const few = <T>(arbitrary: fc.Arbitrary<T>, maxLength: number) => fc.array(arbitrary, { maxLength });
const number = (max: number) => fc.nat(max).map(String);
const address = fc.oneof(
  fc.constant('none'),
  fc
    .tuple(fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 40, 255), fc.nat(31), fc.nat(7), fc.boolean())
    .map(([bus, slot, func, several]) => {
      const hex = (n: number) => n.toString(16).padStart(2, '0');
      return `${hex(bus)}:${hex(slot)}.${func}${several ? ' multifunction' : ''}`;
    }),
);
/** The forged changes have values that the domain has, so that they are plausible, and other values. */
const DOMAIN = parseDomain(REWRITTEN);
const RECORD = readRecord(DOMAIN).elements[0] as XmlElement;
const TEXT = readRecord(DOMAIN).record?.text ?? { edits: '' };
const { controllers, hostDevices, otherDevices } = DOMAIN;
const present = [...controllers, ...hostDevices, ...otherDevices].flatMap((o) =>
  o.address ? [formatGuestAddress(o.address)] : [],
);
const from = <T>(value: fc.Arbitrary<T>) => fc.oneof(value, fc.constant('none'));
const change = (before: fc.Arbitrary<unknown>, after: fc.Arbitrary<unknown> = before) =>
  fc.tuple(before, after).map(([was, is]) => `${was} to ${is}`);
const word = fc.constantFrom('none', 'on', 'off', 'yes', '5', '44', 'x');
const changed = fc.record(
  {
    device: fc.constantFrom('0000:01:00.0', '0000:02:00.0', '0000:03:00.0', '0000:09:00.0', '0000:77:00.0'),
    guest: fc.constantFrom(...present),
    controller: number(12),
    iommu: number(9),
    address: change(address, fc.oneof(address, fc.constantFrom(...present))),
    iommufd: change(fc.constantFrom('none', 'yes', 'no')),
    nodeset: change(fc.constantFrom('none', '0-1', '7', '^1,')),
    alias: fc.constantFrom(...controllers.flatMap(({ alias }) => (alias ? [`none to ${alias}`] : []))),
    node: change(from(number(9))),
    pciBus: change(from(number(9))),
    accel: change(word),
    ssidSize: change(word),
    pcihole64: change(from(number(1e9)), fc.constantFrom('none', '1073741824')),
    romBar: fc.constant('none to off'),
    ras: fc.constant('none to on'),
    hugePages: fc.constantFrom('none to on', 'none to 2048', 'none to 4096'),
  },
  { requiredKeys: [] },
);
const list = few(fc.nat(12), 12).map((numbers) => numbers.join(',') || '0');
const added = fc.record(
  {
    controllers: fc.oneof(list, fc.constant('0-255')),
    iommus: list,
    cells: list,
    distances: fc.constantFrom('0:0:10 0:1:20', '1:1:99'),
    hostdevs: fc.constantFrom('0000:09:00.0', '0000:01:00.0 0000:09:00.0'),
  },
  { requiredKeys: [] },
);
/** Elements of the domain and elements that a forger would add. */
const foreign = [
  ...[
    "<disk type='file'/>",
    "<iommu model='smmuv3'/>",
    "<iommu model='virtio'/>",
    "<iommu model='gone'/>",
    vsmmu(5),
    vsmmu(7),
  ],
  ...[
    port(9),
    port(1),
    expander(9, 3),
    port(10, at(9)),
    port(12, at(200)),
    "<controller type='pci' index='x' model='pcie-root-port'/>",
  ],
  "<controller type='pci' index='9' model='pcie-root-port'><driver x='1'/></controller>",
  hostdev(7, at(1)),
  "<iommu model='smmuv3'><driver pciBus='300'/></iommu>",
];
const asNew = ({ name, attributes, children, text }: XmlElement): NewElement => ({
  name,
  attributes: attributes.map((a) => [a.name, a.value]),
  children: children.map(asNew),
  text: children.length > 0 ? '' : text,
});
const removed = few(fc.constantFrom(...foreign.map((text) => asNew(parseXml(text).root))), 4);
const piece = fc.oneof(
  fc.constantFrom(...foreign, '<', '>', '&', ']]>', "'", '"', '<!--', '-->', '<!DOCTYPE x>', '<a:x/>', ' ', '\r'),
  fc.constantFrom(
    'hostdev',
    'iommu',
    '0x77',
    'x',
    '/b',
    "bus='7'",
    '</devices>',
    '<devices>',
    '<qemu:override/>',
    '<?xml version="1.1"?>',
  ),
  fc.string({ maxLength: 4 }).filter((text) => complaint(`<a>${text.replace(/[<&>]/g, '')}</a>`) === undefined),
);
const edit = fc.record({
  at: fc.double({ min: 0, max: 1, noNaN: true }),
  /** Whether it begins and ends at a tag or a quote, so that the edited text may still be XML. */
  snaps: fc.boolean(),
  cut: fc.oneof(fc.nat(4), fc.nat(200)),
  put: fc.oneof(fc.constant(''), piece),
});

interface Forgery {
  readonly changed: UndoRecord['changed'];
  readonly added: UndoRecord['added'];
  readonly removed: readonly NewElement[];
  readonly edits: readonly {
    readonly at: number;
    readonly snaps: boolean;
    readonly cut: number;
    readonly put: string;
  }[];
}

const forgery: fc.Arbitrary<Forgery> = fc.record({
  changed: few(changed as fc.Arbitrary<UndoRecord['changed'][number]>, 6),
  added,
  removed: fc.oneof({ weight: 3, arbitrary: fc.constant([]) }, removed),
  edits: fc.oneof({ weight: 1, arbitrary: fc.constant([]) }, { weight: 2, arbitrary: few(edit, 4) }),
});

/** The rewritten domain with a forged record, whose digests are right. */
function forged({ edits, ...meaning }: Forgery): string {
  const text = withoutRecord(REWRITTEN, RECORD);
  const boundaries = [...text.matchAll(/[<>'"]/g)].map(({ index }) => index);
  const sorted = edits
    .map(({ at: location, snaps, cut, put }) => {
      const start = Math.floor(location * text.length);
      const snapped = snaps ? (boundaries.find((b) => b >= start) ?? start) : start;
      const end = snaps
        ? (boundaries.find((b) => b >= snapped + cut) ?? snapped)
        : Math.min(text.length, snapped + cut);
      return { start: snapped, end, text: put };
    })
    .sort((a, b) => a.start - b.start);
  const kept = sorted.filter(({ start }, i) => start >= Math.max(0, ...sorted.slice(0, i).map((e) => e.end)));
  // Also contains the edits of a valid record, so that the forged edits change text that an undo restores.
  const back = parseEdits(TEXT, []) ?? [];
  const all = sortEdits([...back, ...kept]).filter(({ start }, i, sorted) => start >= (sorted[i - 1]?.end ?? 0));
  const record: UndoRecord = {
    digest: digestOf(text),
    former: digestOf(applyEdits(text, all)),
    ...meaning,
    ...(all.length > 0 && { text: formatEdits(all, meaning.removed) }),
  };
  const printed = printElement(recordElement(record), '"', { lineEnd: '\n', indent: '    ', unit: '  ' });
  return REWRITTEN.slice(0, RECORD.start) + printed + REWRITTEN.slice(RECORD.end);
}

/** Lists everything that vsmmu must not change: all elements except those that it adds, removes or sets values in. */
function untouchable(xml: string): string[] {
  const { root } = parseXml(xml);
  const isManaged = (e: XmlElement): boolean => {
    const path = [e.parent?.parent?.name, e.parent?.name, e.name].join('/');
    return (
      e.namespace === NAMESPACE ||
      path.startsWith('domain/cpu/numa') ||
      /^domain\/devices\/iommu$/.test(path) ||
      (/^domain\/devices\/controller$/.test(path) && e.attribute('type') === 'pci') ||
      (/^devices\/\w+\/(address|driver|acpi)$/.test(path) && e.attribute('type') !== 'unassigned') ||
      /^\/domain\/(iommufd|qemu:override)$/.test(path) ||
      path === 'domain/memoryBacking/hugepages' ||
      path === 'domain/features/ras'
    );
  };
  const isBarOfHostDevice = (e: XmlElement) =>
    e.name === 'rom' && e.parent?.child('source')?.child('address') !== undefined;
  const lines = (e: XmlElement): string[] => {
    if (isManaged(e)) return [];
    const attributes = e.attributes
      .filter(({ name }) => (e !== root || name !== 'xmlns:qemu') && !(name === 'bar' && isBarOfHostDevice(e)))
      .map((a) => `${a.name}=${a.value}`);
    if (isBarOfHostDevice(e) && attributes.length === 0) return [];
    return [`<${e.name} ${attributes.join(' ')} ${e.text.trim()}`, ...e.children.flatMap(lines), '>'];
  };
  return lines(root);
}

const ALLOWED = untouchable(REWRITTEN);

/** Runs a command on a domain with a forged record. Checks that it refuses, or keeps everything that vsmmu must not change. */
function judge(make: () => string): 'refused' | 'kept' {
  let xml: string;
  try {
    xml = make();
  } catch (error) {
    if (error instanceof RefusedError) {
      expect(error.diagnostics.map(({ severity }) => severity)).toContain('error');
      return 'refused';
    }
    throw error;
  }
  expect(complaint(xml)).toBeUndefined();
  expect(untouchable(xml)).toEqual(ALLOWED);
  return 'kept';
}

describe('a forged record', () => {
  it('cannot make revert change anything that vsmmu does not manage', () => {
    let kept = 0;
    fc.assert(
      fc.property(forgery, (record) => {
        const domain = parseDomain(forged(record));
        expect(readRecord(domain).diagnostics, 'valid by schema').toEqual([]);
        if (judge(() => revert(domain).xml) === 'kept') kept++;
      }),
      { numRuns: RUNS },
    );
    expect(kept).toBeGreaterThan(RUNS / 4);
  }, 3_600_000);

  it('cannot make rewrite or rewrite --relayout change anything that vsmmu does not manage', () => {
    fc.assert(
      fc.property(forgery, fc.boolean(), (record, relayout) => {
        const xml = forged(record);
        judge(() => {
          const domain = relayout ? withoutExpanderBuses(parseDomain(xml)).domain : parseDomain(xml);
          return rewritten(domain, { sparePorts: 3, spareMemory: '1G' });
        });
      }),
      { numRuns: RUNS / 5 },
    );
  }, 3_600_000);
});
