import type { Bdf } from '../domain/address.js';
import type { PciDevice } from '../generated/topology.js';
import type { GuestView } from './predict.js';

/** What udev's names of network devices begin with, by their PCI class (systemd.net-naming-scheme). */
const PREFIXES: Readonly<Record<string, string>> = { '0x0200': 'en', '0x0207': 'ib' };

/**
 * The name that udev makes of a NIC's place in the guest, where nothing else names it: `enp253s0f1`. A driver may have
 * something appended to it (`np0`). Undefined if the device is not a NIC or not in the guest.
 */
export function nicName({ bdf, class: code }: PciDevice, { functions }: GuestView): string | undefined {
  const prefix = PREFIXES[code.slice(0, 6)];
  const address = functions.find(({ host }) => host === bdf)?.address;
  if (prefix === undefined || address === undefined) return undefined;
  const { bus, slot, func } = partsOf(address);
  // A function of several has its number in the name, 0 too.
  const several = functions.some(
    (other) => other.address !== address && other.address.slice(0, -1) === address.slice(0, -1),
  );
  return `${prefix}p${bus}s${slot}${func > 0 || several ? `f${func}` : ''}`;
}

function partsOf(address: Bdf): { bus: number; slot: number; func: number } {
  const [, bus = 0, slot = 0, func = 0] = address.split(/[:.]/).map((part) => Number.parseInt(part, 16));
  return { bus, slot, func };
}
