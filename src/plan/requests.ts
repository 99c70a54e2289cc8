import { type Diagnostic, diagnostic } from '../diagnostics.js';
import { isOurAlias } from '../domain/alias.js';
import { MAX_SLOT, type PciController } from '../domain/controller.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { PciTree } from '../domain/pci-tree.js';
import type { Host } from '../host/host.js';
import { roomAbove } from './bus-numbers.js';
import type { CurrentExpanderBus, CurrentTopology } from './current.js';
import type { Policy } from './policy.js';
import type { SlotMove, SlotMoves } from './slots.js';

/** An expander bus before anything has a number: which SMMU it serves, what is there, what joins it. */
export interface ExpanderBusRequest {
  readonly smmu: string;
  /** The expander bus as it is in the domain; undefined: a new one. */
  readonly existing: CurrentExpanderBus | undefined;
  /** Ports of the existing expander bus that have nothing behind them, or nothing but what leaves, by index. */
  readonly freePorts: readonly PciController[];
  /** Devices that are where they are to be. */
  readonly inPlace: readonly HostDevice[];
  /** Slots of devices that need a port each. */
  readonly joining: readonly SlotMove[];
  /** New ports that it has bus numbers and slots for. */
  readonly room: number;
  /** Whether it is the one that its SMMU has because all have one (`expander buses: "all"`), with a device or without. */
  readonly mandatory: boolean;
}

/** Slots below an expander bus, each for a root port. */
const SLOTS = MAX_SLOT + 1;

/**
 * Decides which expander buses there are: those that are there already, one for each further SMMU that has a device to
 * place (`grouping: "smmu"`) or for each further device slot (`"device"`), and, with `expander buses: "all"`, one for each SMMU
 * left. A device for which an expander bus has no bus number or slot left gets a further one. In the order of the SMMUs'
 * addresses, which is the order of their bus numbers.
 */
export function requestExpanderBuses(
  domain: Domain,
  tree: PciTree,
  host: Host,
  policy: Policy,
  existing: CurrentTopology,
  { moves, leaving }: Pick<SlotMoves, 'moves' | 'leaving'>,
): readonly ExpanderBusRequest[] {
  const drafts: ExpanderBusRequest[] = [];
  for (const { name: smmu } of host.smmus) {
    const present = [...existing.expanderBuses.values()]
      .filter((expanderBus) => expanderBus.smmu === smmu)
      .map(({ controller, ...rest }): ExpanderBusRequest => {
        const { index } = controller;
        const inPlace = domain.hostDevices.filter(
          (d) => d.address && !d.unassigned && !leaving.has(d) && tree.rootOf(d.address.bus) === index,
        );
        const freePorts = tree.freePorts(index, leaving);
        const room = Math.min(roomAbove(controller, tree), SLOTS - tree.takenSlots(index).size);
        return { smmu, existing: { controller, ...rest }, freePorts, inPlace, joining: [], room, mandatory: false };
      });
    const slots = moves.filter((move) => move.smmu === smmu);
    const own = fill(present, smmu, slots, policy);
    if (policy.expanderBuses === 'all' && !own.some(hasDevice)) {
      // An expander bus that is not named after its SMMU is nobody's once its devices are gone.
      const named = own.findIndex((draft) => isOurAlias(draft.existing?.controller.alias));
      const expanderBus = own[named] ?? newDraft(smmu, []);
      own.splice(named < 0 ? own.length : named, 1, { ...expanderBus, mandatory: true });
    }
    drafts.push(...own);
  }
  return drafts;
}

/** Puts slots on the expander buses of their SMMU, those that are there first, as long as they have room. */
function fill(
  present: readonly ExpanderBusRequest[],
  smmu: string,
  slots: readonly SlotMove[],
  policy: Policy,
): ExpanderBusRequest[] {
  const single = policy.grouping === 'device';
  const rest = [...slots];
  const filled = present.map((draft): ExpanderBusRequest => {
    const space = draft.freePorts.length + draft.room;
    const wanted = single ? Math.min(space, draft.inPlace.length === 0 ? 1 : 0) : space;
    return { ...draft, joining: rest.splice(0, wanted) };
  });
  // Below a switch there are more slots.
  const size = single ? 1 : policy.mirrorSwitches ? rest.length : SLOTS;
  while (rest.length > 0) filled.push(newDraft(smmu, rest.splice(0, size)));
  return filled;
}

function newDraft(smmu: string, joining: readonly SlotMove[]): ExpanderBusRequest {
  return { smmu, existing: undefined, freePorts: [], inPlace: [], joining, room: SLOTS, mandatory: false };
}

/** Says which devices get a further expander bus, since those of their SMMU are full. */
export function overflowDiagnostics(drafts: readonly ExpanderBusRequest[], policy: Policy): readonly Diagnostic[] {
  if (policy.grouping === 'device') return [];
  return drafts.flatMap((draft, i) => {
    const full = drafts[i - 1];
    if (draft.existing || full?.smmu !== draft.smmu) return [];
    const names = draftDevices(draft).map(({ bdf }) => bdf);
    const which = full.existing ? `expander bus ${full.existing.controller.index}` : 'the expander bus before it';
    const message = `${names.join(', ')} ${names.length > 1 ? 'get' : 'gets'} a further expander bus for ${draft.smmu}: ${which} is full`;
    const location = draftDevices(draft)[0]?.location;
    return [diagnostic('expander-bus-full', message, { location })];
  });
}

const hasDevice = ({ inPlace, joining }: ExpanderBusRequest): boolean => inPlace.length + joining.length > 0;

/** Every device that will be behind a draft's expander bus. */
export function draftDevices({ inPlace, joining }: ExpanderBusRequest): readonly HostDevice[] {
  return [...inPlace, ...joining.flatMap((move) => move.functions.map((f) => f.device))];
}
