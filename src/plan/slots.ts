import { type ControllerIndex, formatGuestAddress, type Place } from '../domain/address.js';
import type { PciController } from '../domain/controller.js';
import { type GuestDevice, type HostDevice, isHostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { Iommu } from '../domain/iommu.js';
import type { Occupant, PciTree } from '../domain/pci-tree.js';
import { groupBy } from '../group-by.js';
import { changesOf, type StageResult } from './stage.js';
import type { Selection } from './verdict.js';

/** An existing expander bus that has a vSMMU, or that vsmmu added. */
export interface CurrentExpanderBus {
  readonly controller: PciController;
  /** Its vSMMU; only an expander bus that vsmmu added may have none. */
  readonly iommu: Iommu | undefined;
  /** The host SMMU that it serves: the one that its alias names, or else that of its devices; undefined if neither is known. */
  readonly smmu: string | undefined;
}

/** The functions of one slot, which move together to slot 0 of one port. */
export interface SlotMove<Device extends GuestDevice = HostDevice> {
  /** The SMMU of the expander bus that the slot moves to; undefined if it returns to `pcie.0`. */
  readonly smmu: string | undefined;
  /** Sorted by function number; the first one is function 0. */
  readonly functions: readonly {
    readonly device: Device;
    readonly function: number;
    readonly multifunction: boolean;
  }[];
}

/** The moves of devices between slots. */
export interface SlotMoves extends Pick<StageResult, 'changes'> {
  /** Slots that move to an expander bus. */
  readonly moves: readonly SlotMove[];
  /**
   * Slots that return to `pcie.0`: devices that must not stay behind a vSMMU, and then emulated devices, which QEMU 11.1 refuses
   * behind an accelerated vSMMU.
   */
  readonly returning: readonly SlotMove<GuestDevice>[];
  /** Controllers and devices that become function 0 of their slot because the present function 0 leaves. */
  readonly promoted: ReadonlyMap<Occupant, Place>;
  /** Every device that leaves its slot. */
  readonly leaving: ReadonlySet<Occupant>;
}

/**
 * Divides the guest's slots by the destination of their functions (rule "Ports"). Functions that go to the same SMMU
 * stay together and keep their numbers. Each resulting slot has a function 0, because guests do not scan a slot
 * without one (PCI 3.0, 3.2.2.3.4).
 */
export function divideSlots(
  domain: Domain,
  tree: PciTree,
  verdicts: Selection['verdicts'],
  expanderBuses: ReadonlyMap<ControllerIndex, CurrentExpanderBus>,
): SlotMoves {
  const moves: SlotMove[] = [];
  const emulated: SlotMove<GuestDevice>[] = [];
  const promoted = new Map<Occupant, Place>();
  const leaving = new Set<Occupant>();
  const done = new Set<Occupant>();
  const above = ({ address }: GuestDevice) => address && expanderBuses.get(tree.rootOf(address.bus));
  const isMisplaced = (device: GuestDevice) => above(device)?.iommu?.values.accel === 'on';

  for (const device of [...domain.hostDevices, ...domain.otherDevices.filter(isMisplaced)]) {
    if (done.has(device)) continue;
    const occupants: readonly Occupant[] = device.address ? tree.inSlot(device.address) : [device];
    for (const occupant of occupants) done.add(occupant);
    const leaves = groupBy(occupants.filter(isHostDevice), (own) => {
      const smmu = verdicts.get(own)?.smmu;
      return own.unassigned || isInPlace(own, smmu, above(own)) ? null : smmu;
    });
    const misplaced = isMisplaced(device) ? occupants.filter(isEmulated) : [];
    for (const [smmu, devices] of leaves) moves.push(moveTogether(smmu, devices));
    if (misplaced.length > 0) emulated.push(moveTogether(undefined, misplaced));
    for (const left of [...[...leaves.values()].flat(), ...misplaced]) leaving.add(left);
    const staying = occupants.filter((occupant) => !leaving.has(occupant));
    const [first] = staying;
    // The first of the occupants has the lowest function number.
    if (!first?.address?.function || occupants[0]?.address?.function !== 0) continue;
    promoted.set(first, { address: { ...first.address, function: 0 }, multifunction: staying.length > 1 });
  }
  return {
    moves: moves.filter(({ smmu }) => smmu !== undefined),
    returning: [...moves.filter(({ smmu }) => smmu === undefined), ...emulated],
    promoted,
    leaving,
    changes: changesOf('set', 'guest', promoted.values(), ({ address }) => formatGuestAddress(address)),
  };
}

/**
 * Returns whether a device is in the right place: on a port of an expander bus of its SMMU or, if it is not to
 * be behind a vSMMU, behind none.
 */
function isInPlace(device: HostDevice, smmu: string | undefined, expanderBus: CurrentExpanderBus | undefined): boolean {
  if (smmu === undefined) return expanderBus === undefined;
  return (
    expanderBus?.smmu === smmu && device.address?.slot === 0 && device.address.bus !== expanderBus.controller.index
  );
}

/** Returns the move of devices to one slot. They keep their function numbers, but the first becomes 0. */
function moveTogether<D extends GuestDevice>(smmu: string | undefined, devices: readonly D[]): SlotMove<D> {
  const functions = devices.map((device, i) => ({
    device,
    function: i === 0 ? 0 : (device.address?.function ?? 0),
    multifunction: (i === 0 && devices.length > 1) || (isHostDevice(device) && device.multifunction),
  }));
  return { smmu, functions };
}

function isEmulated(occupant: Occupant): occupant is GuestDevice {
  return 'awaitsAddress' in occupant && !isHostDevice(occupant);
}
