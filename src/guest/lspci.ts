import { addressOf, formatBdf, hex } from '../domain/address.js';
import { EXPANDER_MODELS } from '../domain/controller.js';
import type { Domain } from '../domain/domain.js';
import { groupBy } from '../group-by.js';
import { classInWords } from '../host/class-names.js';
import type { Host } from '../host/host.js';
import type { GuestFunction, GuestView } from './predict.js';

/** The maximum width of a line with a label, in characters. */
const WIDTH = 80;

/** A function of the guest as it is drawn. */
interface Drawn {
  /** Slot and function: `00.0`. */
  readonly place: string;
  readonly label: string;
  /** The number of the bus below it; null if there is none. */
  readonly bus: number | null;
}

/**
 * Draws the guest's PCI tree as `lspci -tv` in the guest will draw it (pciutils 3.14). In place of lspci's device names, it
 * shows the origin of each function: the host device, or the element of the domain.
 * @param domain the domain that the view was made from
 * @param host provides the classes of the host devices
 */
export function drawTree(view: GuestView, domain: Domain, host: Host): string {
  return new Tree(view, labelsOf(domain, host)).draw();
}

/** Returns a function that gives each PCI function its label. */
function labelsOf(domain: Domain, host: Host): (each: GuestFunction) => string {
  const expanders = new Map(
    domain.controllers.flatMap(({ model, address, index }) =>
      EXPANDER_MODELS.has(model) && address ? [[formatBdf({ domain: 0, ...address }), index] as const] : [],
    ),
  );
  return ({ address, element, host: bdf }) => {
    const index = expanders.get(address);
    if (index !== undefined) return `PCIe Expander bridge (${index})`;
    const device = bdf && host.device(bdf);
    return bdf === null ? `<${element}>` : `host ${bdf}${device ? `, ${classInWords(device.class)}` : ''}`;
  };
}

class Tree {
  readonly #lines: string[] = [];
  readonly #buses: ReadonlyMap<number, readonly Drawn[]>;

  constructor({ functions }: GuestView, labelOf: (each: GuestFunction) => string) {
    // QEMU's own host bridge, which is not in the domain.
    const host = { on: 0, place: '00.0', label: 'QEMU PCIe Host bridge', bus: null };
    const drawn = functions.map((each) => ({
      on: addressOf(each.address).bus,
      place: each.address.slice(8),
      label: labelOf(each),
      bus: each.bus,
    }));
    this.#buses = groupBy([host, ...drawn], ({ on }) => on);
  }

  draw(): string {
    const made = new Set([...this.#buses.values()].flat().map(({ bus }) => bus));
    const roots = [...this.#buses.keys()].filter((bus) => !made.has(bus)).sort((a, b) => a - b);
    const names = roots.map((bus) => `[0000:${hex(bus)}]-`);
    if (roots.length === 1) this.#drawBus(0, `-${names[0]}`);
    else {
      for (const [i, bus] of roots.entries()) this.#drawBus(bus, `-${i < roots.length - 1 ? '+' : '\\'}-${names[i]}`);
    }
    return this.#lines.join('');
  }

  /** @param before the line so far; its branches that have more functions continue as | on the next lines */
  #drawBus(bus: number, before: string): void {
    const functions = this.#buses.get(bus) ?? [];
    if (functions.length === 0) this.#end(before);
    else if (functions.length === 1 && functions[0]) this.#drawFunction(functions[0], `${before}--`);
    else {
      let line = before;
      for (const [i, each] of functions.entries()) {
        this.#drawFunction(each, `${line}${i < functions.length - 1 ? '+' : '\\'}-`);
        line = below(before);
      }
    }
  }

  #drawFunction({ place, label, bus }: Drawn, before: string): void {
    if (bus === null) {
      const line = `${before}${place}  ${label}`;
      // Below switches, a line can be too long. Then only the address is printed.
      this.#end(line.length <= WIDTH ? line : `${before}${place}  ${label.replace(/^host |, .*$/g, '')}`);
      return;
    }
    const last = this.#lastBelow(bus);
    const range = last === bus ? hex(bus) : `${hex(bus)}-${hex(last)}`;
    this.#drawBus(bus, `${before}${place}-[${range}]--`);
  }

  /** Returns the highest bus below a bus; the bus itself if there is none. */
  #lastBelow(bus: number): number {
    const made = (this.#buses.get(bus) ?? []).flatMap((each) => (each.bus === null ? [] : [this.#lastBelow(each.bus)]));
    return Math.max(bus, ...made);
  }

  #end(line: string): void {
    // Only the first line begins with a dash.
    this.#lines.push(`${this.#lines.length === 0 ? line : line.replace(/^-/, ' ')}\n`);
  }
}

/** Returns the beginning of the next line: a bar below each branch that continues, else spaces. */
function below(line: string): string {
  return line.replace(/[^+|]/g, ' ').replaceAll('+', '|');
}
