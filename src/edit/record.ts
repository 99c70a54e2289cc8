import { type Diagnostic, diagnostic } from '../diagnostics.js';
import { readPciAddress } from '../domain/address.js';
import { ROOT_MODELS } from '../domain/controller.js';
import type { Domain } from '../domain/domain.js';
import { QEMU_NAMESPACE } from '../domain/overrides.js';
import type { ChangedElement, DomainRecord, RemovedElement } from '../generated/metadata.js';
import { validate } from '../generated/metadata.validate.js';
import { isOurAlias } from '../plan/alias.js';
import { parseXml, type XmlElement } from '../xml/document.js';
import type { NewElement } from '../xml/editor.js';
import { below, find } from './path.js';
import { NAMESPACE, NO_DIGEST } from './print-form.js';

/** What a domain's `<metadata>` has of ours. */
export interface FoundRecord {
  /** The elements in our namespace; more than one are none of ours. */
  readonly elements: readonly XmlElement[];
  /** The record; undefined where there is none, or none to be believed. */
  readonly record: DomainRecord | undefined;
  /** Why it is not believed. */
  readonly diagnostics: readonly Diagnostic[];
}

/** The elements that we ever take out or replace. */
const TAKEN_OUT: ReadonlySet<string> = new Set([
  'iommu',
  'pcihole64',
  'numa',
  'property',
  // With bridges that no record told of.
  'controller',
  'address',
  'device',
  'override',
]);

/** What was at an attribute and what is, as one text: `0x03 to 0x0b`, `to on` for one that was not there. */
const CHANGE = /^(?:(.*) )?to(?: (.*))?$/s;

/**
 * Reads the record in a domain's `<metadata>`. It is a hint: what does not fit its schema, or claims as ours what is not,
 * is told of and not believed.
 */
export function readRecord(domain: Domain): FoundRecord {
  const { document } = domain;
  const metadata = document.root.child('metadata');
  const elements = metadata?.children.filter((e) => e.namespace === NAMESPACE) ?? [];
  const [element, second] = elements;
  if (!element) return { elements, record: undefined, diagnostics: [] };
  const distrust = (why: string): FoundRecord => ({
    elements,
    record: undefined,
    diagnostics: [diagnostic('metadata-invalid', why, { place: document.place(element.start) })],
  });
  if (second) return distrust('<metadata> has two records of vsmmu');
  const record: unknown = toJson(element);
  if (!validate(record)) {
    const [error] = validate.errors ?? [];
    return distrust(`the record in <metadata> is broken: ${error?.instancePath ?? ''} ${error?.message ?? ''}`);
  }
  const lie = findLie(record as DomainRecord, domain);
  if (lie !== undefined) return distrust(`the record in <metadata> does not fit the domain: ${lie}`);
  return { elements, record: record as DomainRecord, diagnostics: [] };
}

/** The record as data, as it is written: its schema says whether it is one. */
function toJson(element: XmlElement): unknown {
  const of = (name: string) => element.children.filter((e) => e.localName === name && e.namespace === NAMESPACE);
  const known = ['changed', 'removed', 'replaced'];
  const stranger = element.children.find((e) => e.namespace !== NAMESPACE || !known.includes(e.localName));
  return {
    ...plainAttributes(element),
    changed: of('changed').map(changedToJson),
    removed: of('removed').map((e) => ({ after: null, ...plainAttributes(e), gap: Number(e.attribute('gap') ?? 0) })),
    replaced: of('replaced').map(plainAttributes),
    ...(stranger && { [stranger.name]: true }),
  };
}

function changedToJson(element: XmlElement): unknown {
  const { element: path, added, tail, lost, ...changes } = plainAttributes(element);
  return {
    element: path,
    added: added === undefined ? [] : added.split(' '),
    ...(tail !== undefined && { tail }),
    ...(lost !== undefined && { lost }),
    attributes: Object.fromEntries(
      Object.entries(changes).map(([name, value]) => {
        const match = CHANGE.exec(value);
        return [name.replace('xmlns-', 'xmlns:'), match && { was: match[1] ?? null, now: match[2] ?? null }];
      }),
    ),
  };
}

function plainAttributes(element: XmlElement): Record<string, string> {
  return Object.fromEntries(
    element.attributes.flatMap(({ name, value }) => (/^xmlns(:|$)/.test(name) ? [] : [[name, value]])),
  );
}

/** What a record claims that the domain belies: that it would have us take out, or put in, what is none of ours. */
function findLie({ changed, removed, replaced }: DomainRecord, domain: Domain): string | undefined {
  for (const { element: path, added, tail, attributes } of changed) {
    for (const step of added) {
      const element = find(domain.document.root, below(path, step));
      if (element && !isPlausible(element, domain)) return `${below(path, step)} is not ours`;
    }
    for (const [key, change] of Object.entries(attributes)) {
      if (change && !isWriting(key, change.was)) return `${key} of ${path} cannot have been ${change.was}`;
    }
    const [, name] = /<\/\s*([^\s>]+)/.exec(tail ?? '') ?? [];
    if (name !== undefined && name !== find(domain.document.root, path)?.name) return `${path} has another end`;
  }
  const putIn = [...removed.map(({ text }) => rootName(text)), ...replaced.map(({ was }) => rootName(was))];
  const stranger = putIn.find((name) => name === undefined || !TAKEN_OUT.has(name));
  return putIn.includes(stranger) ? 'it would put in an element that we never take out' : undefined;
}

/** Whether an element may be one that we added, as far as it can be told. */
function isPlausible(element: XmlElement, domain: Domain): boolean {
  const isOurs = (index: number | undefined) =>
    domain.controllers.every((c) => c.index !== index || isOurAlias(c.alias));
  switch (element.name) {
    case 'controller': {
      const controller = domain.controllers.find((c) => c.element === element);
      return controller !== undefined && (isOurAlias(controller.alias) || ROOT_MODELS.has(controller.model));
    }
    case 'iommu':
      return isOurs(domain.iommus.find((i) => i.element === element)?.pciBus);
    case 'hostdev':
      return domain.hostDevices.some((d) => d.element === element && d.unassigned);
    case 'cell':
      return Number(element.attribute('memory') ?? 0) === 0;
    case 'cpu':
    case 'numa': {
      const cells = (element.child('numa') ?? element).childrenNamed('cell');
      // We make one cell of all CPUs, and others without any.
      return cells.filter((cell) => cell.attribute('cpus') !== undefined).length <= 1;
    }
    default:
      return true;
  }
}

/** Whether a text can have been between the quotes of an attribute, and for a part of an address can have been that part. */
function isWriting(key: string, was: string | null): boolean {
  if (was === null) return true;
  try {
    const value = attributeValue(was);
    const [, part] = /^address\.(domain|bus|slot|function)$/.exec(key) ?? [];
    if (part !== undefined) {
      readPciAddress({ attribute: (name) => (name === part ? value : undefined) }, { line: 1, column: 1 });
    }
    return value !== '' || was === '';
  } catch {
    return false;
  }
}

/** The value of an attribute with this text between its quotes; empty where it would end them. */
function attributeValue(text: string): string {
  // Nearly all there is; a parser for each costs more than the rest of a record.
  if (/^[\w.-]*$/.test(text)) return text;
  const { attributes } = parseXml(`<a b="${text}"/>`).root;
  return attributes.length === 1 ? (attributes[0]?.value ?? '') : '';
}

/** The name of the one element that a text is; undefined where it is no such text. */
function rootName(text: string): string | undefined {
  try {
    const [, prefix] = /^\s*<(\w+):/.exec(text) ?? [];
    const declared = prefix === undefined ? '' : ` xmlns:${prefix}="${QEMU_NAMESPACE}"`;
    const { children } = parseXml(`<x${declared}>${text}</x>`).root;
    return children.length === 1 ? children[0]?.localName : undefined;
  } catch {
    return undefined;
  }
}

/** The record as an element of `<metadata>`, as libvirt prints one; its digest is still to come. */
export function recordElement({ changed, removed, replaced }: Omit<DomainRecord, 'digest'>): NewElement {
  return {
    name: 'vsmmu:placement',
    quote: '"',
    attributes: [
      ['xmlns:vsmmu', NAMESPACE],
      ['digest', NO_DIGEST],
    ],
    children: [
      ...changed.map(changedElement),
      ...removed.map(removedElement),
      ...replaced.map(({ element, was, now }) => ({
        name: 'vsmmu:replaced',
        attributes: [
          ['element', element],
          ['was', was],
          ['now', now],
        ] as const,
      })),
    ],
  };
}

function changedElement({ element, attributes, added, tail, lost }: ChangedElement): NewElement {
  return {
    name: 'vsmmu:changed',
    attributes: [
      ['element', element],
      ...Object.entries(attributes).map(([name, { was, now }]): [string, string] => [
        name.replace(':', '-'),
        [...(was === null ? [] : [was]), 'to', ...(now === null ? [] : [now])].join(' '),
      ]),
      ...(added.length > 0 ? [['added', added.join(' ')] as const] : []),
      ...(tail === undefined ? [] : [['tail', tail] as const]),
      ...(lost === undefined ? [] : [['lost', lost] as const]),
    ],
  };
}

function removedElement({ from, after, gap, text }: RemovedElement): NewElement {
  return {
    name: 'vsmmu:removed',
    attributes: [
      ['from', from],
      ...(after === null ? [] : [['after', after] as const]),
      ...(gap === 0 ? [] : [['gap', String(gap)] as const]),
      ['text', text],
    ],
  };
}
