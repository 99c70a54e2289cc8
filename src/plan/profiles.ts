import type { VsmmuAttribute } from '../domain/iommu.js';
import type { PciDevice } from '../generated/topology.js';

/** What a platform's vSMMUs are known to need, and the devices by which it is told. */
export interface Profile {
  readonly name: string;
  /** Vendor and device id as sysfs has them, joined by a colon: `0x10de:0x2342`. */
  readonly devices: readonly string[];
  readonly values: { readonly [attribute in VsmmuAttribute]?: string };
}

/**
 * The platforms that are known. NVIDIA Grace: the ids and the values are those that KubeVirt uses for its GPUs, which need
 * ATS and a PASID of 20 bits, 48-bit addresses, and whose SMMU has no range invalidation.
 */
export const PROFILES: readonly Profile[] = [
  {
    name: 'grace',
    devices: ['0x10de:0x2342', '0x10de:0x2348', '0x10de:0x2941'],
    values: { ats: 'on', ril: 'off', ssidsize: '20', oas: '48' },
  },
];

/** The profile that any of these devices calls for. */
export function profileOf(devices: readonly PciDevice[]): Profile | undefined {
  const ids = new Set(devices.map((d) => `${d.vendor}:${d.device}`));
  return PROFILES.find((profile) => profile.devices.some((id) => ids.has(id)));
}
