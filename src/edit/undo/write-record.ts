import { RefusedError } from '../../diagnostics/errors.js';
import { type Domain, domainOf } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import type { Added, Changed } from '../../generated/metadata.js';
import { validate } from '../../generated/metadata.validate.js';
import { parseEdited, type XmlDocument, type XmlElement } from '../../xml/document.js';
import { XmlEditor } from '../../xml/editor.js';
import { applyEdits } from '../../xml/text-edits.js';
import { insert } from '../elements.js';
import { NONE, parsePlace, type Subject, subjectsOf } from '../properties.js';
import { type Alignment, alignmentOf, compose, editsOf, invert, locate } from './alignment.js';
import { isRestorable } from './managed.js';
import {
  asNew,
  digestOf,
  listed,
  type Meaning,
  NAMESPACE,
  readRecord,
  recordElement,
  withoutRecord,
} from './record.js';
import { restore } from './restore.js';
import { undo } from './revert.js';

/** The result of edits. */
export interface Edited {
  readonly document: XmlDocument;
  /** The result as a domain, whose record is still empty. */
  readonly domain: Domain;
}

/**
 * Applies edits to a domain and writes a record to its `<metadata>`. The record says how the result differs from the domain
 * before the first rewrite, which `revert` would return. Nothing changes if there are no edits.
 * @throws RefusedError `metadata-invalid` if there is a record that cannot be read: a new one would lose information
 */
export function applyWithRecord(domain: Domain, editor: XmlEditor): Edited {
  if (!editor.hasEdits) return { document: domain.document, domain };
  const found = readRecord(domain);
  if (found.elements.length > 0 && !found.record) {
    throw new RefusedError(found.diagnostics.map((d) => ({ ...d, severity: 'error' })));
  }
  putPlaceholder(domain, editor, found.elements[0]);
  const edits = editor.textEdits();
  const after = domainOf(parseEdited(domain.document, edits));
  const [placeholder] = readRecord(after).elements;
  if (!placeholder) throw new TypeError('the record is not where it was put');
  const origin = found.record && undo(domain, found.record, found.elements[0]);
  const made = alignmentOf(edits, domain.document.text.length);
  const alignment = origin ? compose(invert(origin.alignment), made) : made;

  const { added, ...meaning } = describe(origin?.domain ?? domain, after, alignment);
  const cells = formatNodeset([...listed(added.cells), ...(origin?.cellsLeft ?? [])]);
  const known = { ...meaning, added: { ...added, ...(cells && { cells }) } };
  const edited = after.document.text;
  const back = restore(after, known).editor.textEdits();
  const toFormer = compose(invert(alignmentOf(back, edited.length)), invert(alignment));
  const former = (origin?.domain ?? domain).document.text;
  const record = recordElement({
    digest: digestOf(withoutRecord(edited, placeholder)),
    former: digestOf(former),
    ...known,
    text: editsOf(toFormer, applyEdits(edited, back), former).map(({ start, end, text: put }) => ({
      at: String(start),
      cut: String(end - start),
      ...(put !== '' && { put }),
    })),
  });
  const recorder = new XmlEditor(after.document);
  recorder.replace(placeholder, record);
  return { document: parseEdited(after.document, recorder.textEdits()), domain: after };
}

function putPlaceholder({ document: { root } }: Domain, editor: XmlEditor, present: XmlElement | undefined): void {
  const record = { name: 'vsmmu:placement', quote: '"', attributes: [['xmlns:vsmmu', NAMESPACE]] } as const;
  const metadata = root.child('metadata');
  if (present) editor.replace(present, record);
  else if (metadata) editor.append(metadata, record);
  else insert(editor, root, { name: 'metadata', children: [record] });
}

/** Describes how vsmmu changed a domain, by comparing the domain before and after. */
function describe(before: Domain, after: Domain, alignment: Alignment): Meaning {
  const counterpart = counterpartsOf(before, after, alignment);
  const kept = new Set(counterpart.values());
  const subjects = new Map(subjectsOf(after).map((subject) => [subject.element, subject]));
  const isNew = ({ element }: { readonly element: XmlElement | undefined }) => element && !kept.has(element);
  const controllers = after.controllers.filter(isNew).map((c) => c.index as number);
  const changed = subjectsOf(before).flatMap((was): Changed[] => {
    const is = subjects.get(counterpart.get(was.element) ?? was.element);
    return is ? changesBetween(was, is, controllers) : [];
  });
  const iommus = after.iommus.filter(isNew).flatMap(({ pciBus = 0 }) => (controllers.includes(pciBus) ? [] : [pciBus]));
  const cells = after.numa.cells.filter(isNew).map((c) => c.id as number);
  const { outermostMissing: lacks } = before.numa;
  const added = {
    controllers: formatNodeset(controllers),
    iommus: formatNodeset(iommus),
    cells: formatNodeset(cells),
    elements: cells.length === 0 || lacks === 'cell' ? '' : lacks === 'cpu' ? 'cpu numa' : 'numa',
    hostdevs: after.hostDevices
      .filter(isNew)
      .map((d) => d.bdf)
      .join(' '),
  };
  const removed = before.deviceElements.filter((e) => isRestorable(e) && !counterpart.has(e));
  return {
    changed,
    added: Object.fromEntries(Object.entries(added).filter(([, value]) => value !== '')) as Added,
    removed: removed.map(asNew),
  };
}

/** Maps elements of the domain before to the same elements after: devices, NUMA cells and the root. */
function counterpartsOf(before: Domain, after: Domain, alignment: Alignment): ReadonlyMap<XmlElement, XmlElement> {
  const starts = new Map(elementsOf(after).map((element) => [element.start, element]));
  const counterparts = new Map([[before.document.root, after.document.root]]);
  for (const element of elementsOf(before)) {
    const found = starts.get(locate(alignment, element.start) ?? -1);
    if (found?.name === element.name) counterparts.set(element, found);
  }
  return counterparts;
}

function elementsOf({ deviceElements, numa }: Domain): readonly XmlElement[] {
  return [...deviceElements, ...numa.cells.flatMap(({ element }) => element ?? [])];
}

function changesBetween(was: Subject, is: Subject, added: readonly number[]): Changed[] {
  const [kind = '', key = ''] = is.name.split(' ');
  const subject = kind === 'domain' ? {} : { [kind]: key };
  const changed = was.properties.flatMap((property) => {
    const { name } = property;
    const value = property.read(was);
    const now = is.properties.includes(property) ? property.read(is) : NONE;
    // An address on an added controller is another place, even if it has the same value.
    const isSame = value === now && !(name === 'address' && added.includes(parsePlace(now)?.address.bus ?? -1));
    return isSame ? [] : [[name, `${value} to ${now}`]];
  });
  const valid = changed.filter(([name = '', text]) => isValid({ ...subject, [name]: text }));
  return valid.length > 0 ? [{ ...subject, ...Object.fromEntries(valid) }] : [];
}

const NO_DIGEST = '0'.repeat(16);

/** Returns whether the record's schema allows such a change. `<vsmmu:text>` restores all others. */
function isValid(changed: Changed): boolean {
  return validate({ digest: NO_DIGEST, former: NO_DIGEST, changed: [changed], added: {}, text: [] });
}
