import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { targetValueUnsupported as diagnostic, targetMachineMissing } from '../../diagnostics/vsmmu.js';
import { supports } from '../../domain/target.js';
import { spellingOf, VSMMU_ATTRIBUTES } from '../../domain/vsmmu-attributes.js';
import { targetDiagnostics } from '../../plan/applicable.js';
import { DEFAULT_POLICY } from '../../policy/policy.js';
import { nameOf, type Rule } from '../inspection.js';

/** The usual QEMU binaries. Nothing is known about any other emulator that a domain names. */
const USUAL_EMULATORS = ['/usr/bin/qemu-system-aarch64', '/usr/libexec/qemu-kvm'];

/**
 * Reports a machine type or vSMMU attributes that the target does not support. libvirt drops such
 * attributes; QEMU refuses them.
 */
export const targetFeatures: Rule = (inspection) => [...machineMissing(inspection), ...vsmmuFeatures(inspection)];

const machineMissing: Rule = ({ domain, target: { qemu }, location }) => {
  const { machine, deviceElements, document } = domain;
  const emulator = deviceElements.find(({ name }) => name === 'emulator')?.text.trim() || USUAL_EMULATORS[0];
  if (machine === undefined || qemu.machines?.has(machine) !== false) return [];
  if (!USUAL_EMULATORS.includes(emulator ?? '')) return [];
  return [targetMachineMissing({ qemu: qemu.name, machine, location: location(document.root, 'os') })];
};

const vsmmuFeatures: Rule = ({ accelerated, domain, target, location }) => {
  const [first] = accelerated;
  if (!first) return [];
  const policy = { ...DEFAULT_POLICY, iommufd: domain.iommufd?.enabled ? ('domain' as const) : ('device' as const) };
  const unable = targetDiagnostics(target, policy);
  if (unable.length > 0)
    return unable.map((found) => ({ ...found, location: location(first.iommu.element, 'driver') }));
  return accelerated.flatMap((vsmmu): Diagnostic[] => {
    const { values, spellings, element } = vsmmu.iommu;
    const where = location(element, 'driver');
    const unknown = VSMMU_ATTRIBUTES.filter((name) => values[name] !== undefined && !supports(target, name)).map(
      (name) => {
        const dropped = !target.libvirt.vsmmu.has(name);
        return diagnostic.value({
          program: dropped ? target.libvirt.name : target.qemu.name,
          vsmmu: nameOf(vsmmu),
          name,
          value: values[name] ?? '',
          location: where,
          severity: dropped ? 'warning' : 'error',
        });
      },
    );
    const respelled = spellings.flatMap(({ attribute, name }) => {
      const spelling = spellingOf(attribute, target.libvirt.dialect);
      if (name === spelling) return [];
      return [diagnostic.spelling({ libvirt: target.libvirt.name, name, spelling, location: where })];
    });
    return [...unknown, ...respelled];
  });
};
