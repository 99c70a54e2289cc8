import { type CellId, numaParent } from '../domain/numa.js';
import type { Distance, Plan } from '../generated/plan.js';
import type { NewElement } from '../xml/print.js';
import type { DomainEditor } from './domain-editor.js';
import { insert, newElement, removeElement } from './elements.js';

/** Adds the plan's NUMA cells and distances, and removes the cells of devices that have left the domain. */
export function editNuma(editor: DomainEditor, plan: Plan): void {
  addCells(editor, plan);
  addDistances(editor, plan);
  removeCells(editor, new Set(plan.orphaned.cells));
}

function addCells(editor: DomainEditor, plan: Plan): void {
  const { created, initiators, distances } = plan.numa;
  // As libvirt 12.8 prints it; a cell without CPUs has no `cpus`.
  const cell = (id: CellId, cpus: string | undefined, memory: number) =>
    newElement('cell', { id, cpus, memory, unit: 'KiB' }, distancesOf(distances, id));
  const cells = [
    ...(created ? [cell(created.cell, created.cpus, created.memory)] : []),
    ...initiators.map((initiator) => cell(initiator.cell, undefined, 0)),
  ];
  if (cells.length === 0) return;
  editor.added.cells.push(...(created ? [created.cell] : []), ...initiators.map(({ cell }) => cell));
  const { document, numa: present } = editor.domain;
  const { root } = document;
  const cpu = numaParent(root);
  const numa = cpu?.child('numa');
  const added = newElement('numa', {}, cells);
  if (numa) for (const each of cells) insert(editor, numa, each, present.cells.at(-1)?.element);
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
function addDistances(editor: DomainEditor, { numa: { distances } }: Plan): void {
  for (const { id, element } of editor.domain.numa.cells) {
    const present = element?.child('distances');
    const added = present ? siblingsOf(distances, id) : distancesOf(distances, id);
    const parent = present ?? element;
    if (parent) for (const each of added) editor.append(parent, each);
    // The record does not list distances to added cells: `revert` removes them together with these cells.
    const others = distances.filter(({ cell, sibling }) => cell === id && !editor.added.cells.includes(sibling));
    editor.added.distances.push(...others.map(({ sibling, value }) => `${id}:${sibling}:${value}`));
  }
}

/**
 * Removes cells, and the distances from other cells to them.
 * @param distances further distances to remove, each as `cell:sibling:value`
 */
export function removeCells(
  editor: DomainEditor,
  gone: ReadonlySet<number>,
  distances: ReadonlySet<string> = new Set(),
): void {
  for (const { id, element } of gone.size + distances.size > 0 ? editor.domain.numa.cells : []) {
    if (element && gone.has(id)) removeElement(editor, element);
    const parent = element?.child('distances');
    if (!element || !parent) continue;
    for (const sibling of parent.childrenNamed('sibling')) {
      const [to, value] = [sibling.attribute('id'), sibling.attribute('value')];
      if (gone.has(Number(to)) || distances.has(`${id}:${to}:${value}`)) removeElement(editor, sibling);
    }
    editor.whenEmpty(parent, 'remove');
    editor.whenEmpty(element, 'close');
  }
}
