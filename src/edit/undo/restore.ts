import { type Diagnostic, diagnostic } from '../../diagnostics.js';
import { formatGuestAddress, type GuestAddress } from '../../domain/address.js';
import { isOurAlias } from '../../domain/alias.js';
import type { PciController } from '../../domain/controller.js';
import type { Domain } from '../../domain/domain.js';
import { type Occupant, ROOT_BUS } from '../../domain/pci-tree.js';
import type { NewElement, XmlEditor } from '../../xml/editor.js';
import { insert, pciePort, take } from '../elements.js';
import { takeReserve } from '../overrides.js';
import { formatAddress, NONE, type Property, type Subject, subjectsOf } from '../properties.js';
import { afterMoves, decideAddresses, type Move, type Returning, readReturning, rootPortsInUse } from './addresses.js';
import { isBareRoot, isCompanion, isManagedCell, isRestorable } from './managed.js';
import { asNew, changesOf, listed, type Meaning, NAMESPACE, subjectName } from './record.js';
import { planRootPorts } from './root-ports.js';

/** What an undo leaves: the edits that it makes, and what it could not do. */
export interface Restored {
  readonly editor: XmlEditor;
  readonly diagnostics: readonly Diagnostic[];
  /** NUMA cells of vsmmu's that stay: others that came later have higher numbers. */
  readonly cellsLeft: readonly number[];
}

export interface RestoreOptions {
  /** Takes the listed controllers out whoever made them. */
  readonly anyAlias?: boolean;
  /** A new plan follows: it places host devices, and other devices get a port of `pcie.0` each. */
  readonly relayout?: boolean;
}

/**
 * Takes back by structure what a record says that vsmmu did, whatever else was edited since: removes what carries vsmmu's
 * aliases and what serves only that, and gives each device that is where vsmmu put it its former values.
 */
export function restore(domain: Domain, meaning: Meaning, options: RestoreOptions = {}): Restored {
  return new Restorer(domain, meaning, options).restore();
}

/** A change of the record that is still as vsmmu left it. */
interface Change {
  readonly name: string;
  readonly before: string;
  readonly property: Property;
  readonly subject: Subject;
}

class Restorer {
  readonly #domain: Domain;
  readonly #meaning: Meaning;
  readonly #options: RestoreOptions;
  readonly #editor: XmlEditor;
  readonly #subjects: readonly Subject[];
  readonly #changes: readonly Change[];
  readonly #diagnostics: Diagnostic[] = [];
  /** Controllers that go. */
  readonly #leaving: ReadonlySet<Occupant>;
  readonly #staying: readonly PciController[];
  /** Ports of `pcie.0` that stay because something needs them. */
  readonly #inUse: ReadonlySet<number>;
  readonly #buses: ReadonlySet<number>;
  /** Controllers and SMMUs that come back. */
  readonly #leavingIommus: ReadonlySet<number>;
  readonly #returning: Returning;
  readonly #moves: readonly Move[];

  constructor(domain: Domain, meaning: Meaning, options: RestoreOptions) {
    this.#domain = domain;
    this.#meaning = meaning;
    this.#options = options;
    this.#editor = domain.document.edit();
    this.#subjects = subjectsOf(domain);
    this.#changes = [...this.#changesAsLeft()];
    const former = new Map(
      this.#changes.flatMap((c) => (c.name === 'address' ? [[c.subject.element, c.before] as const] : [])),
    );
    const added = listed(meaning.added.controllers);
    this.#inUse = rootPortsInUse(domain, former);
    const leaving = domain.controllers.filter(
      ({ index, alias, element }) =>
        index !== ROOT_BUS &&
        added.has(index) &&
        !this.#inUse.has(index) &&
        isRestorable(element) &&
        (options.anyAlias || alias === undefined || isOurAlias(alias)),
    );
    this.#leaving = new Set(leaving);
    this.#staying = domain.controllers.filter((c) => !this.#leaving.has(c));
    this.#buses = new Set(leaving.map((c) => c.index));
    this.#leavingIommus = new Set([...this.#buses, ...listed(meaning.added.iommus)]);
    const { moves, returning, diagnostics } = decideAddresses(domain, {
      leaving: this.#leaving,
      leavingIommus: this.#leavingIommus,
      former,
      returning: readReturning(meaning.removed),
    });
    this.#moves = moves;
    this.#returning = returning;
    this.#diagnostics.push(...diagnostics);
  }

  restore(): Restored {
    this.#takeOut();
    const cellsLeft = this.#takeCells();
    const ports = this.#move();
    this.#restoreValues();
    this.#putIn(ports);
    return { editor: this.#editor, diagnostics: this.#diagnostics, cellsLeft };
  }

  *#changesAsLeft(): Generator<Change> {
    const subjects = new Map(this.#subjects.map((subject) => [subject.name, subject]));
    for (const changed of this.#meaning.changed) {
      const subject = subjects.get(subjectName(changed));
      for (const [name, before, after] of changesOf(changed)) {
        const property = subject?.properties.find((each) => each.name === name);
        // A device that was left without an address has got one from libvirt.
        const isAsLeft = property?.value === after || (name === 'address' && after === NONE);
        if (subject && property && isAsLeft) yield { name, before, property, subject };
      }
    }
  }

  #takeOut(): void {
    const { controllers, hostDevices, iommus } = this.#domain;
    const { added } = this.#meaning;
    for (const { element, alias } of controllers.filter((c) => this.#leaving.has(c))) {
      take(this.#editor, element);
      if (alias !== undefined && isOurAlias(alias)) takeReserve(this.#editor, this.#domain, alias);
    }
    for (const { element, index, alias } of this.#staying) {
      const named = element.child('alias');
      // Whoever is on such a port needs it from now on, not vsmmu.
      if (named && isOurAlias(alias) && this.#inUse.has(index)) take(this.#editor, named);
    }
    for (const { element, pciBus } of iommus) {
      if (pciBus !== undefined && this.#leavingIommus.has(pciBus) && isRestorable(element)) take(this.#editor, element);
    }
    const groupMembers = new Set<string>(added.hostdevs?.split(' '));
    for (const { bdf, element } of hostDevices) {
      if (groupMembers.has(bdf) && isCompanion(element)) take(this.#editor, element);
    }
    const root = controllers.find((c) => c.index === ROOT_BUS)?.element;
    const hadNoHole = this.#changes.some(({ name, before }) => name === 'pcihole64' && before === NONE);
    const isOwn = root && listed(added.controllers).has(ROOT_BUS) && isBareRoot(root);
    if (isOwn && (hadNoHole || root.children.length === 0)) take(this.#editor, root);
  }

  /** Takes out cells from the highest number down, as far as they are vsmmu's: libvirt 12.8 takes no gap in the numbers. */
  #takeCells(): readonly number[] {
    const added = listed(this.#meaning.added.cells);
    const { cells } = this.#domain.numa;
    const going = new Set<number>();
    for (const { id, element } of cells.toReversed()) {
      if (!element || !added.has(id) || !isManagedCell(element)) break;
      going.add(id);
      take(this.#editor, element);
    }
    for (const { id, element } of going.size > 0 ? cells : []) {
      const distances = element?.child('distances');
      if (!element || !distances || going.has(id)) continue;
      for (const sibling of distances.childrenNamed('sibling')) {
        if (going.has(Number(sibling.attribute('id')))) take(this.#editor, sibling);
      }
      this.#editor.whenEmpty(distances, 'remove');
      this.#editor.whenEmpty(element, 'close');
    }
    const cpu = this.#domain.document.root.child('cpu');
    const numa = cpu?.child('numa');
    if (cpu && numa && going.size > 0) {
      const own = this.#meaning.added.elements?.split(' ') ?? [];
      for (const element of [numa, cpu])
        this.#editor.whenEmpty(element, own.includes(element.name) ? 'remove' : 'close');
    }
    return cells.flatMap(({ id }) => (added.has(id) && !going.has(id) ? [id] : []));
  }

  /** Gives devices their addresses and reports those that lose theirs; returns the ports that are needed then. */
  #move(): NewElement[] {
    const { relayout = false } = this.#options;
    const isOther = ({ occupant }: Move) => relayout && !('bdf' in occupant);
    const staying = afterMoves(this.#domain, this.#leaving, this.#moves, this.#returning);
    const present = new Set<number>(staying.controllers.map((c) => c.index));
    const freed = [...this.#buses].filter((index) => !present.has(index));
    const ports = planRootPorts(staying, freed, this.#moves.filter(isOther).length, relayout);
    const rest = [...ports];
    const addresses = new Map(
      this.#subjects.map(({ element, properties }) => [element, properties.find(({ name }) => name === 'address')]),
    );
    for (const move of this.#moves) {
      const { element, address, location } = move.occupant;
      const bus = isOther(move) ? rest.shift()?.controllerIndex : undefined;
      const at = bus === undefined ? undefined : ({ bus, slot: 0, function: 0 } as GuestAddress);
      addresses.get(element)?.write(this.#editor, at ? formatAddress(at, false) : move.to);
      const was = address ? ` ${formatGuestAddress(address)}` : '';
      if (at) {
        const message = `<${element.name}> moves from${was} to ${formatGuestAddress(at)}, off an expander bus that goes`;
        this.#diagnostics.push(diagnostic('relayout-moved', message, { location }));
      } else if (!move.isFormer && !relayout) {
        const message = `<${element.name}> loses its address${was}: libvirt chooses a new one`;
        this.#diagnostics.push(diagnostic('address-dropped', message, { location }));
      }
    }
    if (ports.length > 0 && !relayout) {
      const list = ports.map((port) => port.controllerIndex).join(', ');
      const message = `plain root ports take the indexes ${list}, since controllers with higher ones stay`;
      this.#diagnostics.push(diagnostic('revert-port-left', message));
    }
    return ports.map(pciePort);
  }

  #restoreValues(): void {
    const gone = new Set([...this.#leaving].map((c) => c.element));
    // The namespace comes last, when it is known what uses it.
    const inOrder = this.#changes.toSorted((a, b) => Number(a.name === 'namespace') - Number(b.name === 'namespace'));
    const { root } = this.#domain.document;
    const metadata = root.child('metadata');
    for (const { name, before, property, subject } of inOrder) {
      if (name !== 'address' && !gone.has(subject.element)) property.write(this.#editor, before);
    }
    const records = metadata?.children.filter((e) => e.namespace === NAMESPACE) ?? [];
    for (const element of records) this.#editor.remove(element);
    if (metadata && records.length > 0) this.#editor.whenEmpty(metadata, 'remove');
  }

  /** Puts in ports, and the controllers and SMMUs that come back, where libvirt 12.8 prints them. */
  #putIn(ports: readonly NewElement[]): void {
    const { devicesElement } = this.#domain;
    const byIndex = this.#staying.toSorted((a, b) => a.index - b.index);
    const indexOf = (e: NewElement) => Number(e.attributes?.find(([name]) => name === 'index')?.[1]);
    const added = [...ports, ...this.#returning.controllers.map((c) => asNew(c.element))];
    for (const element of added.sort((a, b) => indexOf(a) - indexOf(b))) {
      const below = byIndex.findLast((c) => c.index < indexOf(element));
      insert(this.#editor, devicesElement, element, (below ?? this.#staying.at(-1))?.element);
    }
    for (const { element } of this.#returning.iommus) insert(this.#editor, devicesElement, asNew(element));
  }
}
