import { type ControllerIndex, formatGuestAddress, type GuestAddress } from '../domain/address.js';
import type { PciController } from '../domain/controller.js';
import type { GuestDevice, HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { Iommu } from '../domain/iommu.js';
import type { Occupant, PciTree } from '../domain/pci-tree.js';
import type { Renumbered } from '../generated/plan.js';
import { changesOf, type StageResult } from './stage.js';
import type { Verdicts } from './verdict.js';

/** An existing expander bus that has a vSMMU, or that vsmmu added. */
export interface CurrentExpanderBus {
  readonly controller: PciController;
  /** Its vSMMU; only an expander bus that vsmmu added may have none. */
  readonly iommu: Iommu | undefined;
  /** The host SMMU that it serves: the one that its alias names, or else that of its devices; undefined if neither is known. */
  readonly smmu: string | undefined;
}

/** The functions of one slot, which move together to slot 0 of one port. */
export interface SlotMove {
  /**
   * The SMMU of the expander bus that the slot moves to; undefined if the slot returns to `pcie.0`, because
   * it must not stay behind a vSMMU.
   */
  readonly smmu: string | undefined;
  /** Sorted by function number; the first one is function 0. */
  readonly functions: readonly {
    readonly device: HostDevice;
    readonly function: number;
    readonly multifunction: boolean;
  }[];
}

/** The moves of slots with placeable devices. */
export interface SlotMoves extends Pick<StageResult, 'changes'> {
  readonly moves: readonly SlotMove[];
  /** Devices that become function 0 of their slot because the present function 0 leaves. */
  readonly renumbered: readonly Renumbered[];
  /** Emulated devices behind an accelerated vSMMU, by slot. QEMU 11.1 refuses them there, so they return to `pcie.0`. */
  readonly emulated: readonly (readonly GuestDevice[])[];
  /** Every device that leaves its slot. */
  readonly leaving: ReadonlySet<Occupant>;
}

/**
 * Divides the guest's slots by the destination of their functions (rule "Ports"). Functions that go to the same SMMU
 * stay together and keep their numbers. Each resulting slot has a function 0, because guests do not scan a slot
 * without one (PCI 3.0, 3.2.2.3.4).
 */
export function partSlots(
  domain: Domain,
  tree: PciTree,
  verdicts: Verdicts['of'],
  expanderBuses: ReadonlyMap<ControllerIndex, CurrentExpanderBus>,
): SlotMoves {
  const moves: SlotMove[] = [];
  const renumbered: Renumbered[] = [];
  const emulated: (readonly GuestDevice[])[] = [];
  const done = new Set<GuestDevice>();
  const isMisplaced = ({ address }: GuestDevice) =>
    address !== undefined && expanderBuses.get(tree.rootOf(address.bus))?.iommu?.values.accel === 'on';

  for (const device of [...domain.hostDevices, ...domain.otherDevices.filter(isMisplaced)]) {
    if (done.has(device)) continue;
    const occupants: readonly Occupant[] = device.address ? tree.inSlot(device.address) : [device];
    const expanderBus = device.address && expanderBuses.get(tree.rootOf(device.address.bus));
    const leaving = new Map<string | undefined, HostDevice[]>();
    const staying: Occupant[] = [];
    const misplaced: GuestDevice[] = [];
    for (const occupant of occupants) {
      if (!isDevice(occupant)) {
        staying.push(occupant);
        continue;
      }
      done.add(occupant);
      if (!isHostDevice(occupant)) {
        if (isMisplaced(occupant)) misplaced.push(occupant);
        else staying.push(occupant);
        continue;
      }
      const smmu = verdicts.get(occupant)?.smmu;
      if (occupant.unassigned || isInPlace(occupant, smmu, expanderBus)) staying.push(occupant);
      else leaving.set(smmu, [...(leaving.get(smmu) ?? []), occupant]);
    }
    for (const [smmu, devices] of leaving) moves.push({ smmu, functions: numberFunctions(devices) });
    if (misplaced.length > 0) emulated.push(misplaced);
    if (leaving.size + misplaced.length > 0) renumbered.push(...keepFunctionZero(staying, occupants));
  }
  const moving = moves.flatMap((move) => move.functions.map(({ device }) => device));
  const changes = changesOf('set', 'guest', renumbered, ({ from }) => formatGuestAddress(from));
  return { moves, renumbered, emulated, leaving: new Set<Occupant>([...moving, ...emulated.flat()]), changes };
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

/** Returns the function numbers of devices that move to one slot. They keep their numbers, but the first becomes 0. */
function numberFunctions(devices: readonly HostDevice[]): SlotMove['functions'] {
  return devices.map((device, i) => ({
    device,
    function: i === 0 ? 0 : (device.address?.function ?? 0),
    multifunction: i === 0 && devices.length > 1 ? true : device.multifunction,
  }));
}

/** Makes the lowest remaining function of a slot function 0 if the present function 0 leaves. */
function keepFunctionZero(staying: readonly Occupant[], before: readonly Occupant[]): Renumbered[] {
  const [first] = staying;
  const from = first?.address;
  if (!from || from.function === 0 || before[0]?.address?.function !== 0) return [];
  const to: GuestAddress = { ...from, function: 0 };
  return [{ from, to, multifunction: staying.length > 1 }];
}

/** Returns the new addresses of the emulated devices of one slot, on a port of `pcie.0`. */
export function returnTo(bus: ControllerIndex, devices: readonly GuestDevice[]): Renumbered[] {
  return devices.flatMap(({ address: from }, i) => {
    if (!from) return [];
    const to = { bus, slot: 0, function: i === 0 ? 0 : from.function };
    return [{ from, to, multifunction: i === 0 && devices.length > 1 }];
  });
}

function isDevice(occupant: Occupant): occupant is GuestDevice {
  return 'awaitsAddress' in occupant;
}

function isHostDevice(occupant: Occupant): occupant is HostDevice {
  return 'bdf' in occupant;
}
