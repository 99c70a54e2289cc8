import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { DiagnosedError } from '../../src/diagnostics/errors.js';
import type { Bdf } from '../../src/domain/address.js';
import { parseDomain } from '../../src/domain/domain.js';
import type { Bar, PciDevice, SmmuFeatures } from '../../src/generated/topology.js';
import { Host } from '../../src/host/host.js';
import { type Planned, type PlanOptions, plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';

/** A host device for a test. By default it is alone in its IOMMU group, behind the first SMMU. */
export interface DeviceSpec {
  readonly bdf: string;
  readonly smmu?: number | null;
  readonly group?: number | null;
  readonly driver?: string | null;
  readonly parent?: string;
  readonly class?: string;
  readonly bridge?: boolean;
  readonly bars?: readonly Bar[];
  readonly directRegions?: string[];
}

export const smmuName = (n: number): string => `smmu3.0x${(0x10000000 + n * 0x1000000).toString(16).padStart(16, '0')}`;

/** A host with this number of SMMUs and these devices. */
export function hostOf(smmus: number, devices: readonly DeviceSpec[], features?: SmmuFeatures): Host {
  return new Host({
    version: 1,
    smmus: Array.from({ length: smmus }, (_, n) => ({ name: smmuName(n), node: null, ...(features && { features }) })),
    devices: devices.map((spec, n): PciDevice => {
      const { bdf, smmu = 0, group = n, driver = 'vfio-pci', bridge = false } = spec;
      return {
        bdf: bdf as Bdf,
        vendor: '0x8086',
        device: '0x1572',
        class: spec.class ?? (bridge ? '0x060400' : '0x020000'),
        driver,
        vfio: driver?.includes('vfio') ?? false,
        bridge,
        smmu: smmu === null ? null : smmuName(smmu),
        group,
        node: null,
        parent: (spec.parent ?? null) as Bdf | null,
        physfn: null,
        bars: [...(spec.bars ?? [])],
        ...(spec.directRegions && { directRegions: spec.directRegions }),
      };
    }),
    nodes: [],
  });
}

/** A 64-bit prefetchable BAR of this size in bytes. */
export function bar64(size: number): Bar {
  return { index: 0, size, kind: 'memory', bits: 64, prefetchable: true };
}

/** The `<hostdev>` of a host device; `inner` goes before its `<source>`, `after` goes after it. */
export function hostdev(bdf: string, inner = '', after = ''): string {
  const [, domain, bus, slot, func] = /^(\w+):(\w+):(\w+)\.(\d)$/.exec(bdf) ?? [];
  return `    <hostdev mode='subsystem' type='pci' managed='yes'>
${inner === '' ? '' : `      ${inner}\n`}      <source>
        <address domain='0x${domain}' bus='0x${bus}' slot='0x${slot}' function='0x${func}'/>
      </source>
${after === '' ? '' : `      ${after}\n`}    </hostdev>
`;
}

/** A domain with these elements in its `<devices>`, and these before `<os>`. */
export function domainXml(devices: string, head = ''): string {
  return `<domain type='kvm'>
  <name>test</name>
  <memory unit='KiB'>4194304</memory>
${head}  <os>
    <type arch='aarch64' machine='virt'>hvm</type>
  </os>
  <features>
    <acpi/>
  </features>
  <devices>
    <controller type='pci' index='0' model='pcie-root'/>
${devices}  </devices>
</domain>
`;
}

/** A plan, or the diagnostics that refuse it. */
export function tryPlan(
  xml: string,
  host: Host,
  policy: Partial<Policy> = {},
  options: PlanOptions = {},
): Planned | readonly Diagnostic[] {
  try {
    return plan(parseDomain(xml), host, { ...DEFAULT_POLICY, ...policy }, options);
  } catch (error) {
    if (error instanceof DiagnosedError) return error.diagnostics;
    throw error;
  }
}

/** The errors that refuse a plan. */
export function refusals(
  xml: string,
  host: Host,
  policy: Partial<Policy> = {},
  options: PlanOptions = {},
): readonly Diagnostic[] {
  const result = tryPlan(xml, host, policy, options);
  return 'plan' in result ? [] : result.filter(({ severity }) => severity === 'error');
}

/** The plan for a domain; throws if it is refused. */
export function planned(xml: string, host: Host, policy: Partial<Policy> = {}, options: PlanOptions = {}): Planned {
  const result = tryPlan(xml, host, policy, options);
  if ('plan' in result) return result;
  throw new Error(`refused: ${result.map(({ message }) => message).join('; ')}`);
}
