import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { InputError, RefusedError } from '../../diagnostics/errors.js';
import { metadataInvalid, revertIncomplete, unmanagedChange } from '../../diagnostics/record.js';
import { isOurAlias } from '../../domain/alias.js';
import { type Domain, parseDomain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import type { XmlDocument, XmlElement } from '../../xml/document.js';
import { applyEdits, type TextEdit } from '../../xml/text-edits.js';
import { type Alignment, alignmentOf, compose } from './alignment.js';
import { unmanagedDifference } from './managed.js';
import { digestOf, type Meaning, type UndoRecord, withoutRecord } from './record.js';
import { type RestoreOptions, restore } from './restore.js';

/** A domain after an undo, with diagnostics. */
export interface Undone {
  readonly domain: Domain;
  /** Aligns the text before the undo with the text after it. */
  readonly alignment: Alignment;
  readonly diagnostics: readonly Diagnostic[];
  /** NUMA cells that vsmmu added and that stay. */
  readonly cellsLeft: readonly number[];
  /** Errors that name the elements of vsmmu that remain. */
  readonly left: readonly Diagnostic[];
}

/**
 * Undoes the changes in a record by structure, and applies its text edits if the domain was not edited since.
 * @param meaning a record, or the elements to remove if there is no record
 * @param element the element of the record
 * @throws RefusedError `metadata-invalid` if the undo would change something that vsmmu does not manage
 */
export function undo(
  domain: Domain,
  meaning: Meaning | UndoRecord,
  element: XmlElement | undefined,
  options?: RestoreOptions,
): Undone {
  const { document } = domain;
  const { editor, diagnostics, cellsLeft } = restore(domain, meaning, options);
  const edits = editor.textEdits();
  const restored = applyEdits(document.text, edits);
  const alignment = alignmentOf(edits, document.text.length);
  const spelling =
    element && 'digest' in meaning ? spellingOf(meaning, withoutRecord(document.text, element)) : undefined;
  const former = spelling && applyEdits(restored, spelling);
  let distrust: Diagnostic[] = [];
  if (former !== undefined && 'former' in meaning && digestOf(former) === meaning.former) {
    const result = readUndone(former, document);
    if (typeof result !== 'string') {
      const whole = compose(alignment, alignmentOf(spelling ?? [], restored.length));
      return { domain: result, alignment: whole, diagnostics: [], ...whatIsLeft(result, cellsLeft) };
    }
    distrust = [metadataInvalid.formerUnusable({ why: result })];
  }
  const result = readUndone(restored, document);
  if (typeof result === 'string') {
    throw new RefusedError(metadataInvalid.unusable({ why: result, severity: 'error' }));
  }
  return { domain: result, alignment, diagnostics: [...distrust, ...diagnostics], ...whatIsLeft(result, cellsLeft) };
}

/** Reads the result of an undo; returns the reason, in words, if the result must not be used. */
function readUndone(text: string, before: XmlDocument): Domain | string {
  try {
    const result = parseDomain(text);
    const other = unmanagedDifference(before, result.document);
    return other === undefined ? result : unmanagedChange(other);
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

/** Returns the edits that restore the spelling of the former text; undefined if the domain was edited since. */
function spellingOf({ digest, text }: UndoRecord, edited: string): TextEdit[] | undefined {
  if (digestOf(edited) !== digest) return undefined;
  const edits = text.map(({ at, cut, put = '' }) => ({ start: Number(at), end: Number(at) + Number(cut), text: put }));
  return edits.every(({ start }, i) => start >= (edits[i - 1]?.end ?? 0)) ? edits : undefined;
}

function whatIsLeft(domain: Domain, cells: readonly number[]): Pick<Undone, 'cellsLeft' | 'left'> {
  const cellsLeft = cells.filter((id) => domain.numa.cells.some((cell) => cell.id === id));
  const controllers = domain.controllers.filter((c) => isOurAlias(c.alias)).map((c) => c.index);
  return {
    cellsLeft,
    left: [
      ...(controllers.length > 0 ? [revertIncomplete.controllers({ indexes: formatNodeset(controllers) })] : []),
      ...(cellsLeft.length > 0 ? [revertIncomplete.cells({ cells: formatNodeset(cellsLeft) })] : []),
    ],
  };
}
