import {
  type Bdf,
  type BusNumber,
  busNumber,
  type ControllerIndex,
  formatBdf,
  type GuestAddress,
} from '../domain/address.js';
import { EXPANDER_MODELS, type PciController } from '../domain/controller.js';
import { isHostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import { smmusOfGuest } from '../domain/iommu.js';
import { type Occupant, PciTree, ROOT_BUS } from '../domain/pci-tree.js';

/** A PCI function that the guest will see. */
export interface GuestFunction {
  /** Its address in the guest, `dddd:bb:ss.f` with the guest's bus number. */
  readonly address: Bdf;
  /** The element of the domain that it comes from: `hostdev`, `disk`, `controller` … */
  readonly element: string;
  /** The host device that is passed through; null for an emulated function. */
  readonly host: Bdf | null;
  /** Its secondary bus, if it is a port or an expander bus. */
  readonly bus: BusNumber | null;
  /** The index in `vsmmus` of the vSMMU that it is behind; null if it is behind none. */
  readonly vsmmu: number | null;
}

/** A vSMMU that the guest will see; libvirt and QEMU number them in the order of the `<iommu>`s. */
export interface GuestVsmmu {
  /** libvirt's index of the expander bus that it translates for; 0 is `pcie.0`. */
  readonly controllerIndex: ControllerIndex;
  /** The first and the last bus in use behind it. */
  readonly buses: { readonly first: BusNumber; readonly last: BusNumber };
}

/** A range of requester IDs (bus, slot and function in 16 bits), and its target in the IORT's root complex node. */
export interface IdMapping {
  readonly first: number;
  readonly last: number;
  /** The index of a vSMMU in `vsmmus`, or `its` for the interrupt translation service directly. */
  readonly target: number | 'its';
}

/** The guest's view of its PCI devices. */
export interface GuestView {
  /** Sorted by address; without the host bridges. */
  readonly functions: readonly GuestFunction[];
  readonly vsmmus: readonly GuestVsmmu[];
  /** Sorted by requester ID. */
  readonly iort: readonly IdMapping[];
  /** False if libvirt still has to choose an address: bus numbers below `pcie.0` can then differ. */
  readonly complete: boolean;
}

/** Returns the first requester ID of a bus. */
const idOf = (bus: number): number => bus << 8;

/**
 * Predicts the guest's view of a domain's PCI devices. Firmware numbers buses depth first in slot order, from 0 on `pcie.0`
 * and from `busNr` on an expander bus (EDK2 under QEMU 11.1). The IORT maps the buses in use behind a vSMMU to that vSMMU,
 * and every other ID to the ITS.
 */
export function predictGuest(domain: Domain): GuestView {
  const tree = new PciTree(domain);
  const smmuv3 = smmusOfGuest(domain.iommus);
  const place = new Map(smmuv3.map((iommu, i) => [iommu.pciBus ?? ROOT_BUS, i]));
  const functions: GuestFunction[] = [];
  const lastBus = new Map<ControllerIndex, BusNumber>();

  const enumerate = (root: ControllerIndex, busNr: BusNumber): void => {
    let last: number = busNr;
    const visit = (index: ControllerIndex, bus: BusNumber): void => {
      // In the order of slots and functions.
      const key = ({ address }: { readonly address: GuestAddress }) => address.slot * 8 + address.function;
      for (const occupant of tree.occupants(index).toSorted((a, b) => key(a) - key(b))) {
        const { slot, function: func } = occupant.address;
        const makesBus = isController(occupant) && !EXPANDER_MODELS.has(occupant.model);
        const made = makesBus ? busNumber(++last) : null;
        functions.push({
          address: formatBdf({ domain: 0, bus, slot, function: func }),
          element: isController(occupant) ? 'controller' : occupant.name,
          host: isHostDevice(occupant) ? occupant.bdf : null,
          bus: made,
          vsmmu: place.get(root) ?? null,
        });
        if (made !== null && isController(occupant)) visit(occupant.index, made);
      }
    };
    visit(root, busNr);
    lastBus.set(root, busNumber(last));
  };
  enumerate(ROOT_BUS, busNumber(0));
  for (const { index, busNr } of tree.expanders) if (busNr !== undefined) enumerate(index, busNr);

  const vsmmus = smmuv3.map(({ pciBus = ROOT_BUS }) => {
    const first = tree.controller(pciBus)?.busNr ?? busNumber(0);
    return { controllerIndex: pciBus, buses: { first, last: lastBus.get(pciBus) ?? first } };
  });
  return {
    functions: functions.sort((a, b) => (a.address < b.address ? -1 : 1)),
    vsmmus,
    iort: mapIds(vsmmus),
    complete: isComplete(domain, tree),
  };
}

/** Returns the guest addresses of host devices, by their addresses on the host. */
export function guestAddresses({ functions }: GuestView): ReadonlyMap<Bdf, Bdf> {
  return new Map(functions.flatMap(({ host, address }) => (host === null ? [] : [[host, address]])));
}

/** Returns the ID ranges of the vSMMUs, and the ranges between them, which go to the ITS. */
function mapIds(vsmmus: readonly GuestVsmmu[]): IdMapping[] {
  const translated = vsmmus
    .map(({ buses }, target) => ({ first: idOf(buses.first), last: idOf(buses.last + 1) - 1, target }))
    .sort((a, b) => a.first - b.first);
  const mappings: IdMapping[] = [];
  let next = 0;
  for (const range of translated) {
    if (range.first > next) mappings.push({ first: next, last: range.first - 1, target: 'its' });
    mappings.push(range);
    next = range.last + 1;
  }
  if (next < idOf(256)) mappings.push({ first: next, last: idOf(256) - 1, target: 'its' });
  return mappings;
}

function isComplete(domain: Domain, tree: PciTree): boolean {
  const awaiting = [...domain.hostDevices, ...domain.otherDevices].some((d) => d.awaitsAddress);
  const unaddressed = domain.controllers.some((c) => c.index !== ROOT_BUS && !c.address);
  return !awaiting && !unaddressed && domain.impliedDevices === 0 && tree.gaps === 0;
}

function isController(occupant: Occupant): occupant is PciController {
  return 'model' in occupant;
}
