import { busNumbersExhausted, vsmmusExhausted } from '../diagnostics/expander-buses.js';
import { MAX_VSMMUS } from '../domain/iommu.js';
import type { PciTree } from '../domain/pci-tree.js';
import type { LedgerEntry, Plan } from '../generated/plan.js';
import { type Budget, budget, overruns, portBudgets, type Saving } from './budgets.js';
import { assignBusNumbers, BUS_NUMBERS, type Window, type WindowRequest } from './bus-numbers.js';
import { type CurrentTopology, requestExpanderBuses } from './expander-buses.js';
import { type ExpanderBusLayout, type PortDemand, type PortPlan, PortPlanner } from './ports.js';
import { findSavings } from './savings.js';
import type { PlanContext, StageResult } from './stage.js';

/** An expander bus with its bus numbers. */
export interface NumberedExpanderBus extends ExpanderBusLayout {
  readonly window: Window;
}

/** The additions to a domain before numbers are assigned. */
export interface Demand extends PortDemand {
  readonly current: CurrentTopology;
  readonly machineIommu: Plan['machineIommu'];
}

/** The ports and expander buses with all their numbers. */
export interface Numbers extends StageResult {
  readonly ports: PortPlan;
  /** The expander buses that have bus numbers. An error reports those that have none. */
  readonly expanderBuses: readonly NumberedExpanderBus[];
  readonly ledger: readonly LedgerEntry[];
}

/** Numbers, with the budget of every limited resource. */
interface Attempt extends Omit<Numbers, 'changes'> {
  readonly budgets: readonly Budget[];
}

/**
 * Assigns places and numbers to all additions. Adds guard ports on `pcie.0` for the ports behind vSMMUs, if there is room.
 * Reports every resource that does not suffice, with possible savings.
 */
export function planNumbers(context: PlanContext, demand: Demand): Numbers {
  const guarded = attempt(context, demand, true);
  const chosen = guarded.budgets.every(({ fits }) => fits) ? guarded : attempt(context, demand, false);
  const over = overruns(chosen.budgets, () => savingsOf(context, demand));
  return { ...chosen, diagnostics: [...chosen.diagnostics, ...over], changes: chosen.ports.changes };
}

function attempt(context: PlanContext, demand: Demand, guarded: boolean): Attempt {
  const { tree, policy } = context;
  const ports = new PortPlanner(context, demand).plan(guarded);
  const requests = new Map(ports.expanderBuses.map((expanderBus) => [expanderBus, windowRequest(expanderBus, tree)]));
  const numbers = assignBusNumbers(tree, [...requests.values()], ports.rootDemand, policy.busWindow);
  const { ledger, fits } = numbers;
  return {
    ports,
    expanderBuses: [...requests].flatMap(([expanderBus, request]) => {
      const window = numbers.windows.get(request);
      return window ? [{ ...expanderBus, window }] : [];
    }),
    ledger,
    budgets: [
      { exhausted: busNumbersExhausted, resource: 'PCI bus numbers', limit: BUS_NUMBERS, ledger, fits },
      ...portBudgets(tree, ports),
      vsmmuBudget(demand),
    ],
    diagnostics: [...ports.diagnostics, ...numbers.diagnostics],
  };
}

function windowRequest({ existing, smmu, ports }: ExpanderBusLayout, tree: PciTree): WindowRequest {
  const kept = existing?.controller.index;
  const below = kept === undefined ? 0 : tree.busesBelow(kept).length;
  const needed = 1 + below + ports.filter((port) => !port.kept).length;
  return { controllerIndex: kept, consumer: `the expander bus of ${smmu}`, needed };
}

/** Returns the budget of vSMMUs, which QEMU limits. */
function vsmmuBudget({ requests, current, machineIommu }: Demand): Budget {
  const requested = new Set(requests.map(({ existing }) => existing?.controller.index));
  const others = [...current.expanderBuses.values()].filter(
    ({ iommu, controller }) => iommu && !requested.has(controller.index),
  );
  return budget(vsmmusExhausted.planned, 'vSMMUs', MAX_VSMMUS, [
    ['for expander buses', requests.filter(({ vsmmu }) => vsmmu).length],
    ['for unknown SMMUs', others.length],
    ['for pcie.0', current.rootIommu && machineIommu !== 'drop' ? 1 : 0],
  ]);
}

/** Returns what other policies would save, found by planning with each of them. */
function savingsOf(context: PlanContext, demand: Demand): readonly Saving[] {
  const { slots, current } = demand;
  return findSavings(context.policy, slots.moves, (policy, moves) => {
    // Large default windows take all free numbers and would hide the savings.
    const busWindow = policy.busWindow === 'auto' ? 0 : policy.busWindow;
    const tried = { ...context, policy: { ...policy, busWindow } };
    const moved = { ...slots, moves };
    return attempt(tried, { ...demand, ...requestExpanderBuses(tried, current, moved), slots: moved }, false).budgets;
  });
}
