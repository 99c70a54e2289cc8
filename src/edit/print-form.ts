import { createHash } from 'node:crypto';
import { type GuestAddress, guestAddressAttributes } from '../domain/address.js';
import { parseNumber } from '../domain/number.js';
import { parseSize } from '../domain/size.js';
import { decodeAttributeValue } from '../xml/characters.js';
import { parseXml, type XmlDocument, type XmlElement } from '../xml/document.js';
import type { NewElement } from '../xml/editor.js';
import { printElement } from '../xml/print.js';
import { DEVICES, portTarget } from './elements.js';

/** How a text stands to what was written: as it was left, as libvirt prints it, or in somebody else's hand. */
export type Form = 'as-left' | 'libvirt' | 'edited';

/** The namespace of the record in a domain's `<metadata>`: fixed for good. */
export const NAMESPACE = 'urn:vsmmu:domain:1';

/** What stands for the digest while the text is made that it is of. */
export const NO_DIGEST = '0'.repeat(16);

const DIGEST_ATTRIBUTE = ` digest="${NO_DIGEST}"`;

/** The digest of a text, what is in the `<metadata>` of the record left out; for finding changes, not for keeping secrets. */
export function digestOf(text: string): string {
  const mark = text.indexOf(NAMESPACE);
  const start = text.lastIndexOf('<metadata', mark);
  const end = text.indexOf('</metadata', mark);
  const [before, after] = mark < 0 || start < 0 || end < 0 ? [text, ''] : [text.slice(0, start), text.slice(end)];
  return createHash('sha256').update(before).update('\0').update(after).digest('hex').slice(0, 16);
}

/** The text with its digest in the record. */
export function seal(text: string): string {
  const at = text.indexOf(DIGEST_ATTRIBUTE, text.indexOf(NAMESPACE));
  if (at < 0) return text;
  const digest = ` digest="${digestOf(text)}"`;
  return text.slice(0, at) + digest + text.slice(at + DIGEST_ATTRIBUTE.length);
}

/** How a document stands to the text whose digest was recorded. */
export function formOf(document: XmlDocument, digest: string): Form {
  if (digestOf(document.text) === digest) return 'as-left';
  return isLibvirtPrint(document) ? 'libvirt' : 'edited';
}

/**
 * Whether a document is laid out as libvirt 12.8 lays one out: no declaration and no comment, each element on its own line,
 * two spaces a level, single quotes. What is in `<metadata>` is the user's.
 */
function isLibvirtPrint({ text, root }: XmlDocument): boolean {
  if (root.start !== 0 || text.includes('\r')) return false;
  const isPrinted = (element: XmlElement, indent: string): boolean => {
    const attributes = element.attributes.map(({ start, end }) => ` ${text.slice(start, end)}`).join('');
    const open = `<${element.name}${attributes}${element.selfClosing ? '/>' : '>'}`;
    if (text.slice(element.start, element.openEnd) !== open) return false;
    if (element.attributes.some((a) => text[a.valueEnd] !== "'" && !a.value.includes("'"))) return false;
    if (element.name === 'metadata' || element.selfClosing) return true;
    const inner = `${indent}  `;
    let at = element.openEnd;
    for (const child of element.children) {
      if (text.slice(at, child.start) !== `\n${inner}` || !isPrinted(child, inner)) return false;
      at = child.end;
    }
    const rest = text.slice(at, element.closeStart);
    return element.children.length > 0 ? rest === `\n${indent}` : rest !== '' && !rest.includes('<');
  };
  return isPrinted(root, '');
}

/** libvirt's digits of each part of a PCI address. */
const ADDRESS_PARTS: Readonly<Record<string, number>> = { domain: 4, bus: 2, slot: 2, function: 1 };

/**
 * An attribute's text between its quotes as libvirt 12.8 would have printed it; null where it would have printed none.
 * @param element the name of its element
 * @param was as it was written; null: not at all
 */
export function printedAttribute(element: string, name: string, was: string | null): string | null {
  const digits = element === 'address' ? ADDRESS_PARTS[name] : undefined;
  if (digits === undefined) return was;
  const value = parseNumber(decodeAttributeValue(was ?? '0')) ?? 0;
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

/** An element's text as libvirt 12.8 would have printed it at that depth; as it is where it is no XML by itself. */
export function printedElement(text: string, indent: string): string {
  let root: XmlElement;
  try {
    root = parseXml(text.trim()).root;
  } catch {
    return text;
  }
  return printElement(asNew(root), "'", { lineEnd: '\n', indent, unit: '  ' });
}

function asNew(element: XmlElement): NewElement {
  const text = element.text.trim();
  const size = element.name === 'pcihole64' ? parseSize(text, element.attribute('unit')) : undefined;
  if (size !== undefined) return { name: 'pcihole64', attributes: [['unit', 'KiB']], text: String(size) };
  if (element.name === 'controller' && element.attribute('type') === 'pci') return controllerAsNew(element);
  const isAddress = element.name === 'address' && element.attribute('type') === 'pci';
  return {
    name: element.name,
    attributes: isAddress ? addressAttributes(element) : element.attributes.map(({ name, value }) => [name, value]),
    children: element.children.map(asNew),
    text: element.children.length > 0 ? '' : text,
  };
}

/** A PCI controller with what libvirt 12.8 adds to one that does not say it: QEMU's device, and the numbers of a port. */
function controllerAsNew(element: XmlElement): NewElement {
  const given = (name: string) => element.childrenNamed(name).map(asNew);
  const said = (name: string) => {
    const value = element.attribute(name);
    return value === undefined ? [] : [[name, value] as const];
  };
  const model = DEVICES[element.attribute('model') as keyof typeof DEVICES] as string | undefined;
  const index = parseNumber(element.attribute('index') ?? '');
  const address = element.child('address');
  const isPort = /^pcie-(root|switch-downstream)-port$/.test(element.attribute('model') ?? '');
  const known = ['model', 'target', 'alias', 'address'];
  return {
    name: 'controller',
    attributes: ['type', 'index', 'model'].flatMap(said),
    children: [
      ...(model && !element.child('model')
        ? [{ name: 'model', attributes: [['name', model]] as const }]
        : given('model')),
      ...(isPort && index !== undefined && address && !element.child('target')
        ? [portTarget(index, partsOf(address))]
        : given('target')),
      ...element.children.filter((child) => !known.includes(child.name)).map(asNew),
      ...given('alias'),
      ...given('address'),
    ],
  };
}

function addressAttributes(element: XmlElement): [string, string][] {
  return guestAddressAttributes(partsOf(element), element.attribute('multifunction') === 'on');
}

function partsOf(address: XmlElement): GuestAddress {
  const part = (name: string) => parseNumber(address.attribute(name) ?? '0') ?? 0;
  return { bus: part('bus'), slot: part('slot'), function: part('function') } as GuestAddress;
}
