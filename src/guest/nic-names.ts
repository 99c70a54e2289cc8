import { addressOf, slotOf } from '../domain/address.js';
import type { PciDevice } from '../generated/topology.js';
import type { GuestView } from './predict.js';

/** The prefixes of udev's names of network devices, by PCI class (systemd.net-naming-scheme). */
const PREFIXES: Readonly<Record<string, string>> = { '0x0200': 'en', '0x0207': 'ib' };

/**
 * Returns the name that udev makes from a NIC's address in the guest: `enp253s0f1`. udev uses it if no other source gives a
 * name. Some drivers add a suffix (`np0`). Undefined if the device is not a NIC or is not in the guest.
 */
export function nicName({ bdf, class: code }: PciDevice, { functions }: GuestView): string | undefined {
  const prefix = PREFIXES[code.slice(0, 6)];
  const address = functions.find(({ host }) => host === bdf)?.address;
  if (prefix === undefined || address === undefined) return undefined;
  const { bus, slot, function: func } = addressOf(address);
  // If a slot has several functions, the name contains the number of the function, even if it is 0.
  const several = functions.some((other) => other.address !== address && slotOf(other.address) === slotOf(address));
  return `${prefix}p${bus}s${slot}${func > 0 || several ? `f${func}` : ''}`;
}
