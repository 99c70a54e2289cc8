import { type Diagnostic, diagnostic } from '../../diagnostics.js';
import type { Host } from '../../host/host.js';
import { smmuOfAlias } from '../../plan/alias.js';
import { type Inspection, nameOf, type Rule, type Vsmmu } from '../inspection.js';

/**
 * QEMU 11.1 starts a guest with devices of two SMMUs behind one vSMMU; in the guest every device behind it fails, the
 * rightly placed ones, too (`Failed to install all STEs`).
 */
export const deviceBehindOtherSmmu: Rule = (inspection) => {
  const { host } = inspection;
  return host ? inspection.accelerated.flatMap((vsmmu) => strangers(inspection, vsmmu, host)) : [];
};

function strangers(inspection: Inspection, vsmmu: Vsmmu, host: Host): Diagnostic[] {
  const behind = vsmmu.hostDevices.flatMap((device) => {
    const onHost = host.device(device.bdf);
    return onHost ? [{ device, smmu: onHost.smmu }] : [];
  });
  const smmus = behind.map(({ smmu }) => smmu);
  const count = (name: string | null) => smmus.filter((smmu) => smmu === name).length;
  const named = smmuOfAlias(inspection.tree.controller(vsmmu.bus)?.alias, host.smmus);
  // Whose the bridge is: the SMMU that its alias names, where it has a device of it; else that of most devices.
  const [most] = smmus.filter((smmu) => smmu !== null).sort((a, b) => count(b) - count(a));
  const owner = named !== undefined && smmus.includes(named) ? named : most;
  return behind
    .filter(({ smmu }) => smmu !== (owner ?? named))
    .map(({ device, smmu }) =>
      diagnostic(
        'device-behind-other-smmu',
        `${device.bdf} is behind ${smmu ?? 'no SMMU'} on the host, and behind ${nameOf(vsmmu)}${owner === undefined ? '' : `, which serves ${owner}`}`,
        { place: inspection.place(device.element, 'address') },
      ),
    );
}
