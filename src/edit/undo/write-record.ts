import { RefusedError } from '../../diagnostics/errors.js';
import { type Domain, domainOf } from '../../domain/domain.js';
import { parseEdited, type XmlElement } from '../../xml/document.js';
import { XmlEditor } from '../../xml/editor.js';
import type { NewElement } from '../../xml/print.js';
import { applyEdits, sortEdits, type TextEdit } from '../../xml/text-edits.js';
import type { DomainEditor } from '../domain-editor.js';
import { insert } from '../elements.js';
import { merge } from './merge.js';
import { besideRecord, digestOf, EMPTY_RECORD, readRecord, recordElement, withoutRecord } from './record.js';
import { undo } from './revert.js';
import { editsBetween, formatEdits } from './text.js';

/** The result of edits. */
export interface Edited {
  readonly text: string;
  readonly before: Domain;
  /** The edits that lead to the text, but with an empty record in it. */
  readonly edits: readonly TextEdit[];
}

/** Reads the result of edits, with an empty record. Only what the edits touch is parsed. */
export function readEdited({ before, edits }: Edited): Domain {
  return edits.length === 0 ? before : domainOf(parseEdited(before.document, edits));
}

/**
 * Applies edits to a domain and writes a record to its `<metadata>`. The record says how the result differs from the domain
 * before the first rewrite, which `revert` returns. Nothing changes if there are no edits.
 * @throws RefusedError `metadata-invalid` if there is a record that cannot be used: a new one would lose information
 */
export function applyWithRecord(editor: DomainEditor): Edited {
  const { domain } = editor;
  const { document } = domain;
  if (!editor.hasEdits) return { text: document.text, before: domain, edits: [] };
  const found = readRecord(domain);
  const [present] = found.elements;
  if (present && !found.record) {
    throw new RefusedError(found.diagnostics.map((d) => ({ ...d, severity: 'error' })));
  }
  const edits = editor.textEdits();
  const withEmpty = sortEdits([...recordEdits(domain, present, EMPTY_RECORD), ...edits]);
  const around = besideRecord(withEmpty, present);
  const base = withoutRecord(document.text, present);
  const edited = applyEdits(base, around);
  const origin = found.record ? undo(domain, found.record, present) : { domain, edits: [] };
  const former = origin.domain.document.text;
  const meaning = merge(editor, found.record);
  const text = formatEdits(editsBetween(around, origin.edits, base.length, former), meaning.removed);
  const record = recordElement({ digest: digestOf(edited), former: digestOf(former), ...meaning, text });
  const withRecord = sortEdits([...recordEdits(domain, present, record), ...edits]);
  return { text: applyEdits(document.text, withRecord), before: domain, edits: withEmpty };
}

/** Returns the edits that write a record, instead of the present one. */
function recordEdits({ document }: Domain, present: XmlElement | undefined, record: NewElement): readonly TextEdit[] {
  const editor = new XmlEditor(document);
  const metadata = document.root.child('metadata');
  if (present) editor.replace(present, record);
  else if (metadata) editor.append(metadata, record);
  else insert(editor, document.root, { name: 'metadata', children: [record] });
  return editor.textEdits();
}
