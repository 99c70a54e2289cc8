import { slotOf } from '../domain/address.js';
import { groupBy } from '../group-by.js';
import type { Policy } from '../policy/policy.js';
import type { Budget, Saving } from './budgets.js';
import type { SlotMove } from './slots.js';

/** Plans with another policy or other moves, and returns the budgets. */
export type Trial = (policy: Policy, moves: readonly SlotMove[]) => readonly Budget[];

/** Returns the changes that may save resources, each with the budgets that would result. */
export function findSavings(policy: Policy, moves: readonly SlotMove[], trial: Trial): readonly Saving[] {
  const withPolicy = (change: string, keys: Partial<Policy>): Saving => ({
    change,
    budgets: trial({ ...policy, ...keys }, moves),
  });
  /** Returns the saving of the highest number below the present one that suffices, or else of 0. */
  const fewer = (option: string, key: 'sparePorts' | 'busWindow'): Saving[] => {
    const given = policy[key];
    for (let n = given === 'auto' ? -1 : given - 1; n >= 0; n--) {
      const saving = withPolicy(`${option} ${n}`, { [key]: n });
      if (n === 0 || saving.budgets.every(({ fits }) => fits)) return [saving];
    }
    return [];
  };
  const { merged, slots } = mergeFunctions(moves);
  const perHostSlot = `one guest slot per host slot (${slots.map((slot) => `${slot}.*`).join(', ')})`;
  return [
    ...fewer('--spare-ports', 'sparePorts'),
    ...fewer('--bus-window', 'busWindow'),
    ...(policy.grouping === 'device' ? [withPolicy('--grouping smmu', { grouping: 'smmu' })] : []),
    ...(policy.expanderBuses === 'all' ? [withPolicy('--expander-buses used', { expanderBuses: 'used' })] : []),
    ...(policy.mirrorSwitches ? [withPolicy('no --mirror-switches', { mirrorSwitches: false })] : []),
    ...(slots.length > 0 ? [{ change: perHostSlot, budgets: trial(policy, merged) }] : []),
  ];
}

/**
 * Returns the moves as they would be if the domain had all functions of a host slot in one guest slot, and the host slots
 * (`0000:31:10`) for which this makes a difference.
 */
function mergeFunctions(moves: readonly SlotMove[]): {
  readonly merged: readonly SlotMove[];
  readonly slots: string[];
} {
  const hostSlot = ({ functions: [only] }: SlotMove) => (only ? slotOf(only.device.bdf) : '');
  const single = moves.filter(({ functions }) => functions.length === 1);
  const groups = [...groupBy(single, (move) => `${move.smmu} ${hostSlot(move)}`).values()];
  const merged = groups.map((same) => ({
    smmu: same[0]?.smmu,
    functions: same
      .flatMap((move) => move.functions)
      .map((each, i) => ({ ...each, function: i, multifunction: i === 0 && same.length > 1 })),
  }));
  return {
    merged: [...moves.filter(({ functions }) => functions.length > 1), ...merged],
    slots: groups.filter((same) => same.length > 1).flatMap(([first]) => (first ? [hostSlot(first)] : [])),
  };
}
