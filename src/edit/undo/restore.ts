import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { InputError } from '../../diagnostics/errors.js';
import { metadataInvalid } from '../../diagnostics/record.js';
import { isVsmmuAlias } from '../../domain/alias.js';
import { type Domain, readDomain } from '../../domain/domain.js';
import { numaParent } from '../../domain/numa.js';
import { ROOT_BUS } from '../../domain/pci-tree.js';
import type { Added } from '../../generated/metadata.js';
import type { FormerPlaces, RestoredElements } from '../../plan/undo/addresses.js';
import { planUndo } from '../../plan/undo/undo.js';
import { asNew, type NewElement, printElement } from '../../xml/print.js';
import { type Change, DomainEditor } from '../domain-editor.js';
import { insert, pciePort, removeElement } from '../elements.js';
import { removeCells } from '../numa.js';
import { removeReserve, removeUnusedNamespace } from '../overrides.js';
import { ADDRESS, formatPlace, parsePlace } from '../properties.js';
import { isBareRoot, isGroupMember, isManagedCell, isRestorable } from './managed.js';
import { changesAsLeft, listed, type Meaning, readRecord, words } from './record.js';

/** The edits of an undo, with diagnostics. */
export interface Restored {
  readonly editor: DomainEditor;
  readonly diagnostics: readonly Diagnostic[];
}

export interface RestoreOptions {
  /** Removes the listed controllers whatever their aliases. */
  readonly anyAlias?: boolean;
  /** Whether a new plan follows, which places host devices. Other devices then get a port of `pcie.0` each. */
  readonly relayout?: boolean;
}

/**
 * Undoes the changes in a record by structure, whatever else was edited since. Removes elements with vsmmu's aliases and what
 * belongs to them, and restores each value that is still as vsmmu left it.
 */
export function restore(
  domain: Domain,
  { changed, added, removed }: Meaning,
  { anyAlias = false, relayout = false }: RestoreOptions = {},
): Restored {
  const { controllers, devicesElement, document } = domain;
  const changes = changesAsLeft(domain, changed);
  const own = addedElements(domain, added, anyAlias);
  const returning = readReturning(removed);
  const plan = planUndo(domain, {
    added: own.controllers,
    iommus: listed(added.iommus),
    former: formerPlaces(changes),
    returning: returning ?? { controllers: [], iommus: [] },
    relayout,
  });
  const editor = new DomainEditor(domain);
  removeDevices();
  removeAddedCells();
  for (const { occupant, to } of plan.moves) editor.set(occupant.element, 'address', formatPlace(to));
  for (const { subject, property, before } of changes) {
    const isLeaving = subject.occupant && plan.leaving.has(subject.occupant);
    if (property !== ADDRESS && !isLeaving) editor.set(subject.element, property.name, before);
  }
  removeAddedRoot();
  for (const element of readRecord(domain).elements) {
    editor.remove(element);
    if (element.parent) editor.whenEmpty(element.parent, 'remove');
  }
  removeUnusedNamespace(editor);
  putBack();
  const ignored = returning ? [] : [metadataInvalid.unmanagedElements()];
  return { editor, diagnostics: [...plan.diagnostics, ...ignored] };

  function removeDevices(): void {
    for (const controller of controllers) {
      const { element, alias, index } = controller;
      const named = element.child('alias');
      if (plan.leaving.has(controller)) {
        removeElement(editor, element);
        if (alias !== undefined && isVsmmuAlias(alias)) removeReserve(editor, domain, alias);
        // A port in use stays in the domain, without vsmmu's alias.
      } else if (named && isVsmmuAlias(alias) && plan.inUse.has(index)) removeElement(editor, named);
    }
    for (const { element, pciBus } of domain.iommus) {
      if (plan.leavingIommus.has(pciBus ?? -1) && isRestorable(element)) removeElement(editor, element);
    }
    for (const { element } of own.hostdevs) removeElement(editor, element);
  }

  /** Removes cells from the highest number down to the first that vsmmu did not add: libvirt 12.8 allows no gap in the numbers. */
  function removeAddedCells(): void {
    const { cells } = domain.numa;
    const kept = cells.findLastIndex(
      (cell) => !cell.element || !own.cells.includes(cell) || !isManagedCell(cell.element),
    );
    const gone = new Set<number>(cells.slice(kept + 1).map(({ id }) => id));
    removeCells(editor, gone, words(added.distances));
    const cpu = numaParent(document.root);
    for (const parent of gone.size > 0 ? [cpu?.child('numa'), cpu] : []) if (parent) editor.whenEmpty(parent, 'remove');
  }

  /** Removes a `pcie-root` that vsmmu added, unless a user has set its `<pcihole64>` since. */
  function removeAddedRoot(): void {
    for (const { element } of own.root) {
      if (element.children.every((child) => editor.isRemoved(child))) removeElement(editor, element);
    }
  }

  /** Adds ports, and restores controllers and SMMUs, where libvirt 12.8 prints them. */
  function putBack(): void {
    const staying = controllers.filter((c) => !plan.leaving.has(c));
    const byIndex = staying.toSorted((a, b) => a.index - b.index);
    const back = [
      ...plan.ports.map((port) => ({ index: port.controllerIndex, element: pciePort(port) })),
      ...plan.returning.controllers.map(({ index, element }) => ({ index, element: asNew(element) })),
    ];
    for (const { index, element } of back.sort((a, b) => a.index - b.index)) {
      const below = byIndex.findLast((c) => c.index < index);
      insert(editor, devicesElement, element, (below ?? staying.at(-1))?.element);
    }
    for (const { element } of plan.returning.iommus) insert(editor, devicesElement, asNew(element));
    editor.added.controllers.push(...plan.ports.map((port) => port.controllerIndex));
  }
}

/** Returns the elements of a domain that a record lists as added and that have the form in which vsmmu adds them. */
export function addedElements(domain: Domain, added: Added, anyAlias = false) {
  const [indexes, buses, cells] = [added.controllers, added.iommus, added.cells].map(listed);
  const hostdevs = words(added.hostdevs);
  return {
    /** A `<controller>` for `pcie-root`. */
    root: domain.controllers.filter((c) => c.index === ROOT_BUS && indexes?.has(ROOT_BUS) && isBareRoot(c.element)),
    controllers: domain.controllers.filter(({ index, alias, element }) => {
      const isOwn = anyAlias || alias === undefined || isVsmmuAlias(alias);
      return index !== ROOT_BUS && indexes?.has(index) && isOwn && isRestorable(element);
    }),
    iommus: domain.iommus.filter(({ pciBus = -1 }) => buses?.has(pciBus)),
    /** Cells in any form, because each cell that remains is reported. */
    cells: domain.numa.cells.filter(({ id }) => cells?.has(id)),
    hostdevs: domain.hostDevices.filter(({ bdf, element }) => hostdevs.has(bdf) && isGroupMember(element)),
  };
}

/** Returns the former addresses of controllers and devices. */
export function formerPlaces(changes: readonly Change[]): FormerPlaces {
  const moves = changes.filter(({ property }) => property === ADDRESS);
  return new Map(moves.map(({ subject, before }) => [subject.element, parsePlace(before)]));
}

/** Reads the removed elements in a record; undefined unless all of them are plain expander buses, ports and SMMUs. */
function readReturning(removed: readonly NewElement[]): RestoredElements | undefined {
  if (removed.length === 0) return { controllers: [], iommus: [] };
  try {
    const { controllers, iommus } = readDevices(removed);
    const elements = [...controllers, ...iommus].map((each) => each.element);
    return elements.length === removed.length && elements.every(isRestorable) ? { controllers, iommus } : undefined;
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}

/** Returns a domain with only these elements in `<devices>`. */
export function readDevices(elements: readonly NewElement[]): Domain {
  const devices: NewElement = { name: 'devices', children: elements };
  return readDomain(printElement({ name: 'domain', children: [devices] }, '"', undefined));
}
