import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { InputError, RefusedError } from '../../diagnostics/errors.js';
import {
  metadataInvalid,
  revertIncomplete,
  revertNothing,
  revertUnrecorded,
  unmanagedChange,
} from '../../diagnostics/record.js';
import { isVsmmuAlias } from '../../domain/alias.js';
import type { PciController } from '../../domain/controller.js';
import { type Domain, parseDomain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import { PciTree } from '../../domain/pci-tree.js';
import { vsmmuControllers } from '../../domain/vsmmu-controllers.js';
import type { XmlElement } from '../../xml/document.js';
import { applyEdits, type TextEdit } from '../../xml/text-edits.js';
import { NONE } from '../properties.js';
import { unmanagedDifference } from './managed.js';
import { besideRecord, digestOf, readRecord, type UndoRecord, withoutRecord } from './record.js';
import { addedElements, restore } from './restore.js';
import { parseEdits } from './text.js';

/** Options for `revert`. */
export interface RevertOptions {
  /** Removes expander buses with vSMMUs even without a record of the former state. */
  readonly force?: boolean;
}

/** A domain's text as it was before the first rewrite, with diagnostics. */
export interface Reverted {
  readonly xml: string;
  readonly diagnostics: readonly Diagnostic[];
  /** Errors that name the elements of vsmmu that remain. */
  readonly left: readonly Diagnostic[];
}

/**
 * Removes everything that `rewrite` added to a domain. If the domain was not edited since, the result is the text before
 * the first rewrite, byte for byte.
 * @throws RefusedError `revert-unrecorded` if there are vSMMUs without a readable record, unless forced
 */
export function revert(domain: Domain, options: RevertOptions = {}): Reverted {
  const { elements, record, diagnostics } = readRecord(domain);
  const unrecorded = record ? [] : vsmmuControllers(domain);
  if (elements.length === 0 && unrecorded.length === 0) {
    return { xml: domain.document.text, diagnostics: [revertNothing()], left: [] };
  }
  if (unrecorded[0] && !options.force) {
    const { location } = unrecorded[0];
    throw new RefusedError([...diagnostics, revertUnrecorded({ why: diagnostics[0]?.message, location })]);
  }
  const known = record ?? recovered(domain, unrecorded);
  const undone = undo(domain, known, record && elements[0]);
  const cellsLeft = addedElements(undone.domain, known.added).cells.map(({ id }) => id);
  const controllers = undone.domain.controllers.filter((c) => isVsmmuAlias(c.alias)).map((c) => c.index);
  return {
    xml: undone.domain.document.text,
    diagnostics: [...diagnostics, ...undone.diagnostics],
    left: [
      ...(controllers.length > 0 ? [revertIncomplete.controllers({ indexes: formatNodeset(controllers) })] : []),
      ...(cellsLeft.length > 0 ? [revertIncomplete.cells({ cells: formatNodeset(cellsLeft) })] : []),
    ],
  };
}

/**
 * Reconstructs a lost record as far as aliases allow: the controllers, and `iommufd` of devices behind vsmmu's expander buses
 * whose `<driver>` has no other attribute. Such a device also works without it.
 */
function recovered(domain: Domain, controllers: readonly PciController[]): UndoRecord {
  const tree = new PciTree(domain);
  const placed = domain.hostDevices.filter(({ address, element }) => {
    const driver = element.child('driver');
    const isPlaced = address && isVsmmuAlias(tree.controller(tree.rootOf(address.bus))?.alias);
    return isPlaced && driver?.attributes.length === 1 && driver.children.length === 0;
  });
  return {
    changed: placed.map(({ bdf }) => ({ device: bdf, iommufd: `${NONE} to yes` })),
    added: { controllers: formatNodeset(controllers.map((c) => c.index)) },
    ...{ removed: [], digest: '', former: '' },
  };
}

/** A domain after an undo, with diagnostics. */
export interface Undone {
  readonly domain: Domain;
  /** The edits that lead to it from the text without the record. */
  readonly edits: readonly TextEdit[];
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Restores the former text, if the domain was not edited since; otherwise undoes the changes in a record by structure.
 * @param element the element of the record; undefined for a reconstructed record
 * @throws RefusedError `metadata-invalid` if the undo would change something that vsmmu does not manage
 */
export function undo(domain: Domain, record: UndoRecord, element: XmlElement | undefined): Undone {
  const text = withoutRecord(domain.document.text, element);
  const exact = element && editsToFormer(record, text);
  const former = exact && readUndone(applyEdits(text, exact), domain);
  if (exact && typeof former === 'object') return { domain: former, edits: exact, diagnostics: [] };

  const { editor, diagnostics } = restore(domain, record, { anyAlias: element === undefined });
  const result = readUndone(editor.toString(), domain);
  if (typeof result === 'string') {
    throw new RefusedError(metadataInvalid.unusable({ why: result, severity: 'error' }));
  }
  const distrust = typeof former !== 'string' ? [] : [metadataInvalid.formerUnusable({ why: former })];
  return {
    domain: result,
    edits: besideRecord(editor.textEdits(), element),
    diagnostics: [...distrust, ...diagnostics],
  };
}

/** Reads the result of an undo; returns the reason, in words, if the result must not be used. */
function readUndone(text: string, before: Domain): Domain | string {
  try {
    const result = parseDomain(text);
    const other = unmanagedDifference(before.document, result.document);
    return other === undefined ? result : unmanagedChange(other);
  } catch (error) {
    if (error instanceof InputError) return error.message;
    throw error;
  }
}

/** Returns the recorded edits that restore the former text; undefined if the domain or these edits were changed since. */
function editsToFormer({ digest, former, text, removed }: UndoRecord, edited: string): readonly TextEdit[] | undefined {
  const edits = text && digestOf(edited) === digest ? parseEdits(text, removed) : undefined;
  return edits && digestOf(applyEdits(edited, edits)) === former ? edits : undefined;
}
