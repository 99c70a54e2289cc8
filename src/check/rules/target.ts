import { type Diagnostic, diagnostic } from '../../diagnostics.js';
import { supports } from '../../domain/target.js';
import { spellingOf, VSMMU_ATTRIBUTES } from '../../domain/vsmmu-attributes.js';
import { whyNoTarget } from '../../plan/applicable.js';
import { DEFAULT_POLICY } from '../../plan/policy.js';
import { nameOf, type Rule } from '../inspection.js';

/** What the libvirt and the QEMU that the domain is for cannot do: libvirt drops what it does not know, QEMU refuses it. */
export const targetAbility: Rule = ({ accelerated, domain, target, location }) => {
  const [first] = accelerated;
  if (!first) return [];
  const policy = { ...DEFAULT_POLICY, iommufd: domain.iommufd?.enabled ? ('domain' as const) : ('device' as const) };
  const unable = whyNoTarget(target, policy);
  if (unable.length > 0)
    return unable.map((found) => ({ ...found, location: location(first.iommu.element, 'driver') }));
  return accelerated.flatMap((vsmmu): Diagnostic[] => {
    const { values, spellings, element } = vsmmu.iommu;
    const details = { location: location(element, 'driver') };
    const unknown = VSMMU_ATTRIBUTES.filter((name) => values[name] !== undefined && !supports(target, name)).map(
      (name) => {
        const dropped = !target.libvirt.vsmmu.has(name);
        const message = `${dropped ? target.libvirt.name : target.qemu.name} cannot give ${nameOf(vsmmu)} ${name}='${values[name]}'`;
        return diagnostic('target-value-unsupported', message, { ...details, severity: dropped ? 'warning' : 'error' });
      },
    );
    const respelled = spellings.flatMap(({ attribute, name }) => {
      const right = spellingOf(attribute, target.libvirt.dialect);
      const message = `${target.libvirt.name} drops ${name}, which it spells ${right}`;
      return name === right ? [] : [diagnostic('target-value-unsupported', message, details)];
    });
    return [...unknown, ...respelled];
  });
};
