import { type Diagnostic, diagnostic, type LegacyCode, type Location } from '../diagnostics.js';
import { formatGuestAddress, type GuestAddress } from './address.js';
import type { Occupants } from './pci-tree.js';

/** Finds whatever there may be one of only and is there twice: libvirt 12.8 refuses to define such a domain. */
export function findDuplicates({ controllers, hostDevices, otherDevices }: Occupants): readonly Diagnostic[] {
  const occupants = [...controllers, ...hostDevices, ...otherDevices];
  return [
    ...repeated(controllers, 'controller-index-duplicate', ({ index }) => `PCI controller index ${index} is taken`),
    ...repeated(
      occupants,
      'guest-address-duplicate',
      ({ address }) => address && `guest address ${formatGuestAddress(address)} is taken`,
    ),
    ...repeated(hostDevices, 'host-device-duplicate', ({ bdf }) => `host device ${bdf} is in the domain`),
  ];
}

/** The things whose claim an earlier one makes already. */
function repeated<T extends { readonly location: Location; readonly address?: GuestAddress | undefined }>(
  things: readonly T[],
  code: LegacyCode,
  claimOf: (thing: T) => string | undefined,
): Diagnostic[] {
  const first = new Map<string, T>();
  return things.flatMap((thing) => {
    const claim = claimOf(thing);
    if (claim === undefined) return [];
    const before = first.get(claim);
    if (!before) {
      first.set(claim, thing);
      return [];
    }
    return [diagnostic(code, `${claim} already, in line ${before.location.line}`, { location: thing.location })];
  });
}
