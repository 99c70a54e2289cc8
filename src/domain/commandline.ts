import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { commandlineConflict } from '../diagnostics/domain.js';
import type { Domain } from './domain.js';

/** The names of the QEMU devices that vsmmu plans. */
const PLANNED_DEVICES = /(?:^|[,={"'\s:])(pxb-pcie|arm-smmuv3|vfio-pci(?:-nohotplug)?)(?=$|[,}"'\s])/;

/** The machine-wide SMMU in the syntax of `-machine`. QEMU 11.1 refuses it together with SMMUs of expander buses. */
const MACHINE_IOMMU = /(?:^|,)(iommu=smmuv3)(?=$|,)/;

/** Reports arguments of `<qemu:commandline>` that add devices which vsmmu cannot see (rule "Other IOMMUs"). */
export function commandlineConflicts({ commandline }: Pick<Domain, 'commandline'>): readonly Diagnostic[] {
  return commandline.flatMap(({ value, location }) => {
    const [, device] = PLANNED_DEVICES.exec(value) ?? MACHINE_IOMMU.exec(value) ?? [];
    return device ? [commandlineConflict({ device, location })] : [];
  });
}
