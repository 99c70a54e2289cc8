import type { Bdf } from '../domain/address.js';
import { groupBy } from '../group-by.js';
import type { Policy } from '../policy/policy.js';
import type { Budget, Saving } from './budgets.js';
import type { SlotMove } from './slots.js';

/** Plans with another policy and, if requested, with all functions of a host device in one guest slot; returns the budgets. */
export type Trial = (policy: Policy, mergeFunctions: boolean) => readonly Budget[];

/** Returns the changes that may save resources, each with the budgets that would result. */
export function findSavings(policy: Policy, moves: readonly SlotMove[], trial: Trial): readonly Saving[] {
  const savings: Saving[] = [];
  const tryPolicy = (how: string, change: Partial<Policy>) => {
    savings.push({ how, budgets: trial({ ...policy, ...change }, false) });
  };
  /** Tries lower numbers, and adds the highest one that is enough, or else the lowest. */
  const fewer = (option: string, given: number, lowest: number, change: (n: number) => Partial<Policy>) => {
    for (let n = given - 1; n >= lowest; n--) {
      const saving = { how: `${option} ${n}`, budgets: trial({ ...policy, ...change(n) }, false) };
      if (n > lowest && saving.budgets.some(({ fits }) => !fits)) continue;
      savings.push(saving);
      return;
    }
  };
  fewer('--spare-ports', policy.sparePorts, 0, (sparePorts) => ({ sparePorts }));
  if (policy.busWindow !== 'auto') fewer('--bus-window', policy.busWindow, 0, (busWindow) => ({ busWindow }));
  if (policy.grouping === 'device') tryPolicy('--grouping smmu', { grouping: 'smmu' });
  if (policy.expanderBuses === 'all') tryPolicy('--expander-buses used', { expanderBuses: 'used' });
  if (policy.mirrorSwitches) tryPolicy('no --mirror-switches', { mirrorSwitches: false });
  const shared = functionsApart(moves);
  if (shared.length > 0) {
    const names = shared.map((host) => `${host}.*`).join(', ');
    savings.push({ how: `one guest slot for the functions of each of ${names}`, budgets: trial(policy, true) });
  }
  return savings;
}

/** Returns the host slot of a function: `0000:31:10` of `0000:31:10.2`. */
function hostSlot(bdf: Bdf): string {
  return bdf.slice(0, -2);
}

/** Returns host devices with several functions that go to one expander bus, each in its own slot. */
function functionsApart(moves: readonly SlotMove[]): readonly string[] {
  return [...mergeable(moves).entries()].filter(([, same]) => same.length > 1).map(([key]) => key.split(' ')[1] ?? '');
}

/** Groups single functions that go to an expander bus by its SMMU and by host slot. */
function mergeable(moves: readonly SlotMove[]): ReadonlyMap<string, readonly SlotMove[]> {
  const single = moves.filter(({ smmu, functions }) => smmu !== undefined && functions.length === 1);
  return groupBy(single, ({ smmu, functions: [only] }) => `${smmu} ${only && hostSlot(only.device.bdf)}`);
}

/** Returns the moves with all functions of a host device in one slot, as if the domain had them there. */
export function mergeFunctions(moves: readonly SlotMove[]): readonly SlotMove[] {
  const groups = [...mergeable(moves).values()];
  const merged = new Set(groups.flat());
  return [
    ...moves.filter((move) => !merged.has(move)),
    ...groups.map((same) => ({
      smmu: same[0]?.smmu,
      functions: same
        .flatMap((move) => move.functions)
        .map((each, i) => ({ ...each, function: i, multifunction: i === 0 && same.length > 1 })),
    })),
  ];
}
