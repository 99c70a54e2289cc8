import type { DomainRecord } from '../generated/metadata.js';
import type { XmlDocument, XmlElement } from '../xml/document.js';
import type { NewElement, XmlEditor } from '../xml/editor.js';
import { Notebook } from './notebook.js';
import { formOf } from './print-form.js';
import { type FoundRecord, recordElement } from './record.js';

/**
 * Writes down in the domain's `<metadata>` what the edits do to it, on top of what an earlier record says: what was there
 * before the first of them is what `revert` gives back. Comes after all other edits.
 */
export function remember(editor: XmlEditor, document: XmlDocument, found: FoundRecord): void {
  const notebook = new Notebook(document, editor.edits);
  if (found.record) notebook.carryOver(found.record, formOf(document, found.record.digest));
  notebook.noteEdits();
  const [there, ...more] = found.elements;
  const metadata = document.root.child('metadata');
  if (!metadata) {
    notebook.noteMetadata(undefined);
    insertMetadata(editor, document.root, notebook.record());
  } else if (there) {
    editor.replace(there, recordElement(notebook.record()));
    for (const element of more) editor.remove(element);
  } else {
    notebook.noteMetadata(metadata);
    editor.append(metadata, recordElement(notebook.record()));
  }
}

/** Where libvirt 12.8 prints it: after these, before everything else. */
const BEFORE_METADATA = ['name', 'uuid', 'genid', 'title', 'description'];

function insertMetadata(editor: XmlEditor, root: XmlElement, record: Omit<DomainRecord, 'digest'>): void {
  const metadata: NewElement = { name: 'metadata', children: [recordElement(record)] };
  const last = root.children.filter((e) => BEFORE_METADATA.includes(e.name)).at(-1);
  const [first] = root.children;
  if (last) editor.insertAfter(last, metadata);
  else if (first) editor.insertBefore(first, metadata);
}
