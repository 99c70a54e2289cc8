import { deviceBehindEmulatedSmmu as diagnostic } from '../../diagnostics/vsmmu.js';
import type { HostDevice } from '../../domain/device.js';
import { ROOT_BUS } from '../../domain/pci-tree.js';
import { type Inspection, nameOf, type Rule } from '../inspection.js';

/** QEMU 11.1, for a device behind an emulated SMMU: `device … requires iommu MAP notifier which is not currently supported`. */
export const deviceBehindEmulatedSmmu: Rule = (inspection) => {
  const behind = inspection.vsmmus
    .filter(({ accelerated, bus }) => !accelerated && bus !== ROOT_BUS)
    .map((vsmmu): Behind => ({ smmu: { vsmmu: nameOf(vsmmu) }, devices: vsmmu.hostDevices }));
  const root = emulatedRootSmmu(inspection);
  if (root !== undefined) behind.push({ smmu: root, devices: behindRoot(inspection) });
  return behind.flatMap(({ smmu, devices }) =>
    devices.map(({ bdf, element }) =>
      diagnostic({ device: bdf, smmu, location: inspection.location(element, 'address') }),
    ),
  );
};

/** An emulated SMMU, and the host devices behind it. */
interface Behind {
  readonly smmu: 'machine' | 'pcie.0' | { readonly vsmmu: string };
  readonly devices: readonly HostDevice[];
}

/** Returns the emulated SMMU of `pcie.0`. libvirt 12.8 creates a machine-wide SMMU only for the first `<iommu>`. */
function emulatedRootSmmu({ domain, vsmmus }: Inspection): 'machine' | 'pcie.0' | undefined {
  const [first] = domain.iommus;
  if (first?.model === 'smmuv3' && first.pciBus === undefined) return 'machine';
  return vsmmus.some(({ bus, accelerated }) => bus === ROOT_BUS && !accelerated) ? 'pcie.0' : undefined;
}

/**
 * Returns the devices that the SMMU of `pcie.0` translates for: those on that bus, and on every
 * expander bus without its own SMMU.
 */
function behindRoot(inspection: Inspection): readonly HostDevice[] {
  const own = new Set(inspection.vsmmus.map(({ bus }) => bus).filter((bus) => bus !== ROOT_BUS));
  return inspection.givenDevices.filter((device) => !own.has(inspection.rootOf(device)));
}
