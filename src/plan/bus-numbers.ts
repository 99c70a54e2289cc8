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

/** The bus numbers that `pcie.0` needs, by consumer. */
export interface RootDemand {
  /** Ports and expander buses below `pcie.0`, including new ones. */
  readonly buses: number;
  /** Root ports that libvirt will add: for devices without an address, and for gaps in the controller indexes. */
  readonly addedByLibvirt: number;
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
  for (let width = window === 'auto' ? DEFAULT_WINDOW : window; ; width--) {
    const numbers = assignWindows(tree, requests, root, width);
    if (numbers.fits || window !== 'auto' || width === 0) return numbers;
  }
}

/**
 * Returns how many bus numbers an expander bus has left for new ports. An expander bus without a `busNr`, for which libvirt
 * chooses one, has room for one port in total.
 */
export function freeBusNumbersOf({ index, busNr }: PciController, tree: PciTree): number {
  const below = tree.busesBelow(index).length;
  if (busNr === undefined) return Math.max(0, UNNUMBERED_WINDOW - 1 - below);
  const above = tree.expanders.flatMap((other) =>
    other.busNr !== undefined && other.busNr > busNr ? other.busNr : [],
  );
  return Math.max(0, Math.min(BUS_NUMBERS, ...above) - busNr - 1 - below);
}

function assignWindows(tree: PciTree, requests: readonly WindowRequest[], root: RootDemand, width: number): BusNumbers {
  const requested = new Set(requests.map((r) => r.controllerIndex));
  const others = tree.expanders.filter(({ index }) => !requested.has(index));
  const all: readonly WindowRequest[] = [
    ...requests,
    ...others.map(({ index }) => ({
      controllerIndex: index,
      consumer: `the expander bus ${index}`,
      needed: 1 + tree.busesBelow(index).length,
    })),
  ];
  const present = all.flatMap((request) => {
    const controller = request.controllerIndex && tree.controller(request.controllerIndex);
    return controller ? [{ request, controller }] : [];
  });
  const windows = new Map<WindowRequest, Window>();
  const diagnostics: Diagnostic[] = [];
  const lowest = () => Math.min(BUS_NUMBERS, ...[...windows.values()].map(({ busNr }) => busNr));

  for (const { request, controller } of present) {
    const { busNr, location } = controller;
    if (busNr === undefined) continue;
    const { consumer, needed } = request;
    const above = present.flatMap(({ controller: other }) => (other === controller ? [] : (other.busNr ?? [])));
    const end = Math.min(BUS_NUMBERS, ...above.filter((other) => other >= busNr));
    const isTooSmall = busNr + needed > end;
    if (isTooSmall) diagnostics.push(busWindowTooSmall.numbered({ consumer, busNr, end, needed, location }));
    // Keep the numbers above free for ports that are added later.
    const isWidened = !isTooSmall && requested.has(controller.index);
    windows.set(request, { busNr, count: isWidened ? Math.max(needed, Math.min(width, end - busNr)) : needed });
  }

  const fresh = requests.filter((r) => r.controllerIndex === undefined);
  for (const request of fresh.toReversed()) {
    const window = highestGap([...windows.values()], Math.max(request.needed, width));
    if (window) windows.set(request, window);
  }

  const unnumbered = present.filter(({ controller }) => controller.busNr === undefined);
  for (const { request, controller } of unnumbered.sort((a, b) => a.controller.index - b.controller.index)) {
    const start = lowest() - UNNUMBERED_WINDOW;
    if (start >= 1) windows.set(request, { busNr: busNumber(start), count: UNNUMBERED_WINDOW });
    const { consumer, needed } = request;
    if (needed <= UNNUMBERED_WINDOW) continue;
    const { location } = controller;
    diagnostics.push(busWindowTooSmall.unnumbered({ consumer, window: UNNUMBERED_WINDOW, needed, location }));
  }

  const ledger: readonly LedgerEntry[] = [
    { consumer: 'pcie.0 itself', count: 1 },
    { consumer: 'ports and expander buses below pcie.0', count: root.buses },
    { consumer: 'root ports that libvirt will add', count: root.addedByLibvirt },
    { consumer: 'in reserve', count: RESERVE },
    ...all.map((request) => ({
      consumer: request.consumer,
      count: windows.get(request)?.count ?? Math.max(request.needed, width),
    })),
  ].filter((entry) => entry.count > 0);
  const below = 1 + root.buses + root.addedByLibvirt + (fresh.length > 0 ? RESERVE : 0);
  const fits = windows.size === all.length && below <= lowest();
  return { windows, lowest: lowest(), ledger, fits, diagnostics };
}

/** Returns the highest free range with this number of bus numbers that begins with a valid `busNr`. */
function highestGap(taken: readonly Window[], count: number): Window | undefined {
  let end = BUS_NUMBERS;
  const root: Window = { busNr: busNumber(0), count: 1 };
  for (const below of [...taken, root].sort((a, b) => b.busNr - a.busNr)) {
    const start = Math.min(end - count, MAX_BUS_NR);
    if (start >= below.busNr + below.count) return { busNr: busNumber(start), count };
    end = Math.min(end, below.busNr);
  }
  return undefined;
}
