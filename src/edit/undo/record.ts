import { createHash } from 'node:crypto';
import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { metadataInvalid } from '../../diagnostics/record.js';
import { parseBdf } from '../../domain/address.js';
import type { Domain } from '../../domain/domain.js';
import { cellId, parseNodeset } from '../../domain/numa.js';
import type { Changed, DomainRecord } from '../../generated/metadata.js';
import { validate } from '../../generated/metadata.validate.js';
import type { ManagedDevices } from '../../plan/orphaned.js';
import type { XmlElement } from '../../xml/document.js';
import type { NewElement } from '../../xml/print.js';
import { newElement } from '../elements.js';

/** The namespace of the record in a domain's `<metadata>`. */
export const NAMESPACE = 'urn:vsmmu:domain:1';

/** A record, with the elements that vsmmu removed. These are ignored unless all are plain SMMUs, expander buses or ports. */
export interface UndoRecord extends DomainRecord {
  readonly removed: readonly NewElement[];
}

/** A record without the edits that restore how the former text was spelled. */
export type Meaning = Pick<UndoRecord, 'changed' | 'added' | 'removed'>;

/** The record in a domain's `<metadata>`. */
export interface FoundRecord {
  /** The elements in vsmmu's namespace. */
  readonly elements: readonly XmlElement[];
  /** Undefined if there is none or it cannot be read. */
  readonly record: UndoRecord | undefined;
  /** The reasons why it cannot be read. */
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads the record in a domain's `<metadata>`, which is untrusted input. */
export function readRecord({ document }: Domain): FoundRecord {
  const elements = document.root.child('metadata')?.children.filter((e) => e.namespace === NAMESPACE) ?? [];
  const [element, second] = elements;
  if (!element) return { elements, record: undefined, diagnostics: [] };
  const location = document.location(element.start);
  const record: unknown = toJson(element);
  if (!second && validate(record)) {
    const removed = element.children.filter((e) => e.localName === 'removed').flatMap((e) => e.children);
    return { elements, record: { ...record, removed: removed.map(asNew) }, diagnostics: [] };
  }
  const { instancePath: path = '', message: constraint = '' } = validate.errors?.[0] ?? {};
  const found = second ? metadataInvalid.two({ location }) : metadataInvalid.broken({ path, constraint, location });
  return { elements, record: undefined, diagnostics: [found] };
}

/** Returns the record as data, for validation by its schema. */
function toJson(element: XmlElement): unknown {
  const named = (name: string) =>
    element.children.filter((e) => e.localName === name && e.namespace === NAMESPACE).map(attributesOf);
  const known = /^(changed|added|removed|text)$/;
  const unknown = element.children.find((e) => e.namespace !== NAMESPACE || !known.test(e.localName))?.name;
  const [changed, [added = {}, another], text] = [named('changed'), named('added'), named('text')];
  return {
    ...attributesOf(element),
    changed,
    added,
    text,
    ...((unknown ?? another) && { [unknown ?? 'added']: true }),
  };
}

function attributesOf(element: XmlElement): Record<string, string> {
  return Object.fromEntries(
    element.attributes.flatMap(({ name, value }) => (/^xmlns(:|$)/.test(name) ? [] : [[name, value]])),
  );
}

/** Copies the attributes, elements and text of an element, so that it can be written again. */
export function asNew({ name, attributes, children, text }: XmlElement): NewElement {
  return {
    name,
    attributes: attributes.map((a) => [a.name, a.value]),
    children: children.map(asNew),
    text: children.length > 0 ? '' : text,
  };
}

/** Reads a list of numbers from the record. */
export function listed(numbers: string | undefined): ReadonlySet<number> {
  return new Set(parseNodeset(numbers ?? '') ?? []);
}

/**
 * Returns the elements that earlier runs added to a domain for certain devices, according to its
 * record; empty without a record.
 */
export function managedDevicesOf(domain: Domain): ManagedDevices {
  const { hostdevs, cells } = readRecord(domain).record?.added ?? {};
  return {
    groupMembers: new Set((hostdevs ?? '').split(' ').flatMap((name) => parseBdf(name) ?? [])),
    cells: new Set([...listed(cells)].map(cellId)),
  };
}

/** Returns the name of the `Subject` of a recorded change. */
export function subjectName(changed: Changed): string {
  const kind = (['device', 'guest', 'controller', 'iommu', 'cell'] as const).find((name) => name in changed);
  return kind ? `${kind} ${changed[kind]}` : 'domain';
}

/** Returns the values of a change: each property with its value before and after. */
export function changesOf({ device, guest, controller, iommu, cell, ...values }: Changed): [string, string, string][] {
  return Object.entries(values).map(([name, text]) => {
    const at = text.indexOf(' to ');
    return [name, text.slice(0, at), text.slice(at + ' to '.length)];
  });
}

/** Returns the record as an element of `<metadata>`, in the form in which libvirt 12.8 stores it. */
export function recordElement({ digest, former, changed, added, removed, text }: UndoRecord): NewElement {
  const child = (name: string) => (values: object) => newElement(`vsmmu:${name}`, { ...values });
  const children = [
    ...changed.map(child('changed')),
    ...(Object.keys(added).length > 0 ? [child('added')(added)] : []),
    ...(removed.length > 0 ? [newElement('vsmmu:removed', {}, removed)] : []),
    ...text.map(child('text')),
  ];
  return { ...newElement('vsmmu:placement', { 'xmlns:vsmmu': NAMESPACE, digest, former }, children), quote: '"' };
}

/** Returns the digest of a domain's text without its record. It detects edits but does not prove who made them. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Returns a domain's text without its record. */
export function withoutRecord(text: string, { start, end }: { readonly start: number; readonly end: number }): string {
  return text.slice(0, start) + text.slice(end);
}
