import { iommufdChanged } from '../diagnostics/devices.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { Plan } from '../generated/plan.js';
import { groupsOf } from '../host/groups.js';
import type { Host } from '../host/host.js';
import type { Policy } from '../policy/policy.js';
import { changesOf, type StageResult } from './stage.js';
import type { Selection } from './verdict.js';

/** The changes to the VFIO backends of a domain (rule "iommufd"). */
export interface Backends extends StageResult {
  /** The change to `<iommufd>` below `<domain>`, which is the default for all host devices (libvirt 12.2). */
  readonly domain: Plan['iommufd'];
  /** The devices whose `<driver>` gets `iommufd='yes'`. */
  readonly devices: ReadonlySet<HostDevice>;
}

/**
 * Gives every placed device an iommufd backend, the only one that QEMU 11.1 accepts behind an accelerated vSMMU. With
 * `iommufd: "domain"`, devices that stay on `pcie.0` get it, too. Afterwards, all devices of an IOMMU group have the same
 * backend: the kernel gives a group to one owner, so a device with another backend would be busy.
 */
export function decideBackends(domain: Domain, host: Host, policy: Policy, verdicts: Selection['verdicts']): Backends {
  const placed = domain.hostDevices.filter((device) => verdicts.get(device)?.smmu !== undefined);
  const devices = new Set<HostDevice>();
  const diagnostics: Diagnostic[] = [];
  const change = (device: HostDevice, why: 'accelerated' | 'group') => {
    devices.add(device);
    if (device.iommufd !== 'no') return;
    diagnostics.push(iommufdChanged.device({ device: device.bdf, why, location: device.location }));
  };

  const present = domain.iommufd;
  const enable = policy.iommufd === 'domain' && placed.length > 0 && present?.enabled !== true;
  if (enable && present) diagnostics.push(iommufdChanged.domain({ location: present.location }));
  const byDefault = enable || present?.enabled === true;
  const uses = (device: HostDevice) => devices.has(device) || (device.iommufd ?? (byDefault ? 'yes' : 'no')) === 'yes';
  for (const device of placed) if (!uses(device)) change(device, 'accelerated');
  for (const { given } of groupsOf(domain, host)) {
    if (!given.some(uses)) continue;
    for (const device of given) if (!uses(device)) change(device, 'group');
  }
  const changes = [
    ...changesOf('set', 'domain', enable ? ['iommufd'] : []),
    ...changesOf('set', 'device', devices, ({ bdf }) => bdf),
  ];
  return { domain: enable ? 'enable' : 'none', devices, diagnostics, changes };
}
