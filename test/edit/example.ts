import { parseDomain } from '../../src/domain/domain.js';
import { parseNumber } from '../../src/domain/number.js';
import { rewrite } from '../../src/edit/rewrite.js';
import { plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { parseXml, type XmlElement } from '../../src/xml/document.js';
import { hostWith } from '../plan/example.js';

/** Four host devices: two behind the first SMMU, one behind the second, one behind none. */
export const host = hostWith(2, { 1: { smmu: 0 }, 2: { smmu: 1 }, 3: { smmu: 0 }, 4: { smmu: null } });

/** A domain that vsmmu can rewrite, with these elements after its `pcie-root`. */
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

/**
 * Returns the meaning of a domain, one line per element: without white space, with the numbers of addresses as libvirt writes them,
 * and devices of one kind together, as libvirt sorts them.
 */
export function meaning(xml: string): string[] {
  const lines = (element: XmlElement, depth: number): string[] => {
    const children = element.name === 'devices' ? element.children.toSorted(byName) : element.children;
    const text = element.text.trim();
    return [
      `${' '.repeat(depth)}<${[element.name, ...attributes(element), text].join(' ').trim()}`,
      ...children.flatMap((child) => lines(child, depth + 1)),
    ];
  };
  return lines(parseXml(xml).root, 0);
}

const byName = (a: XmlElement, b: XmlElement): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);

function attributes({ name, attributes: given }: XmlElement): string[] {
  const values = new Map(given.map((a) => [a.name, a.value]));
  if (name !== 'address' || values.get('type') !== 'pci') return given.map((a) => `${a.name}=${a.value}`);
  const number = (part: string) => parseNumber(values.get(part) ?? '0');
  const parts = ['domain', 'bus', 'slot', 'function'].map((part) => `${part}=${number(part)}`);
  return [...parts, values.get('multifunction') ?? ''];
}

/** Returns the domain rewritten for `host`. */
export function rewritten(xml: string, policy: Partial<Policy> = {}): string {
  const read = parseDomain(xml);
  return rewrite(read, plan(read, host, { ...DEFAULT_POLICY, ...policy }).plan);
}
