import { type Diagnostic, diagnostic } from '../diagnostics.js';
import { formatGuestAddress } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import { type Occupant, ROOT_BUS } from '../domain/pci-tree.js';
import type { ChangedElement, DomainRecord, RemovedElement } from '../generated/metadata.js';
import type { XmlElement } from '../xml/document.js';
import { Cuts } from './cuts.js';
import { HandMade, indexOf, nameOf } from './hand-made.js';
import { below, find, ROOT_PATH } from './path.js';
import { type Fate, fatesOfAddresses, isSame } from './places.js';
import { type Form, formOf, printedAttribute, printedElement } from './print-form.js';

/** A domain's text without what we did, and what there is to say about it. */
export interface Undone {
  readonly xml: string;
  /** Controller indexes that are no more, below others that somebody uses and did not use before. */
  readonly freed: readonly number[];
  readonly diagnostics: readonly Diagnostic[];
}

const NOTHING: DomainRecord = { digest: '', changed: [], removed: [], replaced: [] };

/**
 * Takes out of a domain what is ours and puts back what was there.
 * @param elements of our namespace in `<metadata>`, which go
 * @param taken further controllers that are to go, with their IOMMUs, whoever made them
 */
export function undo(
  domain: Domain,
  record: DomainRecord | undefined,
  elements: readonly XmlElement[],
  taken: readonly XmlElement[],
): Undone {
  return new Undoing(domain, record ?? NOTHING, elements, taken).undo();
}

class Undoing {
  readonly #domain: Domain;
  readonly #record: DomainRecord;
  readonly #records: readonly XmlElement[];
  readonly #root: XmlElement;
  readonly #cuts: Cuts;
  readonly #form: Form;
  readonly #leaving: Set<XmlElement>;
  readonly #buses: Set<number>;
  readonly #handMade: HandMade;
  readonly #diagnostics: Diagnostic[] = [];
  /** Whether the bridges made by hand cannot come back. */
  #isBlocked = false;
  #highest = 0;

  constructor(domain: Domain, record: DomainRecord, records: readonly XmlElement[], taken: readonly XmlElement[]) {
    this.#domain = domain;
    this.#record = record;
    this.#records = records;
    this.#root = domain.document.root;
    this.#cuts = new Cuts(domain.document);
    this.#form = formOf(domain.document, record.digest);
    this.#handMade = new HandMade(this.#root, record);
    this.#leaving = new Set([...taken, ...this.#added()]);
    const leaving = domain.controllers.filter((c) => this.#leaving.has(c.element) && c.index !== ROOT_BUS);
    this.#buses = new Set(leaving.map((c) => c.index));
    for (const { pciBus, element } of domain.iommus) {
      if (pciBus !== undefined && this.#buses.has(pciBus)) this.#leaving.add(element);
    }
  }

  undo(): Undone {
    for (const element of this.#leaving) this.#cuts.takeOut(element);
    this.#undoAddresses();
    for (const each of this.#record.changed) this.#undoChanges(each);
    this.#closeMetadata();
    for (const { element: path, added, tail } of this.#record.changed) {
      const element = find(this.#root, path);
      // <devices> was never empty: what is ours there was put beside something, which somebody has taken out since.
      if (!element || path === 'devices' || (added.length === 0 && tail === undefined)) continue;
      this.#cuts.close(element, this.#form === 'libvirt' ? undefined : tail);
    }
    const root = this.#domain.controllers.find((c) => c.index === ROOT_BUS)?.element;
    if (root && this.#form === 'libvirt' && this.#record.changed.some((e) => e.added.includes('controller[0]'))) {
      this.#cuts.close(root, undefined);
    }
    // Comes last: a stretch that is overwritten takes what was put at its end with it.
    this.#putBack();
    return {
      xml: this.#cuts.toString(),
      freed: [...this.#buses].filter((index) => index < this.#highest),
      diagnostics: this.#diagnostics,
    };
  }

  /** What we added and is to go as a whole: not `<metadata>` with something else in it, nor a driver that got more. */
  #added(): XmlElement[] {
    return this.#record.changed.flatMap(({ element: path, added }) =>
      added.flatMap((step) => {
        const element = find(this.#root, below(path, step));
        // Addresses have fates of their own.
        const stays = !element || /^(metadata$|address)/.test(step) || (step === 'driver' && this.#isShared(element));
        return stays ? [] : [element];
      }),
    );
  }

  /** Whether a driver that we added has got something that we do not write. */
  #isShared(driver: XmlElement): boolean {
    return driver.children.length > 0 || driver.attributes.some(({ name }) => name !== 'iommufd' && name !== 'pciBus');
  }

  #undoAddresses(): void {
    const changes = new Map(this.#changedAddresses());
    const given = new Set(
      this.#record.changed.flatMap(({ element: path, added }) => {
        const written = added.find((step) => step.startsWith('address['));
        const present = written === undefined ? undefined : find(this.#root, below(path, written));
        return present?.parent ? [present.parent] : [];
      }),
    );
    const { addresses, buses } = this.#handMade;
    const controllers = this.#domain.controllers.filter((c) => !this.#leaving.has(c.element));
    const decide = (replaced: Iterable<XmlElement>, lost: ReadonlySet<number>) =>
      fatesOfAddresses(this.#domain, this.#leaving, this.#buses, changes, new Set([...given, ...replaced]), lost);
    let fates = decide(addresses.keys(), new Set());
    this.#isBlocked = this.#handMade.isBlocked(controllers, fates);
    if (this.#isBlocked) {
      fates = decide([], buses);
      const message = `the bridges made by hand (controllers ${[...buses].join(', ')}) are not put back: something else has an index or a place of theirs`;
      this.#diagnostics.push(diagnostic('bridge-not-restored', message));
    }
    const staying = [...fates].flatMap(([{ address }, fate]) => (address && fate === 'stays' ? [address.bus] : []));
    this.#highest = Math.max(0, ...staying, ...controllers.map((c) => c.index));
    for (const [occupant, fate] of fates) {
      this.#undoAddress(occupant, fate, changes.get(occupant.element), given.has(occupant.element));
    }
  }

  #changedAddresses(): [XmlElement, ChangedElement['attributes']][] {
    return this.#record.changed.flatMap(({ element: path, attributes }) => {
      const element = find(this.#root, path);
      const isAddress = Object.keys(attributes).some((key) => key.startsWith('address.'));
      return element && isAddress ? [[element, attributes] as [XmlElement, ChangedElement['attributes']]] : [];
    });
  }

  #undoAddress(
    { element, address, place }: Occupant,
    fate: Fate,
    changes: ChangedElement['attributes'] = {},
    isGiven: boolean,
  ): void {
    const written = element.child('address');
    if (!written || fate === 'stays') return;
    const original = this.#isBlocked ? undefined : this.#handMade.addresses.get(element);
    if (original && this.#form !== 'as-left') {
      this.#cuts.put(written, this.#printed(original.text, element).trim());
      return;
    }
    if (fate === 'dropped') {
      this.#cuts.takeOut(written);
      if (isGiven || original || !address) return;
      this.#diagnostics.push(
        diagnostic(
          'address-dropped',
          `<${element.name}> loses its address ${formatGuestAddress(address)}: libvirt chooses a new one`,
          { place },
        ),
      );
      return;
    }
    const parts = Object.entries(changes).flatMap(([key, change]) => {
      const [child, name = ''] = key.split('.');
      return child === 'address' && change ? [{ name, was: this.#writing('address', name, change.was) }] : [];
    });
    // All zero is libvirt's word for none, which it then does not print.
    const isNone =
      this.#form === 'libvirt' &&
      ['bus', 'slot', 'function'].every((name) => {
        const raw = parts.find((part) => part.name === name)?.was ?? written.attribute(name) ?? '0';
        return Number(raw) === 0;
      });
    if (isNone) this.#cuts.takeOut(written);
    else for (const { name, was } of parts) this.#cuts.setRaw(written, name, was);
  }

  #writing(element: string, name: string, was: string | null): string | null {
    return this.#form === 'libvirt' ? printedAttribute(element, name, was) : was;
  }

  #undoChanges({ element: path, added, attributes, lost }: ChangedElement): void {
    const element = find(this.#root, path);
    if (!element || this.#cuts.isGone(element)) return;
    for (const [key, change] of Object.entries(attributes)) {
      const [child = '', name = ''] = key.split(/\.(.*)/s);
      if (child === 'address' || !change) continue;
      const target = child === 'self' ? element : element.child(child);
      if (name.startsWith('xmlns:') && this.#uses(name.slice('xmlns:'.length), this.#root)) continue;
      if (target && isSame(target.attribute(name), change.now)) {
        this.#cuts.setRaw(target, name, this.#writing(child, name, change.was));
      }
    }
    const [, child = '', after = '', text = ''] = /^(\w+)\/(\w*)(.*)$/s.exec(lost ?? '') ?? [];
    const loser = element.child(child);
    if (loser) this.#cuts.putAttribute(loser, after, this.#form === 'libvirt' ? text.replaceAll('"', "'") : text);
    const driver = added.includes('driver') ? element.child('driver') : undefined;
    if (driver) for (const name of ['iommufd', 'pciBus']) this.#cuts.setRaw(driver, name, null);
  }

  /** Whether something that stays has a prefix in its name. */
  #uses(prefix: string, element: XmlElement): boolean {
    if (this.#cuts.isGone(element)) return false;
    const names = [element.name, ...element.attributes.map((a) => a.name)];
    return names.some((n) => n.startsWith(`${prefix}:`)) || element.children.some((e) => this.#uses(prefix, e));
  }

  #putBack(): void {
    for (const removed of this.#returning()) {
      const { from, after, gap, text } = removed;
      const parent = find(this.#root, from);
      if (!parent) continue;
      const previous = this.#controllerBefore(removed) ?? (after === null ? undefined : this.#neighbour(parent, after));
      if (this.#form === 'as-left') this.#cuts.putAfter({ parent, after: previous }, gap, text);
      else this.#cuts.putAfter({ parent, after: previous }, 0, this.#printed(text, parent));
    }
    for (const { element: path, was, now } of this.#record.replaced) {
      const element = find(this.#root, path);
      if (!element || element.text.trim() !== now) continue;
      this.#cuts.put(element, this.#form === 'libvirt' ? printedElement(was, this.#cuts.indentOf(element)) : was);
    }
  }

  /** What was taken out and comes back. */
  #returning(): readonly RemovedElement[] {
    const { removed } = this.#record;
    if (this.#form === 'as-left') return removed;
    const { addresses } = this.#handMade;
    const returning = removed.filter((each) => {
      if (this.#isBlocked && this.#handMade.isOf(each)) return false;
      // An address that took the place of another is there already.
      const parent = find(this.#root, each.from);
      return nameOf(each) !== 'address' || (parent && addresses.has(parent) && !parent.child('address'));
    });
    return returning.sort((a, b) => (indexOf(a) ?? 0) - (indexOf(b) ?? 0));
  }

  /** What something comes after that is no PCI controller; libvirt sorts the SMMUs, so that only one of them tells. */
  #neighbour(parent: XmlElement, after: string): XmlElement | undefined {
    const isSorted = this.#form === 'libvirt' && parent.name === 'devices' && !after.startsWith('devices/iommu');
    return (isSorted ? undefined : find(this.#root, after)) ?? lastBefore(parent);
  }

  /** What a PCI controller comes after where libvirt has sorted them: the one with the next lower index. */
  #controllerBefore(removed: RemovedElement): XmlElement | undefined {
    const index = this.#form === 'as-left' ? undefined : indexOf(removed);
    if (index === undefined) return undefined;
    const below = this.#domain.controllers.filter((c) => c.index < index && !this.#leaving.has(c.element));
    return below.sort((a, b) => b.index - a.index)[0]?.element;
  }

  /** An element on a line of its own in another, as libvirt would have printed it or as it was. */
  #printed(text: string, parent: XmlElement): string {
    const indent = `${this.#cuts.indentOf(parent)}  `;
    if (this.#form === 'libvirt') return `\n${indent}${printedElement(text, indent)}`;
    return /^\s/.test(text) ? text.trimEnd() : `\n${indent}${text.trim()}`;
  }

  /** Our elements go from `<metadata>`, and that too where we made it and nobody has put anything else in. */
  #closeMetadata(): void {
    const metadata = this.#root.child('metadata');
    if (!metadata || this.#records.length === 0) return;
    for (const element of this.#records) this.#cuts.takeOut(element);
    const { changed } = this.#record;
    const isOurs = changed.some((each) => each.element === ROOT_PATH && each.added.includes('metadata'));
    if (isOurs && this.#cuts.isEmpty(metadata)) this.#cuts.takeOut(metadata);
    else if (!changed.some((each) => each.element === 'metadata')) this.#cuts.close(metadata, undefined);
  }
}

/** What an `<iommu>` comes after where its neighbour is no more: all but other ones, and what libvirt 12.8 prints behind them. */
function lastBefore(devices: XmlElement): XmlElement | undefined {
  return devices.children.findLast(({ name }) => !['iommu', 'vsock', 'crypto', 'pstore'].includes(name));
}
