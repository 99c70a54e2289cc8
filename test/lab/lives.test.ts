import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Domain, parseDomain } from '../../src/domain/domain.js';
import { parseXml, type XmlElement } from '../../src/xml/document.js';
import { sampleCases } from './cases.js';
import { Lab } from './lab.js';
import { LabError } from './process.js';
import { definedAs } from './trial.js';
import { revert, rewrite } from './vsmmu.js';

/** Number of domains; `VSMMU_LIVES=200` takes twenty minutes. */
const LIVES = Number(process.env.VSMMU_LIVES ?? 12);

/** An edit of a domain between two runs. */
type Event =
  | { readonly kind: 'detach' | 'attach back' | 'move'; readonly which: number }
  | { readonly kind: 'add' | 'describe' | 'reindent' }
  | { readonly kind: 'rewrite'; readonly options: readonly string[] };

const event: fc.Arbitrary<Event> = fc.oneof(
  fc.record({ kind: fc.constantFrom('detach' as const, 'attach back' as const, 'move' as const), which: fc.nat(7) }),
  fc.record({ kind: fc.constantFrom('add' as const, 'describe' as const, 'reindent' as const) }),
  fc.record({
    kind: fc.constant('rewrite' as const),
    options: fc.constantFrom(
      [],
      ['--grouping', 'device'],
      ['--relayout'],
      ['--relayout', '--spare-ports', '1'],
      ['--iommufd', 'domain'],
    ),
  }),
);
const lives = fc.sample(fc.array(event, { minLength: 1, maxLength: 5 }), {
  numRuns: LIVES,
  seed: Number(process.env.VSMMU_LAB_SEED ?? 20_260_101),
});

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(async () => {
  await lab[Symbol.asyncDispose]();
});

describe('a domain that is edited and rewritten several times', () => {
  const cases = sampleCases().filter(({ title }) => !title.includes('switches'));
  const rows = lives.map((events, i) => [i + 1, events, cases[i % cases.length]] as const);

  it.for(rows)(
    'is reverted to the domain that it would be without vsmmu: domain %i',
    async ([, events, each], { task }) => {
      if (!each) throw new TypeError('no case');
      const original = await definedAs(lab, each.xml, !each.asCreated);
      let plain = original;
      let lived = await definedAs(lab, await rewrite(original, each.options));
      let isEdited = false;
      // A device that is attached again has a new address from libvirt.
      const stayed = new Set<string>(parseDomain(original).hostDevices.map(({ bdf }) => bdf));
      let defined = 2;
      for (const happening of events) {
        if (happening.kind === 'rewrite') {
          const next = await rewritten(lived, [...each.options, ...happening.options]);
          if (next === lived) continue;
          lived = await definedAs(lab, next);
          defined++;
        } else {
          plain = await definedAs(lab, happens(plain, original, happening));
          const present = parseDomain(plain).hostDevices;
          for (const bdf of stayed) if (!present.some((each) => each.bdf === bdf)) stayed.delete(bdf);
          lived = await definedAs(lab, happens(lived, original, happening));
          isEdited ||= happening.kind !== 'reindent';
          defined += 2;
        }
      }
      const reverted = await revert(lived);
      task.meta.lab = { defined: defined + 1 };
      if (!isEdited) expect(reverted).toBe(original);
      expect(reverted).not.toContain('vsmmu');
      const back = await definedAs(lab, reverted);
      expect(inventory(back), 'no other edit is lost').toEqual(inventory(plain));
      const domain = parseDomain(reverted);
      const awaiting = [...domain.hostDevices, ...domain.otherDevices].filter((device) => device.awaitsAddress).length;
      const added = parseDomain(back).controllers.length - domain.controllers.length;
      expect(added, 'libvirt fills no gap').toBeLessThanOrEqual(awaiting);
      expectFormerAddresses(domain, parseDomain(original), stayed);
    },
  );
});

/** Returns the rewritten domain, or the domain itself if it is refused, for example an expander bus without room. */
async function rewritten(xml: string, options: readonly string[]): Promise<string> {
  try {
    return await rewrite(xml, options);
  } catch (error) {
    if (error instanceof LabError) return xml;
    throw error;
  }
}

function happens(xml: string, original: string, happening: Exclude<Event, { kind: 'rewrite' }>): string {
  const { hostDevices, otherDevices } = parseDomain(xml);
  const before = parseDomain(original).hostDevices;
  switch (happening.kind) {
    case 'detach': {
      const device = before[happening.which % before.length];
      const element = hostDevices.find(({ bdf }) => bdf === device?.bdf)?.element;
      return element && hostDevices.length > 1 ? xml.slice(0, element.start) + xml.slice(element.end) : xml;
    }
    case 'attach back': {
      const device = before[happening.which % before.length];
      if (!device || hostDevices.some(({ bdf }) => bdf === device.bdf)) return xml;
      const element = original.slice(device.element.start, device.element.end);
      return add(xml, element.replace(/<address type='pci' [^>]*\/>(?=\s*<\/(hostdev|interface)>)/, ''));
    }
    case 'move': {
      // To a separate slot of pcie.0, beyond those that libvirt would choose.
      const address = otherDevices.find(({ name }) => name === 'rng')?.element.child('address');
      const to = "<address type='pci' domain='0x0000' bus='0x00' slot='0x1e' function='0x0'/>";
      return address ? xml.slice(0, address.start) + to + xml.slice(address.end) : xml;
    }
    case 'add':
      return add(xml, "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>");
    case 'describe':
      return xml.replace(/<title>.*<\/title>\s*/, '').replace('</name>', '</name><title>lives</title>');
    case 'reindent':
      return xml.replaceAll(/\n +/g, '\n\t');
  }
}

function add(xml: string, element: string): string {
  return xml.replace('</devices>', `${element}</devices>`);
}

/** The devices of a domain, sorted by kind, without PCI addresses and PCI controllers. */
function inventory(xml: string): string[] {
  const lines = (element: XmlElement): string[] => {
    const isPlace =
      element.name === 'address' && element.attribute('type') === 'pci' && element.parent?.name !== 'source';
    const isPort = element.name === 'controller' && element.attribute('type') === 'pci';
    if (isPlace || isPort || element.name === 'uuid') return [];
    const attributes = element.attributes.map(({ name, value }) => `${name}=${value}`).join(' ');
    const children = element.children.map((child) => lines(child).join('\n'));
    return [
      `<${element.name} ${attributes} ${element.text.trim()}`,
      ...(element.name === 'devices' ? children.sort() : children),
    ];
  };
  return lines(parseXml(xml).root).join('\n').split('\n');
}

/** Expects each device that was never detached at its former address, unless another device is there. */
function expectFormerAddresses(reverted: Domain, original: Domain, stayed: ReadonlySet<string>): void {
  const taken = new Set(
    [...reverted.hostDevices, ...reverted.otherDevices].flatMap(({ address }) =>
      address ? [JSON.stringify(address)] : [],
    ),
  );
  for (const { bdf, address } of original.hostDevices) {
    const device = reverted.hostDevices.find((each) => each.bdf === bdf);
    if (!device || !stayed.has(bdf)) continue;
    const isFormer = JSON.stringify(device.address) === JSON.stringify(address);
    expect(isFormer || taken.has(JSON.stringify(address)) || device.awaitsAddress, `${bdf} is where it was`).toBe(true);
  }
}
