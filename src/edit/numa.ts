import type { Domain } from '../domain/domain.js';
import { type CellId, numaParent } from '../domain/numa.js';
import type { Distance, Plan } from '../generated/plan.js';
import type { XmlElement } from '../xml/document.js';
import type { XmlEditor } from '../xml/editor.js';
import type { NewElement } from '../xml/print.js';
import { insert, newElement, removeElement } from './elements.js';

/** Adds the plan's NUMA cells and distances, and removes the cells of devices that have left the domain. */
export function editNuma(editor: XmlEditor, domain: Domain, plan: Plan): void {
  addCells(editor, domain, plan);
  addDistances(editor, domain, plan);
  removeCells(editor, domain, new Set(plan.orphaned.cells));
}

function addCells(editor: XmlEditor, domain: Domain, plan: Plan): void {
  const { created, initiators, distances } = plan.numa;
  // As libvirt 12.8 prints it; a cell without CPUs has no `cpus`.
  const cell = (id: CellId, cpus: string | undefined, memory: number) =>
    newElement('cell', { id, cpus, memory, unit: 'KiB' }, distancesOf(distances, id));
  const cells = [
    ...(created ? [cell(created.cell, created.cpus, created.memory)] : []),
    ...initiators.map((initiator) => cell(initiator.cell, undefined, 0)),
  ];
  if (cells.length === 0) return;
  const { root } = domain.document;
  const cpu = numaParent(root);
  const numa = cpu?.child('numa');
  const added = newElement('numa', {}, cells);
  if (numa) for (const each of cells) insert(editor, numa, each, domain.numa.cells.at(-1)?.element);
  else if (cpu) editor.append(cpu, added);
  else insert(editor, root, newElement('cpu', {}, [added]));
}

/** Returns the `<distances>` of a cell; none if the plan has no distance for it. */
function distancesOf(distances: readonly Distance[], cell: CellId): NewElement[] {
  const siblings = siblingsOf(distances, cell);
  return siblings.length > 0 ? [newElement('distances', {}, siblings)] : [];
}

function siblingsOf(distances: readonly Distance[], cell: CellId): NewElement[] {
  const own = distances.filter((distance) => distance.cell === cell);
  return own.map(({ sibling, value }) => newElement('sibling', { id: sibling, value }));
}

/** Adds distances to existing cells. */
function addDistances(editor: XmlEditor, domain: Domain, { numa: { distances } }: Plan): void {
  for (const { id, element } of domain.numa.cells) {
    const present = element?.child('distances');
    const added = present ? siblingsOf(distances, id) : distancesOf(distances, id);
    const parent = present ?? element;
    if (parent) for (const each of added) editor.append(parent, each);
  }
}

/** Removes cells, and the distances from other cells to them. */
export function removeCells(editor: XmlEditor, { numa }: Domain, gone: ReadonlySet<number>): void {
  for (const { id, element } of gone.size > 0 ? numa.cells : []) {
    if (element && gone.has(id)) removeElement(editor, element);
    else if (element) removeDistances(editor, element, (sibling) => gone.has(Number(sibling.attribute('id'))));
  }
}

/** Removes distances of a cell. */
export function removeDistances(editor: XmlEditor, cell: XmlElement, isGone: (sibling: XmlElement) => boolean): void {
  const distances = cell.child('distances');
  if (!distances) return;
  for (const sibling of distances.childrenNamed('sibling')) if (isGone(sibling)) removeElement(editor, sibling);
  editor.whenEmpty(distances, 'remove');
  editor.whenEmpty(cell, 'close');
}
