import { addressOf, type Bdf, slotOf } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import type { Host } from '../host/host.js';
import {
  isDataDirect,
  type NearnessCell,
  nameByKind,
  nearnessMatrix,
  type PciPlace,
  placeOnHost,
} from '../host/locality.js';
import type { GuestView } from './predict.js';

/** A domain, and what its guest sees. */
interface Guest {
  readonly domain: Domain;
  readonly view: GuestView;
}

/** A host device of a domain, with a name such as GPU0. */
export interface LocalHostDevice {
  readonly name: string;
  readonly bdf: Bdf;
  /** For the DMA function of a NIC (Data Direct): the domain's devices that are this NIC or its virtual functions. */
  readonly dataDirect?: readonly Bdf[];
}

/** The locality of a domain's host devices: on the host, and in the guest before and after a conversion. */
export interface GuestLocality {
  readonly devices: readonly LocalHostDevice[];
  readonly host: readonly (readonly NearnessCell[])[];
  readonly before: readonly (readonly NearnessCell[])[];
  readonly after: readonly (readonly NearnessCell[])[];
}

/** Compares the locality of a domain's GPUs, NICs, DMA engines and NVMe drives on the host with that in the guest. */
export function guestLocality(host: Host, before: Guest, after: Guest): GuestLocality {
  const given = after.domain.hostDevices
    .filter(({ unassigned }) => !unassigned)
    .flatMap(({ bdf }) => host.device(bdf) ?? []);
  const devices = nameByKind(given, (device) => device).map(({ name, item }) => ({ name, device: item }));
  const inGuest = (guest: Guest) => {
    const places = placesInGuest(guest);
    return nearnessMatrix(devices.map(({ device }) => places.get(device.bdf)));
  };
  return {
    devices: devices.map(({ name, device }) => {
      const { bdf, dataDirect = [] } = device;
      const nics = given.filter((each) => dataDirect.includes(each.physfn ?? each.bdf)).map((each) => each.bdf);
      return { name, bdf, ...(isDataDirect(device) && { dataDirect: nics }) };
    }),
    host: nearnessMatrix(devices.map(({ device }) => placeOnHost(host, device))),
    before: inGuest(before),
    after: inGuest(after),
  };
}

/** Returns the places of host devices in the guest, by their addresses on the host. */
function placesInGuest({ domain, view }: Guest): ReadonlyMap<Bdf, PciPlace> {
  const portOf = new Map<number | null, Bdf>(view.functions.map((each) => [each.bus, each.address]));
  const cells = domain.numa.cells.filter(({ cpus }) => cpus.length > 0).length;
  const nodes = new Map<number | undefined, number | undefined>(
    domain.controllers.map(({ busNr, node }) => [busNr, node]),
  );
  const place = (address: Bdf): PciPlace => {
    const bridges: Bdf[] = [];
    let { bus } = addressOf(address);
    for (let port = portOf.get(bus); port !== undefined; port = portOf.get(bus)) {
      bridges.push(port);
      bus = addressOf(port).bus;
    }
    // As on a host: if only one cell has CPUs, all devices are near it.
    const node = cells <= 1 ? 0 : (nodes.get(bus) ?? null);
    return { bridges, root: String(bus), slot: slotOf(address), node };
  };
  return new Map(view.functions.flatMap(({ host, address }) => (host === null ? [] : [[host, place(address)]])));
}
