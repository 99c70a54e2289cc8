import type { Domain } from '../domain/domain.js';
import type { CellId } from '../domain/numa.js';
import type { Distance, Plan } from '../generated/plan.js';
import type { NewElement, XmlEditor } from '../xml/editor.js';
import { cellNode } from './elements.js';

/** Adds the plan's NUMA cells and distances, the cells of bridges that are there, and the devices' Generic Initiators. */
export function editNuma(editor: XmlEditor, domain: Domain, plan: Plan): void {
  nameCells(editor, domain, plan);
  addCells(editor, domain, plan);
  addDistances(editor, domain, plan);
  removeCells(editor, domain, plan);
  nameInitiators(editor, domain, plan);
}

/** `<node>` in the `<target>` of bridges that are kept. */
function nameCells(editor: XmlEditor, domain: Domain, { bridges }: Plan): void {
  for (const { kept, controllerIndex, node, nodeBefore } of bridges) {
    if (!kept || node === null || node === nodeBefore) continue;
    const controller = domain.controllers.find((c) => c.index === controllerIndex)?.element;
    const target = controller?.child('target');
    if (target) editor.append(target, cellNode(node));
    else if (controller) editor.append(controller, { name: 'target', children: [cellNode(node)] });
  }
}

function addCells(editor: XmlEditor, domain: Domain, { numa }: Plan): void {
  const siblings = (cell: CellId) => numa.distances.filter((distance) => distance.cell === cell);
  const { created } = numa;
  const cells: NewElement[] = [
    ...(created ? [cellElement(created.cell, created.cpus, created.memory, siblings(created.cell))] : []),
    ...numa.initiators.map(({ cell }) => cellElement(cell, undefined, 0, siblings(cell))),
  ];
  if (cells.length === 0) return;
  const { root } = domain.document;
  const cpu = root.child('cpu');
  const last = domain.numa.cells.at(-1)?.element;
  if (last) for (const cell of cells) editor.insertAfter(last, cell);
  else if (cpu?.child('numa')) editor.replace(cpu.child('numa') ?? cpu, { name: 'numa', children: cells });
  else if (cpu) editor.append(cpu, { name: 'numa', children: cells });
  else addCpu(editor, domain, { name: 'cpu', children: [{ name: 'numa', children: cells }] });
}

/** Where libvirt 12.8 prints a `<cpu>`: before `<clock>`, after `<features>`. */
function addCpu(editor: XmlEditor, { document: { root } }: Domain, cpu: NewElement): void {
  const features = root.child('features') ?? root.child('os');
  const clock = root.child('clock');
  if (clock) editor.insertBefore(clock, cpu);
  else if (features) editor.insertAfter(features, cpu);
  else editor.append(root, cpu);
}

/** A `<cell>` as libvirt 12.8 prints it; one without CPUs has no `cpus`. */
function cellElement(id: CellId, cpus: string | undefined, memory: number, siblings: readonly Distance[]): NewElement {
  return {
    name: 'cell',
    attributes: [
      ['id', String(id)],
      ...(cpus === undefined ? [] : ([['cpus', cpus]] as const)),
      ['memory', String(memory)],
      ['unit', 'KiB'],
    ],
    children: siblings.length > 0 ? [{ name: 'distances', children: siblings.map(siblingElement) }] : [],
  };
}

/** What cells that are there already do not say yet. */
function addDistances(editor: XmlEditor, domain: Domain, { numa }: Plan): void {
  for (const { id, element } of domain.numa.cells) {
    const siblings = numa.distances.filter((distance) => distance.cell === id);
    if (!element || siblings.length === 0) continue;
    const present = element.child('distances');
    if (present) for (const sibling of siblings) editor.append(present, siblingElement(sibling));
    else editor.append(element, { name: 'distances', children: siblings.map(siblingElement) });
  }
}

/** Takes out cells of devices that are gone, and the distances to them. */
function removeCells(editor: XmlEditor, { numa }: Domain, { leftovers }: Plan): void {
  const gone = new Set<number>(leftovers.cells);
  if (gone.size === 0) return;
  for (const { id, element } of numa.cells) {
    if (element && gone.has(id)) editor.remove(element);
    else {
      for (const sibling of element?.child('distances')?.childrenNamed('sibling') ?? []) {
        if (gone.has(Number(sibling.attribute('id')))) editor.remove(sibling);
      }
    }
  }
}

function siblingElement({ sibling, value }: Distance): NewElement {
  return {
    name: 'sibling',
    attributes: [
      ['id', String(sibling)],
      ['value', String(value)],
    ],
  };
}

/** `<acpi nodeset>` of the devices that get cells, where libvirt 12.8 prints it: before the guest address. */
function nameInitiators(editor: XmlEditor, domain: Domain, plan: Plan): void {
  const getting = new Set(plan.numa.initiators.map(({ device }) => device));
  for (const [i, { bdf, nodeset }] of plan.devices.entries()) {
    const element = domain.hostDevices[i]?.element;
    if (!element || nodeset === null || !getting.has(bdf)) continue;
    const acpi = element.child('acpi');
    const address = element.child('address');
    const added: NewElement = { name: 'acpi', attributes: [['nodeset', nodeset]] };
    if (acpi) editor.setAttribute(acpi, 'nodeset', nodeset);
    else if (address) editor.insertBefore(address, added);
    else editor.append(element, added);
  }
}
