import { pcihole64Exhausted, pcihole64TooSmall } from '../../diagnostics/memory.js';
import { reserveOf } from '../../domain/overrides.js';
import { ROOT_BUS } from '../../domain/pci-tree.js';
import { formatKib } from '../../domain/size.js';
import { DEFAULT_HOLE, type LocatedDevice, planPciHole64 } from '../../plan/mmio.js';
import { DEFAULT_POLICY } from '../../policy/policy.js';
import type { Inspection, Rule } from '../inspection.js';

/** Firmware silently leaves out a BAR if the space is too small for it or lies beyond the address space. */
export const pcihole64Size: Rule = (inspection) => {
  const { accelerated, domain, host, tree, location } = inspection;
  const expanderBuses = accelerated.map(({ bus, iommu }) => ({
    controllerIndex: bus,
    vsmmu: iommu.values,
    ports: tree
      .freePorts(bus)
      .map(({ alias = null }) => ({ devices: [], reserve: reserveOf(domain.overrides, alias) })),
  }));
  const request = { domain, expanderBuses, devices: barsOf(inspection), addressBits: host?.addressBits };
  const { change, diagnostics } = planPciHole64({ ...request, policy: DEFAULT_POLICY });
  const beyond = diagnostics.filter(({ code }) => code === pcihole64Exhausted.code);
  if (!change) return beyond;
  // Too little space for the BARs themselves is an error. The further space that a platform asks for is only recommended.
  const bare = planPciHole64({ ...request, policy: { ...DEFAULT_POLICY, profile: 'none' } });
  const element = domain.pciHole64?.element ?? tree.controller(ROOT_BUS)?.element ?? domain.document.root;
  return [
    pcihole64TooSmall({
      needed: formatKib(change.after),
      size: formatKib(domain.pciHole64?.size ?? DEFAULT_HOLE),
      location: location(element),
      severity: bare.change ? 'error' : 'warning',
    }),
  ];
};

/** Returns every host device of the guest. */
function barsOf({ accelerated, givenDevices, host, rootOf }: Inspection): LocatedDevice[] {
  const translated = new Set(accelerated.flatMap(({ hostDevices }) => hostDevices));
  return givenDevices.flatMap((given) => {
    const device = host?.device(given.bdf);
    return device ? [{ device, address: given.address, root: rootOf(given), placed: translated.has(given) }] : [];
  });
}
