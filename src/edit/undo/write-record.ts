import { RefusedError } from '../../diagnostics/errors.js';
import { type Domain, readDomain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import type { XmlEditor } from '../../xml/editor.js';
import { applyEdits } from '../../xml/text-edits.js';
import { insert } from '../elements.js';
import { alignmentOf, compose, editsOf, invert } from './alignment.js';
import { describe } from './describe.js';
import {
  digestOf,
  type FoundRecord,
  listed,
  NAMESPACE,
  readRecord,
  recordElement,
  type UndoRecord,
  withoutRecord,
} from './record.js';
import { restore } from './restore.js';
import { undo } from './undo.js';

/**
 * Applies edits to a domain and writes a record to its `<metadata>`. The record says how the result differs from the domain
 * before the first rewrite, which `revert` would return.
 * @throws RefusedError `metadata-invalid` if there is a record that cannot be read: a new one would lose information
 */
export function applyWithRecord(domain: Domain, editor: XmlEditor): string {
  const found = readRecord(domain);
  if (found.elements.length > 0 && !found.record) {
    throw new RefusedError(found.diagnostics.map((d) => ({ ...d, severity: 'error' })));
  }
  putPlaceholder(domain, editor, found);
  const edits = editor.textEdits();
  const { text } = domain.document;
  const edited = applyEdits(text, edits);
  const after = readDomain(edited);
  const [placeholder] = readRecord(after).elements;
  if (!placeholder) throw new TypeError('the record is not where it was put');
  const origin = found.record && undo(domain, found.record, found.elements[0]);
  const before = origin?.domain ?? domain;
  const made = alignmentOf(edits, text.length);
  const alignment = origin ? compose(invert(origin.alignment), made) : made;

  const meaning = describe(before, after, alignment);
  const cells = [...listed(meaning.added.cells), ...(origin?.cellsLeft ?? [])];
  const added = { ...meaning.added, ...(cells.length > 0 && { cells: formatNodeset(cells) }) };
  const back = restore(after, { ...meaning, added }).editor.textEdits();
  const toFormer = compose(invert(alignmentOf(back, edited.length)), invert(alignment));
  const former = before.document.text;
  const spelling = editsOf(toFormer, applyEdits(edited, back), former);
  const record: UndoRecord = {
    digest: digestOf(withoutRecord(edited, placeholder)),
    former: digestOf(former),
    ...meaning,
    added,
    text: spelling.map(({ start, end, text: put }) => ({
      at: String(start),
      cut: String(end - start),
      ...(put !== '' && { put }),
    })),
  };
  const recorded = after.document.edit();
  recorded.replace(placeholder, recordElement(record));
  return recorded.toString();
}

function putPlaceholder({ document: { root } }: Domain, editor: XmlEditor, { elements }: FoundRecord): void {
  const record = { name: 'vsmmu:placement', quote: '"', attributes: [['xmlns:vsmmu', NAMESPACE]] } as const;
  const metadata = root.child('metadata');
  if (elements[0]) editor.replace(elements[0], record);
  else if (metadata) editor.append(metadata, record);
  else insert(editor, root, { name: 'metadata', children: [record] });
}
