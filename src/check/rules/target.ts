import { targetMachineMissing } from '../../diagnostics/target.js';
import { type Diagnostic, diagnostic } from '../../diagnostics.js';
import { supports } from '../../domain/target.js';
import { spellingOf, VSMMU_ATTRIBUTES } from '../../domain/vsmmu-attributes.js';
import { whyNoTarget } from '../../plan/applicable.js';
import { DEFAULT_POLICY } from '../../plan/policy.js';
import { nameOf, type Rule } from '../inspection.js';

/** The programs that a domain has unless it has one of its own, of which nothing is known. */
const USUAL_EMULATORS = ['/usr/bin/qemu-system-aarch64', '/usr/libexec/qemu-kvm'];

/** What the libvirt and the QEMU that the domain is for cannot do: libvirt drops what it does not know, QEMU refuses it. */
export const targetAbility: Rule = (inspection) => [...machineMissing(inspection), ...vsmmuAbility(inspection)];

const machineMissing: Rule = ({ domain, target: { qemu }, location }) => {
  const { machine, devicesElement, document } = domain;
  const emulator = devicesElement?.child('emulator')?.text.trim() || USUAL_EMULATORS[0];
  if (machine === undefined || qemu.machines?.has(machine) !== false) return [];
  if (!USUAL_EMULATORS.includes(emulator ?? '')) return [];
  return [targetMachineMissing({ qemu: qemu.name, machine, location: location(document.root, 'os') })];
};

const vsmmuAbility: Rule = ({ accelerated, domain, target, location }) => {
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
