import { type Diagnostic, diagnostic, InputError } from '../../diagnostics.js';
import { formatGuestAddress, type GuestAddress } from '../../domain/address.js';
import type { PciController } from '../../domain/controller.js';
import { type Domain, readDomain } from '../../domain/domain.js';
import { formatNodeset, parseNodeset } from '../../domain/numa.js';
import { type Occupant, ROOT_BUS } from '../../domain/pci-tree.js';
import type { Changed } from '../../generated/metadata.js';
import type { Port } from '../../generated/plan.js';
import { isOurAlias } from '../../plan/alias.js';
import { planRootPorts } from '../../plan/root-ports.js';
import type { XmlElement } from '../../xml/document.js';
import type { NewElement, XmlEditor } from '../../xml/editor.js';
import { printElement } from '../../xml/print.js';
import { pciePort } from '../elements.js';
import { isBareRoot, isCompanion, isManagedCell, isRestorable } from './managed.js';
import {
  formatAddress,
  NONE,
  type Property,
  parseAddress,
  quoteOf,
  type Subject,
  subjectsOf,
  take,
  takeReserve,
} from './properties.js';
import { asNew, type Meaning, NAMESPACE } from './record.js';

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

/** Numbers of a list of the record. */
export function listed(numbers: string | undefined): ReadonlySet<number> {
  return new Set(parseNodeset(numbers ?? '') ?? []);
}

/** What a change of the record is about, as `Subject` names it. */
export function subjectName(changed: Changed): string {
  const kind = (['device', 'guest', 'controller', 'iommu', 'cell'] as const).find(
    (name) => changed[name] !== undefined,
  );
  return kind ? `${kind} ${changed[kind]}` : 'domain';
}

/** The values of a change: each property with its value before and after. */
export function changesOf({ device, guest, controller, iommu, cell, ...values }: Changed): [string, string, string][] {
  return Object.entries(values).map(([name, text]) => {
    const at = text.indexOf(' to ');
    return [name, text.slice(0, at), text.slice(at + ' to '.length)];
  });
}

/** A change of the record that is still as vsmmu left it. */
interface Change {
  readonly name: string;
  readonly before: string;
  readonly property: Property;
  readonly subject: Subject;
}

/** A guest address that becomes another, or none. */
interface Move {
  readonly occupant: Occupant;
  readonly to: string;
  /** Whether it is what the device had before. */
  readonly isFormer: boolean;
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
  readonly #buses: ReadonlySet<number>;
  /** Controllers and SMMUs that come back. */
  #returning: Pick<Domain, 'controllers' | 'iommus'>;

  constructor(domain: Domain, meaning: Meaning, options: RestoreOptions) {
    this.#domain = domain;
    this.#meaning = meaning;
    this.#options = options;
    this.#editor = domain.document.edit();
    this.#subjects = subjectsOf(domain);
    this.#changes = [...this.#changesAsLeft()];
    const added = listed(meaning.added.controllers);
    const leaving = domain.controllers.filter(
      ({ index, alias, element }) =>
        index !== ROOT_BUS &&
        added.has(index) &&
        isRestorable(element) &&
        (options.anyAlias || alias === undefined || isOurAlias(alias)),
    );
    this.#leaving = new Set(leaving);
    this.#staying = domain.controllers.filter((c) => !this.#leaving.has(c));
    this.#buses = new Set(leaving.map((c) => c.index));
    this.#returning = this.#readReturning();
  }

  restore(): Restored {
    const moves = this.#decideAddresses();
    this.#takeOut();
    const cellsLeft = this.#takeCells();
    const ports = this.#move(moves);
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

  #readReturning(): Pick<Domain, 'controllers' | 'iommus'> {
    const { removed } = this.#meaning;
    const none = { controllers: [], iommus: [] };
    if (removed.length === 0) return none;
    try {
      const devices: NewElement = { name: 'devices', children: removed };
      const { controllers, iommus } = readDomain(printElement({ name: 'domain', children: [devices] }, '"', undefined));
      const elements = [...controllers, ...iommus].map((each) => each.element);
      if (elements.length === removed.length && elements.every(isRestorable)) return { controllers, iommus };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
    const message = 'the record in <metadata> would put in elements that vsmmu never takes out; they are ignored';
    this.#diagnostics.push(diagnostic('metadata-invalid', message));
    return none;
  }

  #decideAddresses(): Move[] {
    const { controllers, hostDevices, otherDevices } = this.#domain;
    const addresses = this.#changes.filter(({ name }) => name === 'address');
    const former = new Map(addresses.map(({ subject, before }) => [subject.element, before]));
    const moves: Move[] = [];
    const taken = new Set<string>();
    for (const occupant of [...controllers, ...hostDevices, ...otherDevices]) {
      if (this.#leaving.has(occupant)) continue;
      const before = former.get(occupant.element);
      const isBehind = occupant.address && this.#buses.has(occupant.address.bus);
      if (before !== undefined) moves.push({ occupant, to: before, isFormer: true });
      else if (isBehind) moves.push({ occupant, to: NONE, isFormer: false });
      else if (occupant.address) taken.add(formatGuestAddress(occupant.address));
    }
    const buses = new Set<number>([ROOT_BUS, ...this.#staying.map((c) => c.index)]);
    this.#admitReturning(taken, buses);
    return moves.map((move) => {
      const to = parseAddress(move.to);
      if (!to) return move;
      const at = formatGuestAddress(to);
      if (taken.has(at) || !buses.has(to.bus)) return { ...move, to: NONE, isFormer: false };
      taken.add(at);
      return move;
    });
  }

  /** Lets controllers come back all together, or none where something else has an index or a place of theirs. */
  #admitReturning(taken: Set<string>, buses: Set<number>): void {
    const { controllers, iommus } = this.#returning;
    const indexes = new Set([...buses, ...controllers.map((c) => c.index)]);
    const places = controllers.flatMap(({ address }) => (address ? [formatGuestAddress(address)] : []));
    const isBlocked =
      indexes.size < buses.size + controllers.length ||
      new Set(places).size < places.length ||
      places.some((at) => taken.has(at)) ||
      controllers.some(({ address }) => address && !indexes.has(address.bus));
    const own = new Set(controllers.map((c) => c.index));
    if (isBlocked) {
      const list = formatNodeset([...own]);
      const message = `the expander buses and ports made by hand (controllers ${list}) are not put back: something else has an index or a place of theirs`;
      this.#diagnostics.push(diagnostic('bridge-not-restored', message));
    } else {
      for (const index of own) buses.add(index);
      for (const at of places) taken.add(at);
    }
    const present = new Set(
      this.#domain.iommus.flatMap(({ pciBus = ROOT_BUS }) => (this.#isLeavingIommu(pciBus) ? [] : [pciBus])),
    );
    this.#returning = {
      controllers: isBlocked ? [] : controllers,
      iommus: iommus.filter(({ pciBus = ROOT_BUS }) => buses.has(pciBus) && !present.has(pciBus)),
    };
  }

  #isLeavingIommu(bus: number): boolean {
    return this.#buses.has(bus) || listed(this.#meaning.added.iommus).has(bus);
  }

  #takeOut(): void {
    const { controllers, hostDevices, iommus } = this.#domain;
    const { added } = this.#meaning;
    for (const { element, alias } of controllers.filter((c) => this.#leaving.has(c))) {
      take(this.#editor, element);
      if (alias !== undefined && isOurAlias(alias)) takeReserve(this.#editor, this.#domain, alias);
    }
    for (const { element, pciBus } of iommus) {
      if (pciBus !== undefined && this.#isLeavingIommu(pciBus) && isRestorable(element)) take(this.#editor, element);
    }
    const companions = new Set<string>(added.hostdevs?.split(' '));
    for (const { bdf, element } of hostDevices) {
      if (companions.has(bdf) && isCompanion(element)) take(this.#editor, element);
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
  #move(moves: readonly Move[]): NewElement[] {
    const { relayout = false } = this.#options;
    const isOther = ({ occupant }: Move) => relayout && !('bdf' in occupant);
    const ports = this.#planPorts(moves, moves.filter(isOther).length);
    const rest = [...ports];
    const addresses = new Map(
      this.#subjects.map(({ element, properties }) => [element, properties.find(({ name }) => name === 'address')]),
    );
    for (const move of moves) {
      const { element, address, place } = move.occupant;
      const bus = isOther(move) ? rest.shift()?.controllerIndex : undefined;
      const at = bus === undefined ? undefined : ({ bus, slot: 0, function: 0 } as GuestAddress);
      addresses.get(element)?.write(this.#editor, at ? formatAddress(at, false) : move.to);
      const was = address ? ` ${formatGuestAddress(address)}` : '';
      if (at) {
        const message = `<${element.name}> moves from${was} to ${formatGuestAddress(at)}, off an expander bus that goes`;
        this.#diagnostics.push(diagnostic('relayout-moved', message, { place }));
      } else if (!move.isFormer && !relayout) {
        const message = `<${element.name}> loses its address${was}: libvirt chooses a new one`;
        this.#diagnostics.push(diagnostic('address-dropped', message, { place }));
      }
    }
    if (ports.length > 0 && !relayout) {
      const list = ports.map((port) => port.controllerIndex).join(', ');
      const message = `plain root ports take the indexes ${list}, since controllers with higher ones stay`;
      this.#diagnostics.push(diagnostic('revert-port-left', message));
    }
    return ports.map(pciePort);
  }

  #planPorts(moves: readonly Move[], devices: number): readonly Port[] {
    const targets = new Map(moves.map(({ occupant, to }) => [occupant, parseAddress(to)]));
    const moved = <T extends Occupant>(occupant: T): T =>
      targets.has(occupant) ? { ...occupant, address: targets.get(occupant) } : occupant;
    const { hostDevices, otherDevices } = this.#domain;
    const staying: Domain = {
      ...this.#domain,
      controllers: [...this.#staying.map(moved), ...this.#returning.controllers],
      hostDevices: hostDevices.map(moved),
      otherDevices: otherDevices.map(moved),
    };
    const present = new Set<number>(staying.controllers.map((c) => c.index));
    const freed = [...this.#buses].filter((index) => !present.has(index));
    return planRootPorts(staying, freed, devices, this.#options.relayout ?? false);
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
    const byIndex = this.#staying.toSorted((a, b) => a.index - b.index);
    const indexOf = (e: NewElement) => Number(e.attributes?.find(([name]) => name === 'index')?.[1]);
    const added = [...ports, ...this.#returning.controllers.map((c) => asNew(c.element))];
    for (const element of added.sort((a, b) => indexOf(a) - indexOf(b))) {
      const below = byIndex.findLast((c) => c.index < indexOf(element));
      this.#insert((below ?? this.#staying.at(-1))?.element, undefined, element);
    }
    const children = this.#domain.devicesElement?.children ?? [];
    const next = children.find(({ name }) => ['vsock', 'crypto', 'pstore'].includes(name));
    for (const { element } of this.#returning.iommus) {
      this.#insert(
        children.findLast(({ name }) => name === 'iommu'),
        next,
        asNew(element),
      );
    }
  }

  #insert(last: XmlElement | undefined, next: XmlElement | undefined, element: NewElement): void {
    const { devicesElement, document } = this.#domain;
    const quoted = { ...element, quote: quoteOf(document) };
    if (last) this.#editor.insertAfter(last, quoted);
    else if (next) this.#editor.insertBefore(next, quoted);
    else if (devicesElement) this.#editor.append(devicesElement, quoted);
  }
}
