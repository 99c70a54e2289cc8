import type { PciController } from '../domain/controller.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import type { PciTree } from '../domain/pci-tree.js';
import type { Host } from '../host/host.js';
import { isOurAlias } from './alias.js';
import type { Existing, ExistingBridge } from './existing.js';
import type { Policy } from './policy.js';
import { leavingDevices, type SlotMove } from './slots.js';

/** A bridge before anything has a number: which SMMU it serves, what is there, what joins it. */
export interface BridgeDraft {
  readonly smmu: string;
  /** The bridge as it is in the domain; undefined: a new one. */
  readonly existing: ExistingBridge | undefined;
  /** Ports of the existing bridge that have nothing behind them, or nothing but what leaves, by index. */
  readonly freePorts: readonly PciController[];
  /** Devices that are where they are to be. */
  readonly inPlace: readonly HostDevice[];
  /** Slots of devices that need a port each. */
  readonly joining: readonly SlotMove[];
  /** Whether it is the one that its SMMU has because all have one (`bridges: "all"`), with a device or without. */
  readonly forAll: boolean;
}

/**
 * Decides which bridges there are (rule 2): those that are there already, one for each further SMMU that has a device to
 * place (`grouping: "smmu"`) or for each further device slot (`"device"`), and, with `bridges: "all"`, one for each SMMU
 * left. In the order of the SMMUs' addresses, which is the order of their bus numbers.
 */
export function draftBridges(
  domain: Domain,
  tree: PciTree,
  host: Host,
  policy: Policy,
  existing: Existing,
  moves: readonly SlotMove[],
): readonly BridgeDraft[] {
  const moving = leavingDevices(moves);
  const drafts: BridgeDraft[] = [];
  for (const { name: smmu } of host.smmus) {
    const present = [...existing.bridges.values()]
      .filter((bridge) => bridge.smmu === smmu)
      .map((bridge) => {
        const root = bridge.controller.index;
        const inPlace = domain.hostDevices.filter(
          (d) => d.address && !d.unassigned && !moving.has(d) && tree.rootOf(d.address.bus) === root,
        );
        return { smmu, existing: bridge, freePorts: tree.freePorts(root, moving), inPlace, forAll: false };
      });
    const newBridge = { smmu, existing: undefined, freePorts: [], inPlace: [], forAll: false };
    const slots = moves.filter((move) => move.smmu === smmu);
    const own: BridgeDraft[] = [];
    if (policy.grouping === 'smmu') {
      const [first, ...others] = present;
      if (first || slots.length > 0) own.push({ ...(first ?? newBridge), joining: slots });
      own.push(...others.map((bridge) => ({ ...bridge, joining: [] })));
    } else {
      // A bridge that is there and empty takes a device before a new one is made.
      const rest = [...slots];
      const filled = present.map((b) => ({ ...b, joining: b.inPlace.length === 0 ? rest.splice(0, 1) : [] }));
      own.push(...filled, ...rest.map((slot) => ({ ...newBridge, joining: [slot] })));
    }
    if (policy.bridges === 'all' && !own.some(hasDevice)) {
      // A bridge that is not named after its SMMU is nobody's once its devices are gone.
      const named = own.findIndex((draft) => isOurAlias(draft.existing?.controller.alias));
      const bridge = own[named] ?? { ...newBridge, joining: [] };
      own.splice(named < 0 ? own.length : named, 1, { ...bridge, forAll: true });
    }
    drafts.push(...own);
  }
  return drafts;
}

const hasDevice = ({ inPlace, joining }: BridgeDraft): boolean => inPlace.length + joining.length > 0;

/** How many ports a draft lacks for what joins it, and how many more for the spare ones. */
export function lackingPorts(
  { joining, freePorts }: Pick<BridgeDraft, 'joining' | 'freePorts'>,
  sparePorts: number,
): { joining: number; spare: number } {
  const forJoining = Math.max(0, joining.length - freePorts.length);
  const left = Math.max(0, freePorts.length - joining.length);
  return { joining: forJoining, spare: Math.max(0, sparePorts - left) };
}

/** Every device that will be behind a draft's bridge. */
export function draftDevices({ inPlace, joining }: BridgeDraft): readonly HostDevice[] {
  return [...inPlace, ...joining.flatMap((move) => move.functions.map((f) => f.device))];
}
