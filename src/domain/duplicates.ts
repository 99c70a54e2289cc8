import type { Diagnostic, Location } from '../diagnostics/diagnostic.js';
import { controllerIndexDuplicate, guestAddressDuplicate, hostDeviceDuplicate } from '../diagnostics/domain.js';
import { formatGuestAddress } from './address.js';
import type { Occupants } from './pci-tree.js';

/** Finds whatever there may be one of only and is there twice: libvirt 12.8 refuses to define such a domain. */
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

/** Reports each thing whose key an earlier one has, with the line of that one. */
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
