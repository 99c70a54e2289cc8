import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { controllerIndexesExhausted, type ExhaustedDefinition, slotsExhausted } from '../diagnostics/expander-buses.js';
import { MAX_CONTROLLER_INDEX, MAX_SLOT } from '../domain/controller.js';
import { type PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import type { LedgerEntry } from '../generated/plan.js';
import { slotsForRootPorts } from './allocate.js';
import type { PortPlan } from './ports.js';

/** A limited resource with its consumers. */
export interface Budget {
  /** The error to report if the resource does not suffice. */
  readonly exhausted: ExhaustedDefinition;
  /** The name of the resource, in the plural, as in `PCI bus numbers`. It is the same in every plan. */
  readonly resource: string;
  readonly limit: number;
  readonly ledger: readonly LedgerEntry[];
  /**
   * Whether the resource suffices. Bus numbers may run out although their sum is below the limit: an
   * expander bus needs a contiguous range.
   */
  readonly fits: boolean;
}

/** A change to the policy or the domain, and the budgets that would result. */
export interface Saving {
  /** The name of the change, as in `--spare-ports 0`. */
  readonly change: string;
  readonly budgets: readonly Budget[];
}

/** Returns the sum of a ledger. */
function sumOf(ledger: readonly LedgerEntry[]): number {
  return ledger.reduce((total, { count }) => total + count, 0);
}

/** Returns a budget that suffices if its sum does not exceed the limit. */
export function budget(
  exhausted: ExhaustedDefinition,
  resource: string,
  limit: number,
  entries: readonly (readonly [consumer: string, count: number])[],
): Budget {
  const ledger = entries.filter(([, count]) => count > 0).map(([consumer, count]) => ({ consumer, count }));
  return { exhausted, resource, limit, ledger, fits: sumOf(ledger) <= limit };
}

/** Returns the budgets of controller indexes, of the slots of `pcie.0` and of the slots of each expander bus. */
export function portBudgets(tree: PciTree, { expanderBuses, rootPorts, rootDemand }: PortPlan): readonly Budget[] {
  const fresh = expanderBuses.filter(({ existing }) => existing === undefined).length;
  const newPorts = expanderBuses.flatMap(({ ports }) => ports.filter((port) => !port.kept));
  return [
    budget(controllerIndexesExhausted, 'PCI controller indexes', MAX_CONTROLLER_INDEX, [
      ['up to the highest in use', tree.highestIndex],
      ['new expander buses', fresh],
      ['new ports on expander buses', newPorts.length],
      ['new root ports on pcie.0', rootPorts.length],
      // Gaps in the indexes are already counted under `up to the highest in use`.
      ['root ports that libvirt will add', rootDemand.addedByLibvirt - tree.gaps],
    ]),
    budget(slotsExhausted, 'slots of pcie.0', MAX_SLOT, [
      ['in use', tree.takenSlots(ROOT_BUS).size],
      ['new expander buses', fresh],
      ['new root ports', slotsForRootPorts(rootPorts.length)],
      ['root ports that libvirt will add', slotsForRootPorts(rootDemand.addedByLibvirt)],
    ]),
    ...expanderBuses.map(({ smmu, existing, controllerIndex }) =>
      budget(slotsExhausted, `slots of an expander bus of ${smmu}`, MAX_SLOT + 1, [
        ['in use', existing ? tree.takenSlots(controllerIndex).size : 0],
        ['new ports', newPorts.filter(({ address }) => address.bus === controllerIndex).length],
      ]),
    ),
  ];
}

/** Returns an error for each budget that does not suffice, with its sum, its consumers and the savings that would help. */
export function overruns(budgets: readonly Budget[], savings: () => readonly Saving[]): readonly Diagnostic[] {
  const over = budgets.filter((each) => !each.fits);
  if (over.length === 0) return [];
  const known = savings();
  return over.map((each) => {
    const { exhausted, resource, limit, ledger } = each;
    return exhausted({ what: resource, limit, ledger, sum: sumOf(ledger), savings: savingsFor(each, known) });
  });
}

/** Returns how much each saving saves of a budget, and whether that saving alone makes every budget suffice. */
function savingsFor(over: Budget, savings: readonly Saving[]) {
  return savings.flatMap(({ change, budgets }) => {
    // With another grouping, an SMMU may have several expander buses: the fullest one counts.
    const same = budgets.filter(({ resource }) => resource === over.resource);
    const saved = sumOf(over.ledger) - Math.max(0, ...same.map(({ ledger }) => sumOf(ledger)));
    return saved > 0 ? [{ how: change, saved, isEnough: budgets.every(({ fits }) => fits) }] : [];
  });
}
