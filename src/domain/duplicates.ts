import type { Diagnostic, Location } from '../diagnostics/diagnostic.js';
import { controllerIndexDuplicate, guestAddressDuplicate, hostDeviceDuplicate } from '../diagnostics/domain.js';
import { formatGuestAddress } from './address.js';
import type { Occupants } from './pci-tree.js';

/**
 * Finds duplicate controller indexes, guest addresses and host devices: libvirt 12.8 refuses to define a domain with one.
 */
export function findDuplicates({ controllers, hostDevices, otherDevices }: Occupants): readonly Diagnostic[] {
  const occupants = [...controllers, ...hostDevices, ...otherDevices];
  return [
    ...repeated(
      controllers,
      ({ index }) => index,
      (index, where) => controllerIndexDuplicate({ index, ...where }),
    ),
    ...repeated(
      occupants,
      ({ address }) => address && formatGuestAddress(address),
      (address, where) => guestAddressDuplicate({ address, ...where }),
    ),
    ...repeated(
      hostDevices,
      ({ bdf }) => bdf,
      (device, where) => hostDeviceDuplicate({ device, ...where }),
    ),
  ];
}

/** Reports each thing that has the same key as an earlier one, with the line of the earlier one. */
function repeated<T extends { readonly location: Location }, Key>(
  things: readonly T[],
  keyOf: (thing: T) => Key | undefined,
  report: (key: Key, where: { readonly line: number; readonly location: Location }) => Diagnostic,
): Diagnostic[] {
  const first = new Map<Key, T>();
  return things.flatMap((thing) => {
    const key = keyOf(thing);
    if (key === undefined) return [];
    const before = first.get(key);
    if (before) return [report(key, { line: before.location.line, location: thing.location })];
    first.set(key, thing);
    return [];
  });
}
