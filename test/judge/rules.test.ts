import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Topology } from '../../src/generated/topology.js';
import { DEFAULT_POLICY } from '../../src/policy/policy.js';
import { REPOSITORY } from '../cli/run.js';
import { guestOf } from './reader.js';
import { RULES } from './rules.js';

const read = (file: string) => readFileSync(join(REPOSITORY, 'samples', file), 'utf8');

/** The rules that a sample breaks. */
function broken(kind: string, name: string): string[] {
  const xml = read(`${kind}/${name}.xml`);
  const host: Topology = JSON.parse(read(/samples\/(hosts\/\S+\.json)/.exec(xml)?.[1] ?? ''));
  const view = { guest: guestOf(xml), host, policy: DEFAULT_POLICY };
  return Object.entries(RULES).flatMap(([rule, find]) => (find(view).length > 0 ? [rule] : []));
}

describe("the judge's rules", () => {
  it.each([
    ['bus-window-too-small', 'busNumbers'],
    ['bus-window-too-small-root', 'busNumbers'],
    ['chassis-duplicate', 'controllers'],
    ['chassis-duplicate-implied', 'controllers'],
    ['controller-index-order', 'controllers'],
    ['device-behind-other-smmu', 'oneSmmuPerBus'],
    ['device-on-expander-bus', 'addresses'],
    ['device-without-iommufd', 'iommufd'],
    ['emulated-behind-vsmmu', 'devicesStay'],
    ['expander-bus-misplaced', 'controllers'],
    ['group-behind-vsmmu', 'devicesStay'],
    ['guest-address-duplicate', 'addresses'],
    ['initiator-cell-missing', 'cells'],
    ['iommu-conflict-same-bus', 'smmus'],
    ['numa-cell-missing', 'cells'],
    ['pcihole64-invalid', 'hole'],
    ['slot-invalid', 'addresses'],
    ['slot-without-function-zero', 'addresses'],
    ['vsmmu-value-beyond-host', 'smmus'],
    ['vsmmus-exhausted', 'smmus'],
  ])('find the error in %s', (name, rule) => {
    expect(broken('broken', name)).toContain(rule);
    expect(broken('mended', name)).not.toContain(rule);
  });
});
