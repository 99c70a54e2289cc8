import type { Diagnostic, Location } from '../diagnostics/diagnostic.js';
import { numberInvalid } from '../diagnostics/domain.js';
import { InputError } from '../diagnostics/errors.js';
import { initiatorCellMissing } from '../diagnostics/numa.js';
import type { XmlDocument, XmlElement } from '../xml/document.js';
import type { HostDevice } from './device.js';
import { type KiB, kib, parseSize } from './size.js';

/** The number of a guest's NUMA cell, from 0: the `id` of a `<cell>`, and the `<node>` of an expander bus. */
export type CellId = number & { readonly __unit: 'guest cell' };

/** Converts a number to a cell number. */
export function cellId(id: number): CellId {
  return id as CellId;
}

/** The number of a NUMA node of the host, as in `<numatune>`. */
export type HostNode = number & { readonly __unit: 'host node' };

/** Converts a number to a host node number. */
export function hostNode(id: number): HostNode {
  return id as HostNode;
}

/** A `<cell>` of `<cpu><numa>`. */
export interface GuestCell {
  readonly id: CellId;
  /** Its vCPUs; a cell may have none. */
  readonly cpus: readonly number[];
  readonly memory: KiB;
  /** Its distances to other cells, by the other cell. */
  readonly distances: ReadonlyMap<CellId, number>;
  /** Undefined for a cell that is not in the domain yet. */
  readonly element: XmlElement | undefined;
  readonly location: Location | undefined;
}

/** A domain's NUMA configuration: its cells, and the binding of their memory and vCPUs to the host. */
export interface GuestNuma {
  /** By id. */
  readonly cells: readonly GuestCell[];
  /** The outermost element that must be added for a new cell: `<cpu>`, `<numa>` in it, or only the `<cell>`. */
  readonly outermostMissing: 'cpu' | 'numa' | 'cell';
  /** `<numatune><memnode>`: the host nodes that each cell's memory comes from. */
  readonly memnodes: ReadonlyMap<CellId, readonly HostNode[]>;
  /** `<numatune><memory nodeset>`: the host nodes of all memory. */
  readonly nodeset: readonly HostNode[] | undefined;
  /** Returns the host CPUs that a vCPU can run on; undefined if it is not pinned. */
  readonly pinning: (vcpu: number) => readonly number[] | undefined;
  /** The maximum number of vCPUs. */
  readonly vcpus: number;
  /** The total memory (`<memory>`). */
  readonly memory: KiB;
}

/** Whether a cell belongs to a device (a Generic Initiator): it has neither CPUs nor memory. */
export function isInitiator({ cpus, memory }: GuestCell): boolean {
  return cpus.length === 0 && memory === 0;
}

/** Returns a domain's NUMA configuration without these cells and without distances to them. */
export function withoutCells(numa: GuestNuma, gone: readonly CellId[]): GuestNuma {
  const cells = numa.cells
    .filter(({ id }) => !gone.includes(id))
    .map((cell) => ({ ...cell, distances: new Map([...cell.distances].filter(([id]) => !gone.includes(id))) }));
  return { ...numa, cells };
}

/** The highest number in a list of CPUs or nodes. Without a limit, `0-4000000000` would fill the memory. */
const MAX_LISTED = 65535;

/**
 * Reads a domain's NUMA cells, memory policy and pinning (libvirt 12.8: formatdomain, "CPU model and topology", "NUMA Node
 * Tuning", "CPU Tuning").
 * @throws InputError `number-invalid` if a number, a list of numbers or a size is invalid
 */
export function readNuma(document: XmlDocument): GuestNuma {
  const { root } = document;
  const reader = new NumaReader(document);
  const cpu = numaParent(root);
  const vcpu = root.child('vcpu');
  const tune = root.child('numatune');
  const allowedCpus = reader.list(vcpu, 'cpuset');
  const pins = new Map(
    (root.child('cputune')?.childrenNamed('vcpupin') ?? []).map((pin) => [
      reader.number(pin, 'vcpu'),
      reader.list(pin, 'cpuset'),
    ]),
  );
  const memnodes = (tune?.childrenNamed('memnode') ?? []).flatMap((memnode) => {
    const nodes = reader.list(memnode, 'nodeset');
    return nodes ? [[cellId(reader.number(memnode, 'cellid')), nodes.map(hostNode)] as const] : [];
  });
  const vcpus = Number(vcpu?.text.trim() || '1');
  return {
    cells: reader.cells(cpu?.child('numa')),
    outermostMissing: cpu === undefined ? 'cpu' : cpu.child('numa') === undefined ? 'numa' : 'cell',
    memnodes: new Map(memnodes),
    nodeset: reader.list(tune?.child('memory'), 'nodeset')?.map(hostNode),
    pinning: (n) => pins.get(n) ?? allowedCpus,
    vcpus: Number.isInteger(vcpus) ? vcpus : 1,
    memory: reader.size(root.child('memory')),
  };
}

/** Returns the `<cpu>` that has the NUMA cells, or will get them. CloudStack writes two; libvirt 12.8 accepts cells in any of them. */
export function numaParent(root: XmlElement): XmlElement | undefined {
  return root.childrenNamed('cpu').find((cpu) => cpu.child('numa')) ?? root.child('cpu');
}

class NumaReader {
  readonly #document: XmlDocument;

  constructor(document: XmlDocument) {
    this.#document = document;
  }

  /** Reads the cells. A cell without an `id` has its position as its number. */
  cells(numa: XmlElement | undefined): GuestCell[] {
    return (numa?.childrenNamed('cell') ?? [])
      .map((element, position) => ({
        id: cellId(element.attribute('id') === undefined ? position : this.number(element, 'id')),
        cpus: this.list(element, 'cpus') ?? [],
        memory: this.#sizeOf(element, element.attribute('memory') ?? '0', element.attribute('unit')),
        distances: new Map(
          (element.child('distances')?.childrenNamed('sibling') ?? []).map((sibling) => [
            cellId(this.number(sibling, 'id')),
            this.number(sibling, 'value'),
          ]),
        ),
        element,
        location: this.#document.location(element.start),
      }))
      .sort((a, b) => a.id - b.id);
  }

  number(element: XmlElement, name: string): number {
    const text = element.attribute(name) ?? '';
    return /^\d{1,5}$/.test(text) ? Number(text) : this.#fail(element, name, text, 'number');
  }

  /** Reads a list in libvirt's form, `0-3,^2,8`; undefined if the element or the attribute is missing. */
  list(element: XmlElement | undefined, name: string): readonly number[] | undefined {
    const text = element?.attribute(name);
    if (element === undefined || text === undefined) return undefined;
    return parseNodeset(text) ?? this.#fail(element, name, text, 'list of numbers');
  }

  /** Reads the size in the text of an element; 0 if the element is missing. */
  size(element: XmlElement | undefined): KiB {
    return element ? this.#sizeOf(element, element.text, element.attribute('unit')) : kib(0);
  }

  #sizeOf(element: XmlElement, text: string, unit: string | undefined): KiB {
    return parseSize(text, unit) ?? this.#fail(element, 'memory', `${text} ${unit ?? ''}`.trim(), 'size');
  }

  #fail(element: XmlElement, name: string, value: string, kind: 'number' | 'list of numbers' | 'size'): never {
    const location = this.#document.location(element.start);
    throw new InputError(numberInvalid.numa({ element: element.name, name, value, kind, location }));
  }
}

/**
 * Parses a list of numbers as libvirt does, with ranges, and `^n` to exclude n. Returns them in order; undefined if it is not
 * a list.
 */
export function parseNodeset(text: string): readonly number[] | undefined {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const [, not, first = '', last = first] = /^\s*(\^?)\s*(\d{1,5})(?:\s*-\s*(\d{1,5}))?\s*$/.exec(part) ?? [];
    if (not === undefined || Number(last) < Number(first) || Number(last) > MAX_LISTED) return undefined;
    if (not === '^') numbers.delete(Number(first));
    else for (let n = Number(first); n <= Number(last); n++) numbers.add(n);
  }
  return [...numbers].sort((a, b) => a - b);
}

/** Formats a list of numbers as libvirt prints it, in the shortest form: `0-3,8`. */
export function formatNodeset(numbers: readonly number[]): string {
  const ranges: [first: number, last: number][] = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    const range = ranges.at(-1);
    if (range && n <= range[1] + 1) range[1] = n;
    else ranges.push([n, n]);
  }
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(',');
}

/** Reports devices whose `<acpi nodeset>` names cells that do not exist. */
export function missingCells(
  hostDevices: readonly HostDevice[],
  { cells }: { readonly cells: readonly GuestCell[] },
): Diagnostic[] {
  const present = new Set<number>(cells.map(({ id }) => id));
  return hostDevices.flatMap((device) => {
    const missing = (parseNodeset(device.nodeset ?? '') ?? []).filter((id) => !present.has(id));
    if (missing.length === 0) return [];
    const { bdf, location } = device;
    return [initiatorCellMissing({ device: bdf, cells: formatNodeset(missing), location })];
  });
}
