import type { Diagnostic } from '../../src/diagnostics/diagnostic.js';
import { RefusedError } from '../../src/diagnostics/errors.js';
import type { Bdf } from '../../src/domain/address.js';
import { parseDomain } from '../../src/domain/domain.js';
import { parseNodeset } from '../../src/domain/numa.js';
import { rewrite } from '../../src/edit/rewrite.js';
import type { NumaNode, PciDevice } from '../../src/generated/topology.js';
import { Host } from '../../src/host/host.js';
import { type Planned, plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { pciDevice } from './devices.js';

/** A NUMA node of a small host. */
export interface NodeSpec {
  readonly cpus?: string;
  /** Whether it is the node of a Generic Initiator. */
  readonly initiator?: boolean;
  /** The device that the host links to the node of a Generic Initiator. */
  readonly device?: string;
  /** Whether it has memory; by default true, except for the node of a Generic Initiator. */
  readonly memory?: boolean;
}

/** A host with devices by address, each behind its own SMMU. */
export function hostOf(
  devices: Readonly<Record<string, Partial<PciDevice>>>,
  nodes: readonly NodeSpec[],
  distance: (from: number, to: number) => number = (from, to) => (from === to ? 10 : 40),
): Host {
  const names = Object.keys(devices).map((_, i) => `smmu3.0x${(i + 1).toString(16).padStart(16, '0')}`);
  return new Host({
    version: 1,
    addressBits: 48,
    smmus: names.map((name) => ({ name, node: null })),
    devices: Object.entries(devices).map(([bdf, given], i) =>
      pciDevice({ bdf: bdf as Bdf, smmu: names[i] ?? null, group: i, ...given }),
    ),
    nodes: nodes.map(
      ({ cpus = '', initiator = false, device, memory = !initiator }, id): NumaNode => ({
        id,
        cpus,
        memory,
        initiator,
        device: (device ?? null) as Bdf | null,
        distances: nodes.map((_, to) => distance(id, to)),
      }),
    ),
  });
}

/** A domain with these host devices; `content` stands before `<devices>`. */
export function domainOf(devices: readonly string[], content = '', controllers = ''): string {
  const hostdevs = devices.map((bdf) => {
    const [domain, bus, slot, fn] = bdf.split(/[:.]/);
    const address = `<address domain='0x${domain}' bus='0x${bus}' slot='0x${slot}' function='${fn}'/>`;
    return `    <hostdev mode='subsystem' type='pci'>\n      <source>${address}</source>\n    </hostdev>\n`;
  });
  return `<domain type='kvm'>
  ${content}
  <os><type arch='aarch64' machine='virt'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <controller type='pci' index='0' model='pcie-root'/>
${controllers}${hostdevs.join('')}  </devices>
</domain>
`;
}

/** The plan and the rewritten domain. */
export interface Outcome extends Planned {
  readonly xml: string;
}

/** Plans and rewrites a domain. */
export function planAndRewrite(xml: string, host: Host, policy: Partial<Policy> = {}): Outcome {
  const domain = parseDomain(xml);
  const planned = plan(domain, host, { ...DEFAULT_POLICY, ...policy });
  return { ...planned, xml: rewrite(domain, planned.plan) };
}

/** The errors for which a domain is refused; empty if it is accepted. */
export function refusals(xml: string, host: Host, policy: Partial<Policy> = {}): readonly Diagnostic[] {
  try {
    planAndRewrite(xml, host, policy);
    return [];
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return error.diagnostics.filter((d) => d.severity === 'error');
  }
}

/** A list of numbers in libvirt's form. */
export const list = (text: string | null | undefined): readonly number[] => parseNodeset(text ?? '') ?? [];
