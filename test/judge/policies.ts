import type { Bdf } from '../../src/domain/address.js';
import type { Topology } from '../../src/generated/topology.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import type { Random } from './random.js';

/** Returns a random policy; most keys usually keep their defaults. */
export function randomPolicy(random: Random, host: Topology): Policy {
  const own: Partial<Policy> = {};
  const maybe = (probability: number, set: () => Partial<Policy>) => {
    if (random.chance(probability)) Object.assign(own, set());
  };
  const endpoints = host.devices.filter(({ bridge }) => !bridge).map(({ bdf }) => bdf as Bdf);
  const least = (name: 'oas' | 'ssidsize', usual: number) =>
    Math.min(...host.smmus.map(({ features }) => features?.[name] ?? usual));
  const values = () => ({
    ats: 'off' as const,
    ril: 'off' as const,
    cmdqv: 'off' as const,
    oas: least('oas', 48) as 44 | 48,
    ssidsize: least('ssidsize', 20),
  });
  maybe(0.2, () => ({ grouping: 'device' }));
  maybe(0.1, () => ({ expanderBuses: 'all', ...values() }));
  maybe(0.1, values);
  maybe(0.2, () => ({ sparePorts: random.int(1, 2) }));
  maybe(0.1, () => ({ busWindow: 9 }));
  maybe(0.15, () => ({ bypass: random.some(endpoints, random.int(0, 2)) }));
  maybe(0.05, () => ({ groupMates: 'error' }));
  maybe(0.15, () => ({ completeGroups: true }));
  maybe(0.15, () => ({ iommufd: 'domain' }));
  maybe(0.15, () => ({ mirrorSwitches: true }));
  maybe(0.3, () => ({ numa: 'create' }));
  maybe(0.1, () => ({ initiators: 'none' }));
  maybe(0.05, () => ({ profile: 'none' }));
  maybe(0.1, () => ({ relayout: true }));
  maybe(0.1, () => ({ romBar: 'off', ras: 'on' }));
  maybe(0.1, () => ({ hugePages: random.pick(['on', '2M', '1G'] as const) }));
  return { ...DEFAULT_POLICY, ...own };
}
