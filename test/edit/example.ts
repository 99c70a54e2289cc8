import { parseDomain } from '../../src/domain/domain.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY, type Policy } from '../../src/plan/policy.js';
import { hostWith } from '../plan/example.js';

/** Four host devices: two behind the first SMMU, one behind the second, one behind none. */
export const host = hostWith(2, { 1: { smmu: 0 }, 2: { smmu: 1 }, 3: { smmu: 0 }, 4: { smmu: null } });

/** A domain that may be rewritten, with these elements below its `pcie-root`. */
export const domain = (...devices: string[]): string => `<domain type='kvm'>
  <name>vm</name>
  <os><type arch='aarch64' machine='virt'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <controller type='pci' index='0' model='pcie-root'/>
    ${devices.join('\n    ')}
  </devices>
</domain>
`;

/** What rewriting it for that host gives. */
export function rewritten(xml: string, policy: Partial<Policy> = {}): string {
  const read = parseDomain(xml);
  return rewrite(read, plan(read, host, { ...DEFAULT_POLICY, ...policy }).plan);
}
