import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { InputError } from '../../diagnostics/errors.js';
import { metadataInvalid } from '../../diagnostics/record.js';
import { isOurAlias } from '../../domain/alias.js';
import { type Domain, readDomain } from '../../domain/domain.js';
import { ROOT_BUS } from '../../domain/pci-tree.js';
import type { Returning } from '../../plan/undo/addresses.js';
import { planUndo, type UndoPlan } from '../../plan/undo/undo.js';
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

/** A recorded change whose value is still as vsmmu left it. */
interface Change {
  readonly subject: Subject;
  readonly property: Property;
  readonly before: string;
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
  const subjects = subjectsOf(domain);
  const changes = changesAsLeft(subjects, changed);
  const addresses = changes.filter(({ property }) => property === ADDRESS);
  const controllers = listed(added.controllers);
  const returning = readReturning(removed);
  const plan = planUndo(domain, {
    added: domain.controllers.filter(
      ({ index, alias, element }) =>
        index !== ROOT_BUS &&
        controllers.has(index) &&
        isRestorable(element) &&
        (anyAlias || alias === undefined || isOurAlias(alias)),
    ),
    iommus: listed(added.iommus),
    former: new Map(addresses.map(({ subject, before }) => [subject.element, parsePlace(before)])),
    returning: returning ?? { controllers: [], iommus: [] },
    relayout,
  });

  const editor = new XmlEditor(domain.document);
  removeDevices(editor, domain, plan, new Set(added.hostdevs?.split(' ')));
  const root = domain.controllers.find((c) => c.index === ROOT_BUS)?.element;
  const hadHole = changes.every(({ property, before }) => property.name !== 'pcihole64' || before !== NONE);
  const isOwnRoot = root && controllers.has(ROOT_BUS) && isBareRoot(root) && !(hadHole && root.children.length > 0);
  if (isOwnRoot) removeElement(editor, root);
  const cellsLeft = removeAddedCells(editor, domain, listed(added.cells), added.elements ?? '');
  const moves = new Map(plan.moves.map(({ occupant, to }) => [occupant, formatPlace(to)]));
  const leaving = new Set([...plan.leaving].map(({ element }) => element));
  for (const subject of subjects) {
    const place = subject.occupant && moves.get(subject.occupant);
    if (place !== undefined) ADDRESS.write(subject, editor, place);
  }
  // Remove the namespace last: only then is it known whether anything uses it.
  const isNamespace = ({ property }: Change) => Number(property.name === 'namespace');
  for (const { subject, property, before } of changes.sort((a, b) => isNamespace(a) - isNamespace(b))) {
    if (property !== ADDRESS && !leaving.has(subject.element)) property.write(subject, editor, before);
  }
  removeRecord(editor, domain);
  putBack(editor, domain, plan);
  const ignored = returning ? [] : [metadataInvalid.unmanagedElements()];
  return { editor, diagnostics: [...plan.diagnostics, ...ignored], cellsLeft };
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
function readReturning(removed: readonly NewElement[]): Returning | undefined {
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

function removeDevices(editor: XmlEditor, domain: Domain, plan: UndoPlan, groupMembers: ReadonlySet<string>): void {
  for (const controller of domain.controllers) {
    const { element, alias, index } = controller;
    const named = element.child('alias');
    if (plan.leaving.has(controller)) {
      removeElement(editor, element);
      if (alias !== undefined && isOurAlias(alias)) removeReserve(editor, domain, alias);
      // A port in use stays in the domain, without vsmmu's alias.
    } else if (named && isOurAlias(alias) && plan.inUse.has(index)) removeElement(editor, named);
  }
  for (const { element, pciBus } of domain.iommus) {
    if (pciBus !== undefined && plan.leavingIommus.has(pciBus) && isRestorable(element)) removeElement(editor, element);
  }
  for (const { bdf, element } of domain.hostDevices) {
    if (groupMembers.has(bdf) && isGroupMember(element)) removeElement(editor, element);
  }
}

/**
 * Removes cells from the highest number down to the first that vsmmu did not add, because libvirt 12.8 allows no gap in the
 * numbers. Returns the added cells that stay.
 */
function removeAddedCells(
  editor: XmlEditor,
  domain: Domain,
  added: ReadonlySet<number>,
  parents: string,
): readonly number[] {
  const { cells } = domain.numa;
  const kept = cells.findLastIndex(({ id, element }) => !element || !added.has(id) || !isManagedCell(element));
  const gone = new Set<number>(cells.slice(kept + 1).map(({ id }) => id));
  removeCells(editor, domain, gone);
  const cpu = domain.document.root.child('cpu');
  for (const element of gone.size > 0 ? [cpu?.child('numa'), cpu] : []) {
    if (element) editor.whenEmpty(element, parents.split(' ').includes(element.name) ? 'remove' : 'close');
  }
  return cells.flatMap(({ id }) => (added.has(id) && !gone.has(id) ? [id] : []));
}

function removeRecord(editor: XmlEditor, domain: Domain): void {
  for (const element of readRecord(domain).elements) {
    editor.remove(element);
    if (element.parent) editor.whenEmpty(element.parent, 'remove');
  }
}

/** Adds ports, and restores controllers and SMMUs, where libvirt 12.8 prints them. */
function putBack(editor: XmlEditor, { controllers, devicesElement }: Domain, plan: UndoPlan): void {
  const staying = controllers.filter((c) => !plan.leaving.has(c));
  const byIndex = staying.toSorted((a, b) => a.index - b.index);
  const added = [
    ...plan.ports.map((port) => ({ index: port.controllerIndex, element: pciePort(port) })),
    ...plan.returning.controllers.map(({ index, element }) => ({ index, element: asNew(element) })),
  ];
  for (const { index, element } of added.sort((a, b) => a.index - b.index)) {
    const below = byIndex.findLast((c) => c.index < index);
    insert(editor, devicesElement, element, (below ?? staying.at(-1))?.element);
  }
  for (const { element } of plan.returning.iommus) insert(editor, devicesElement, asNew(element));
}
