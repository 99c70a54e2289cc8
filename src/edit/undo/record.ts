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
import { asNew, type NewElement, printElement } from '../../xml/print.js';
import type { TextEdit } from '../../xml/text-edits.js';
import type { Change } from '../domain-editor.js';
import { newElement } from '../elements.js';
import { ADDRESS, NONE, subjectsOf } from '../properties.js';

/** The namespace of the record in a domain's `<metadata>`. */
export const NAMESPACE = 'urn:vsmmu:domain:1';

/** A record, with the elements that vsmmu removed. These are ignored unless all are plain SMMUs, expander buses or ports. */
export interface UndoRecord extends DomainRecord {
  readonly removed: readonly NewElement[];
}

/** A record without the edits that restore the exact former text. */
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
  const [changed, [added = {}, ...more], [text, ...others]] = [named('changed'), named('added'), named('text')];
  const surplus = unknown ?? (more.length + others.length > 0 ? 'surplus' : undefined);
  return { ...attributesOf(element), changed, added, ...(text && { text }), ...(surplus && { [surplus]: true }) };
}

function attributesOf(element: XmlElement): Record<string, string> {
  return Object.fromEntries(
    element.attributes.flatMap(({ name, value }) => (/^xmlns(:|$)/.test(name) ? [] : [[name, value]])),
  );
}

/** Reads a list of numbers from the record. */
export function listed(numbers: string | undefined): ReadonlySet<number> {
  return new Set(parseNodeset(numbers ?? '') ?? []);
}

/** Reads a list of words from the record. */
export function words(list: string | undefined): ReadonlySet<string> {
  return new Set(list?.split(' '));
}

/**
 * Returns the elements that earlier runs added to a domain for certain devices, according to its
 * record; empty without a record.
 */
export function managedDevicesOf(domain: Domain): ManagedDevices {
  const { hostdevs, cells } = readRecord(domain).record?.added ?? {};
  return {
    groupMembers: new Set([...words(hostdevs)].flatMap((name) => parseBdf(name) ?? [])),
    cells: new Set([...listed(cells)].map(cellId)),
  };
}

/** A recorded change. */
export interface RecordedChange {
  /** The recorded name of the element, such as `device 0000:31:10.2`. */
  readonly what: string;
  /** The name of the property. */
  readonly name: string;
  /** Undefined if the element is gone. */
  readonly change: Change | undefined;
  /** Whether the property has the value that vsmmu gave it. */
  readonly isAsLeft: boolean;
}

/** Returns the changes in a record, with the elements of the domain that they name. */
export function changesIn(domain: Domain, changed: readonly Changed[]): readonly RecordedChange[] {
  const subjects = new Map(changed.length > 0 ? [...subjectsOf(domain).values()].map((s) => [s.name, s]) : []);
  return changed.flatMap(({ device, guest, controller, iommu, ...values }) => {
    const names = Object.entries({ device, guest, controller, iommu }).filter(([, key]) => key !== undefined);
    const what = names[0]?.join(' ') ?? 'domain';
    const subject = subjects.get(what);
    return Object.entries(values).map(([name, text]): RecordedChange => {
      const at = text.lastIndexOf(' to ');
      const [before, after] = [text.slice(0, at), text.slice(at + ' to '.length)];
      const property = subject?.properties.find((each) => each.name === name);
      if (!subject || !property) return { what, name, change: undefined, isAsLeft: false };
      // libvirt may have given an address to a device that was left without one.
      const isAsLeft = property.read(subject) === after || (property === ADDRESS && after === NONE);
      return { what, name, change: { subject, property, before, after }, isAsLeft };
    });
  });
}

/** Returns the recorded changes of properties that still have the value that vsmmu gave them. */
export function changesAsLeft(domain: Domain, changed: readonly Changed[]): readonly Change[] {
  return changesIn(domain, changed).flatMap(({ change, isAsLeft }) => (change && isAsLeft ? [change] : []));
}

/** A record without content. */
export const EMPTY_RECORD: NewElement = {
  ...newElement('vsmmu:placement', { 'xmlns:vsmmu': NAMESPACE }),
  quote: '"',
};
const PRINTED_EMPTY = printElement(EMPTY_RECORD, '"', undefined);

/** Returns a record as an element of `<metadata>`, in the form in which libvirt 12.8 stores it. */
export function recordElement({ digest, former, changed, added, removed, text }: UndoRecord): NewElement {
  const child = (name: string) => (values: object) => newElement(`vsmmu:${name}`, { ...values });
  const children = [
    ...changed.map(child('changed')),
    ...(Object.keys(added).length > 0 ? [child('added')(added)] : []),
    ...(removed.length > 0 ? [newElement('vsmmu:removed', {}, removed)] : []),
    ...(text ? [child('text')(text)] : []),
  ];
  return { ...newElement('vsmmu:placement', { 'xmlns:vsmmu': NAMESPACE, digest, former }, children), quote: '"' };
}

/** Returns the digest of a domain's text without its record. It detects edits but does not prove who made them. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** Returns a domain's text without its record. */
export function withoutRecord(text: string, record: XmlElement | undefined): string {
  return record ? text.slice(0, record.start) + text.slice(record.end) : text;
}

/** Converts edits of a domain's text to edits of that text without its record. An empty record that they add is left out. */
export function besideRecord(edits: readonly TextEdit[], record: XmlElement | undefined): readonly TextEdit[] {
  const offset = (at: number) => (record && at >= record.end ? at - (record.end - record.start) : at);
  return edits.map(({ start, end, text }) => ({
    start: offset(start),
    end: offset(end),
    text: text.replace(PRINTED_EMPTY, ''),
  }));
}
