import type { Profile, Profiles } from '../generated/profiles.js';
import type { PciDevice } from '../generated/topology.js';
import data from './profiles.json' with { type: 'json' };

export type { Profile } from '../generated/profiles.js';

/** The known platforms, identified by their devices: data that fits `schemas/profiles.schema.json`. */
export const PROFILES: readonly Profile[] = (data as unknown as Profiles).profiles;

/** Returns the profile of a device's platform; undefined if the platform is unknown. */
export function profileOf({ vendor, device }: PciDevice): Profile | undefined {
  return PROFILES.find((profile) => profile.devices.includes(`${vendor}:${device}`));
}

/** Returns the profile of the first known platform that any of these devices belongs to. */
export function profileOfAny(devices: readonly PciDevice[]): Profile | undefined {
  return PROFILES.find((profile) => devices.some((device) => profileOf(device) === profile));
}
