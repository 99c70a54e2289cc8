import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { busWindowTooSmall } from '../diagnostics/expander-buses.js';
import { type BusNumber, busNumber, type ControllerIndex } from '../domain/address.js';
import { MAX_BUS_NR, type PciController } from '../domain/controller.js';
import type { PciTree } from '../domain/pci-tree.js';
import type { LedgerEntry } from '../generated/plan.js';

/** How many PCI bus numbers a guest has: 0 to 255. */
export const BUS_NUMBERS = 256;

/** Bus numbers kept free below the lowest expander bus, for root ports that libvirt or a user adds later. */
const RESERVE = 4;

/** If an expander bus has no `busNr`, libvirt 12.8 uses the lowest bus number in use minus 2. */
const UNNUMBERED_WINDOW = 2;

/** The bus numbers that an expander bus needs. */
export interface WindowRequest {
  /** The existing expander bus, which keeps its number; undefined for a new one. */
  readonly controllerIndex: ControllerIndex | undefined;
  /** The name of the consumer in the ledger, as in `the expander bus of smmu3.0x…`. */
  readonly consumer: string;
  /** How many bus numbers it needs for itself and everything that will be below it. */
  readonly needed: number;
}

/** The widest default window of an expander bus: itself and eight ports, as in the examples of QEMU's arm-smmuv3 series. */
const DEFAULT_WINDOW = 9;

/** A range of bus numbers. The first one belongs to the expander bus itself. */
export interface Window {
  readonly busNr: BusNumber;
  readonly count: number;
}

type Writable<T> = { -readonly [key in keyof T]: T[key] };

/** The bus numbers that `pcie.0` needs, by consumer. */
export interface RootDemand {
  /** Ports and expander buses below `pcie.0`, including new ones. */
  readonly buses: number;
  /** Root ports that libvirt will add: for devices without an address, and for gaps in the controller indexes. */
  readonly libvirt: number;
}

/** The bus numbers of all expander buses, with the ledger. */
export interface BusNumbers {
  /** The window of each request. A request for which no window was found has no entry. */
  readonly windows: ReadonlyMap<WindowRequest, Window>;
  /** The lowest bus number of all windows. `pcie.0` has the numbers below it. */
  readonly lowest: number;
  readonly ledger: readonly LedgerEntry[];
  /** Whether the bus numbers suffice. */
  readonly fits: boolean;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Gives each new expander bus the highest free window, the last request first, and checks that enough numbers are left below
 * the windows for `pcie.0`. Nothing checks this later: a guest whose bus numbers collide panics (QEMU 11.1).
 * @param window the minimum number of bus numbers for each expander bus; `auto`: as many as fit, up to a default
 */
export function assignBusNumbers(
  tree: PciTree,
  requests: readonly WindowRequest[],
  root: RootDemand,
  window: number | 'auto' = 0,
): BusNumbers {
  if (window !== 'auto') return assignWindows(tree, requests, root, window);
  for (let width = DEFAULT_WINDOW; width > 0; width--) {
    const numbers = assignWindows(tree, requests, root, width);
    if (numbers.fits) return numbers;
  }
  return assignWindows(tree, requests, root, 0);
}

/**
 * Returns how many more bus numbers an expander bus has room for. If libvirt chooses its `busNr`, it
 * has room for one port in total.
 */
export function roomAbove({ index, busNr }: PciController, tree: PciTree): number {
  const below = tree.busesBelow(index).length;
  if (busNr === undefined) return Math.max(0, UNNUMBERED_WINDOW - 1 - below);
  const above = tree.expanders.flatMap((other) =>
    other.busNr !== undefined && other.busNr > busNr ? other.busNr : [],
  );
  return Math.max(0, Math.min(BUS_NUMBERS, ...above) - busNr - 1 - below);
}

function assignWindows(tree: PciTree, requests: readonly WindowRequest[], root: RootDemand, width: number): BusNumbers {
  const requested = new Set(requests.map((r) => r.controllerIndex));
  const others = tree.expanders
    .filter((c) => !requested.has(c.index))
    .map((c) => ({
      controllerIndex: c.index,
      consumer: `the expander bus ${c.index}`,
      needed: 1 + tree.busesBelow(c.index).length,
    }));
  const placeOf = ({ controllerIndex }: WindowRequest) => controllerIndex && tree.controller(controllerIndex)?.location;
  const diagnostics: Diagnostic[] = [];
  const taken: Writable<Window>[] = [];
  const kept = new Map<WindowRequest, Writable<Window>>();
  const unnumbered: WindowRequest[] = [];
  for (const request of [...requests, ...others]) {
    if (request.controllerIndex === undefined) continue;
    const busNr = tree.controller(request.controllerIndex)?.busNr;
    if (busNr === undefined) {
      unnumbered.push(request);
      continue;
    }
    const window = { busNr, count: request.needed };
    kept.set(request, window);
    taken.push(window);
  }
  for (const [request, window] of kept) {
    const { busNr, count } = window;
    const above = taken.filter((other) => other !== window && other.busNr >= busNr);
    const limit = Math.min(BUS_NUMBERS, ...above.map((other) => other.busNr));
    if (busNr + count <= limit) {
      // Keep the numbers above free for ports that are added later.
      if (requested.has(request.controllerIndex)) window.count = Math.max(count, Math.min(width, limit - busNr));
      continue;
    }
    const { consumer } = request;
    const location = placeOf(request);
    diagnostics.push(busWindowTooSmall.numbered({ consumer, busNr, end: limit, needed: count, location }));
  }

  const windows = new Map<WindowRequest, Window>(kept);
  let exhausted = false;
  const fresh = requests.filter((r) => r.controllerIndex === undefined);
  for (const request of [...fresh].reverse()) {
    const count = Math.max(request.needed, width);
    const window = highestGap(taken, count);
    if (window) {
      taken.push(window);
      windows.set(request, window);
    } else exhausted = true;
  }

  const lowest = () => Math.min(BUS_NUMBERS, ...taken.map((w) => w.busNr));
  for (const request of unnumbered.sort((a, b) => (a.controllerIndex ?? 0) - (b.controllerIndex ?? 0))) {
    const busNr = lowest() - UNNUMBERED_WINDOW;
    if (busNr < 1) exhausted = true;
    else {
      const window = { busNr: busNumber(busNr), count: UNNUMBERED_WINDOW };
      taken.push(window);
      windows.set(request, window);
    }
    if (request.needed > UNNUMBERED_WINDOW) {
      const { consumer, needed } = request;
      const location = placeOf(request);
      diagnostics.push(busWindowTooSmall.unnumbered({ consumer, window: UNNUMBERED_WINDOW, needed, location }));
    }
  }

  const ledger: LedgerEntry[] = [
    { consumer: 'pcie.0 itself', count: 1 },
    { consumer: 'ports and expander buses below pcie.0', count: root.buses },
    { consumer: 'root ports that libvirt will add', count: root.libvirt },
    { consumer: 'in reserve', count: RESERVE },
    ...[...requests, ...others].map((r) => ({
      consumer: r.consumer,
      count: windows.get(r)?.count ?? Math.max(r.needed, width),
    })),
  ].filter((entry) => entry.count > 0);
  const below = 1 + root.buses + root.libvirt + (fresh.length > 0 ? RESERVE : 0);
  const fits = !exhausted && below <= lowest();
  return { windows, lowest: lowest(), ledger, fits, diagnostics };
}

/** Returns the highest free range with this number of bus numbers that begins with a valid `busNr`. */
function highestGap(taken: readonly Window[], count: number): Window | undefined {
  let end = BUS_NUMBERS;
  for (const { busNr, count: size } of [...taken].sort((a, b) => b.busNr - a.busNr)) {
    const start = Math.min(end - count, MAX_BUS_NR);
    if (start >= busNr + size) return { busNr: busNumber(start), count };
    end = Math.min(end, busNr);
  }
  const start = Math.min(end - count, MAX_BUS_NR);
  return start >= 1 ? { busNr: busNumber(start), count } : undefined;
}
