import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { InputError } from '../../diagnostics/errors.js';
import { metadataInvalid } from '../../diagnostics/record.js';
import { isVsmmuAlias } from '../../domain/alias.js';
import { type Domain, readDomain } from '../../domain/domain.js';
import { numaParent } from '../../domain/numa.js';
import { ROOT_BUS } from '../../domain/pci-tree.js';
import type { RestoredElements } from '../../plan/undo/addresses.js';
import { planUndo } from '../../plan/undo/undo.js';
import { XmlEditor } from '../../xml/editor.js';
import { type NewElement, printElement } from '../../xml/print.js';
import { insert, pciePort, removeElement } from '../elements.js';
import { removeCells } from '../numa.js';
import { removeReserve } from '../overrides.js';
import { ADDRESS, formatPlace, NONE, type Property, parsePlace, type Subject, subjectsOf } from '../properties.js';
import { isBareRoot, isGroupMember, isManagedCell, isRestorable } from './managed.js';
import { asNew, changesOf, listed, type Meaning, readRecord, subjectName } from './record.js';

/** The edits of an undo, with diagnostics. */
export interface Restored {
  readonly editor: XmlEditor;
  readonly diagnostics: readonly Diagnostic[];
  /** NUMA cells that vsmmu added and that stay, because a later cell stays. */
  readonly cellsLeft: readonly number[];
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
  const { document, controllers, devicesElement } = domain;
  const subjects = subjectsOf(domain);
  const changes = changesAsLeft(subjects, changed);
  const listedControllers = listed(added.controllers);
  const former = changes.filter(({ property }) => property === ADDRESS);
  const returning = readReturning(removed);
  const plan = planUndo(domain, {
    added: controllers.filter(
      ({ index, alias, element }) =>
        index !== ROOT_BUS &&
        listedControllers.has(index) &&
        isRestorable(element) &&
        (anyAlias || alias === undefined || isVsmmuAlias(alias)),
    ),
    iommus: listed(added.iommus),
    former: new Map(former.map(({ subject, before }) => [subject.element, parsePlace(before)])),
    returning: returning ?? { controllers: [], iommus: [] },
    relayout,
  });
  const editor = new XmlEditor(document);
  removeDevices();
  const cellsLeft = removeAddedCells();
  const moves = new Map(plan.moves.map(({ occupant, to }) => [occupant, formatPlace(to)]));
  for (const subject of subjects) {
    const place = subject.occupant && moves.get(subject.occupant);
    if (place !== undefined) ADDRESS.write(subject, editor, place);
  }
  // Remove the namespace last: only then is it known whether anything uses it.
  const isNamespace = ({ property }: Change) => Number(property.name === 'namespace');
  for (const { subject, property, before } of changes.sort((a, b) => isNamespace(a) - isNamespace(b))) {
    const isLeaving = subject.occupant && plan.leaving.has(subject.occupant);
    if (property !== ADDRESS && !isLeaving) property.write(subject, editor, before);
  }
  for (const element of readRecord(domain).elements) {
    editor.remove(element);
    if (element.parent) editor.whenEmpty(element.parent, 'remove');
  }
  putBack();
  const ignored = returning ? [] : [metadataInvalid.unmanagedElements()];
  return { editor, diagnostics: [...plan.diagnostics, ...ignored], cellsLeft };

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
    const groupMembers = new Set<string>(added.hostdevs?.split(' '));
    for (const { bdf, element } of domain.hostDevices) {
      if (groupMembers.has(bdf) && isGroupMember(element)) removeElement(editor, element);
    }
    const root = controllers.find((c) => c.index === ROOT_BUS)?.element;
    const hadHole = changes.every(({ property, before }) => property.name !== 'pcihole64' || before !== NONE);
    const isOwn = root && listedControllers.has(ROOT_BUS) && isBareRoot(root) && !(hadHole && root.children.length > 0);
    if (isOwn) removeElement(editor, root);
  }

  /**
   * Removes cells from the highest number down to the first that vsmmu did not add, because libvirt 12.8 allows no gap in the
   * numbers. Returns the added cells that stay.
   */
  function removeAddedCells(): readonly number[] {
    const { cells } = domain.numa;
    const own = listed(added.cells);
    const kept = cells.findLastIndex(({ id, element }) => !element || !own.has(id) || !isManagedCell(element));
    const gone = new Set<number>(cells.slice(kept + 1).map(({ id }) => id));
    removeCells(editor, domain, gone);
    const cpu = numaParent(document.root);
    for (const element of gone.size > 0 ? [cpu?.child('numa'), cpu] : []) {
      if (element) editor.whenEmpty(element, added.elements?.split(' ').includes(element.name) ? 'remove' : 'close');
    }
    return cells.flatMap(({ id }) => (own.has(id) && !gone.has(id) ? [id] : []));
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
  }
}

/** A recorded change whose value is still as vsmmu left it. */
interface Change {
  readonly subject: Subject;
  readonly property: Property;
  readonly before: string;
}

function changesAsLeft(subjects: readonly Subject[], changed: Meaning['changed']): Change[] {
  const byName = new Map(subjects.map((subject) => [subject.name, subject]));
  return changed.flatMap((change) => {
    const subject = byName.get(subjectName(change));
    return changesOf(change).flatMap(([name, before, after]) => {
      const property = subject?.properties.find((each) => each.name === name);
      // libvirt may have given an address to a device that was left without one.
      const isAsLeft = subject && (property?.read(subject) === after || (property === ADDRESS && after === NONE));
      return property && isAsLeft ? [{ subject, property, before }] : [];
    });
  });
}

/** Reads the removed elements in a record; undefined unless all of them are plain expander buses, ports and SMMUs. */
function readReturning(removed: readonly NewElement[]): RestoredElements | undefined {
  if (removed.length === 0) return { controllers: [], iommus: [] };
  try {
    const devices: NewElement = { name: 'devices', children: removed };
    const { controllers, iommus } = readDomain(printElement({ name: 'domain', children: [devices] }, '"', undefined));
    const elements = [...controllers, ...iommus].map((each) => each.element);
    return elements.length === removed.length && elements.every(isRestorable) ? { controllers, iommus } : undefined;
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
