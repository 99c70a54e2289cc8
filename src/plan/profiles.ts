import type { Profile, Profiles } from '../generated/profiles.js';
import type { PciDevice } from '../generated/topology.js';
import data from './profiles.json' with { type: 'json' };

export type { Profile } from '../generated/profiles.js';

/** The known platforms, by the devices that identify them: data that fits `schemas/profiles.schema.json`. */
export const PROFILES: readonly Profile[] = (data as unknown as Profiles).profiles;

/** The profile of a device: what its platform needs. */
export function profileOf({ vendor, device }: PciDevice): Profile | undefined {
  return PROFILES.find((profile) => profile.devices.includes(`${vendor}:${device}`));
}

/** The profile that any of these devices calls for. */
export function profileOfAny(devices: readonly PciDevice[]): Profile | undefined {
  return PROFILES.find((profile) => devices.some((device) => profileOf(device) === profile));
}
