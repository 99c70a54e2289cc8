import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { expanderBusFull } from '../diagnostics/expander-buses.js';
import type { ControllerIndex } from '../domain/address.js';
import { isVsmmuAlias, smmuOfAlias } from '../domain/alias.js';
import { MAX_SLOT, type PciController } from '../domain/controller.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import { assignIommus, hasCommandQueues, type Iommu, MAX_CMDQV_DEVICES } from '../domain/iommu.js';
import type { PciTree } from '../domain/pci-tree.js';
import type { VsmmuValues } from '../domain/vsmmu-attributes.js';
import type { Host } from '../host/host.js';
import { freeBusNumbersOf } from './bus-numbers.js';
import type { CurrentExpanderBus, SlotMove, SlotMoves } from './slots.js';
import { commonFormerVsmmu, type PlanContext } from './stage.js';
import { planVsmmu, unchangedDiagnostics, type ValueRequest } from './vsmmu.js';

/** The expander buses of a domain, by controller index, and the `<iommu>` of `pcie.0`. */
export interface CurrentTopology {
  readonly expanderBuses: ReadonlyMap<ControllerIndex, CurrentExpanderBus>;
  readonly rootIommu: Iommu | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/** Reads the expander buses and IOMMUs of a domain, and reports combinations that QEMU refuses (QEMU 11.1, libvirt 12.8). */
export function readCurrentTopology(domain: Domain, tree: PciTree, host: Host): CurrentTopology {
  const expanderBuses = new Map<ControllerIndex, CurrentExpanderBus>();
  const { iommuOf, rootIommu, conflicts } = assignIommus(domain.iommus, tree);
  for (const controller of tree.expanders) {
    const iommu = iommuOf.get(controller.index);
    const named = smmuOfAlias(controller.alias, host.smmus);
    const emulated = domain.otherDevices.filter((d) => d.address && tree.rootOf(d.address.bus) === controller.index);
    // Skip an expander bus without a vSMMU, unless vsmmu added it and it has no emulated device.
    if (!iommu && (!named || emulated.length > 0)) continue;
    // Emulated devices may be behind an emulated SMMU; host devices may not.
    const isEmulated = iommu?.values.accel !== 'on' && emulated.length > 0;
    const behind = domain.hostDevices.filter((d) => d.address && tree.rootOf(d.address.bus) === controller.index);
    const smmu = isEmulated ? undefined : (named ?? host.smmuOfMost(behind));
    expanderBuses.set(controller.index, { controller, iommu, smmu });
  }
  const diagnostics = conflicts.map(({ found }) => found);
  return { expanderBuses, rootIommu, diagnostics };
}

/** An expander bus before numbers are assigned: its SMMU, its present devices and the devices that join it. */
export interface ExpanderBusRequest {
  readonly smmu: string;
  /** The existing expander bus; undefined for a new one. */
  readonly existing: CurrentExpanderBus | undefined;
  /** Ports of the existing expander bus that are empty, or will be once their devices leave, by index. */
  readonly freePorts: readonly PciController[];
  /** Devices that are already in the right place. */
  readonly inPlace: readonly HostDevice[];
  /** Slots of devices that need one port each. */
  readonly joining: readonly SlotMove[];
  /** All devices that will be behind it. */
  readonly devices: readonly HostDevice[];
  /** How many new ports it has bus numbers and slots for. */
  readonly room: number;
  /** The values of its vSMMU; undefined if it gets none. */
  readonly vsmmu: VsmmuValues | undefined;
  /** The diagnostics of these values. */
  readonly diagnostics: readonly Diagnostic[];
}

/** The expander buses that a domain will have. */
export interface ExpanderBusRequests {
  /** In the order of the SMMUs' addresses, which is also the order of their bus numbers. */
  readonly requests: readonly ExpanderBusRequest[];
  /**
   * Expander buses with an accelerated vSMMU that stay as they are, because neither an alias nor
   * a device identifies their SMMU.
   */
  readonly others: readonly CurrentExpanderBus[];
  readonly diagnostics: readonly Diagnostic[];
}

/** A request without its vSMMU. */
type Draft = Omit<ExpanderBusRequest, 'devices' | 'vsmmu' | 'diagnostics'>;

/** Slots of an expander bus, each for one root port. */
const SLOTS = MAX_SLOT + 1;

/**
 * Decides which expander buses the domain will have (rules "Grouping" and "Existing topology"): the existing ones, and one for each
 * further SMMU that has a device to place (`grouping: "smmu"`) or for each further device slot (`"device"`). With
 * `expanderBuses: "all"`, each remaining SMMU gets one, too. If an expander bus has no bus number or slot left for a device,
 * the device gets another expander bus.
 */
export function requestExpanderBuses(
  context: PlanContext,
  current: CurrentTopology,
  slots: Pick<SlotMoves, 'moves' | 'leaving'>,
): ExpanderBusRequests {
  const { host, policy } = context;
  const requests: ExpanderBusRequest[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const { name: smmu } of host.smmus) {
    const present = [...current.expanderBuses.values()]
      .filter((expanderBus) => expanderBus.smmu === smmu)
      .map((expanderBus) => draftOf(expanderBus, smmu, context, slots.leaving));
    const joining = slots.moves.filter((move) => move.smmu === smmu);
    const { drafts, overflow } = assignSlots(present, smmu, joining, context);
    diagnostics.push(...overflow);
    const hasDevice = drafts.some((draft) => devicesOf(draft).length > 0);
    // An expander bus without an alias for its SMMU belongs to no SMMU once its devices are gone.
    const named = drafts.find((draft) => isVsmmuAlias(draft.existing?.controller.alias));
    const spare = policy.expanderBuses === 'all' && !hasDevice ? (named ?? newDraft(smmu, [])) : undefined;
    if (spare && !named) drafts.push(spare);
    requests.push(...drafts.map((draft) => withVsmmu(draft, draft === spare, context)));
  }
  const requested = new Set(requests.map(({ existing }) => existing?.controller.index));
  const others = [...current.expanderBuses.values()].filter(
    ({ controller, iommu }) => iommu?.values.accel === 'on' && !requested.has(controller.index),
  );
  const unchanged = others.flatMap((each) => unchangedDiagnostics(each.controller.index, each.iommu, context.target));
  return { requests, others, diagnostics: [...unchanged, ...diagnostics] };
}

function draftOf(
  existing: CurrentExpanderBus,
  smmu: string,
  { domain, tree }: PlanContext,
  leaving: SlotMoves['leaving'],
): Draft {
  const { index } = existing.controller;
  const inPlace = domain.hostDevices.filter(
    (d) => d.address && !d.unassigned && !leaving.has(d) && tree.rootOf(d.address.bus) === index,
  );
  const room = Math.min(freeBusNumbersOf(existing.controller, tree), SLOTS - tree.takenSlots(index).size);
  return { smmu, existing, freePorts: tree.freePorts(index, leaving), inPlace, joining: [], room };
}

function newDraft(smmu: string, joining: readonly SlotMove[]): Draft {
  return { smmu, existing: undefined, freePorts: [], inPlace: [], joining, room: SLOTS };
}

/** Assigns slots to the expander buses of their SMMU: first to existing ones while they have room, then to new ones. */
function assignSlots(
  present: readonly Draft[],
  smmu: string,
  slots: readonly SlotMove[],
  context: PlanContext,
): { readonly drafts: Draft[]; readonly overflow: readonly Diagnostic[] } {
  const { grouping, mirrorSwitches } = context.policy;
  const onePerDevice = grouping === 'device';
  let rest = slots;
  /** Moves the first slots to an expander bus: as many as it has space for, with no more devices than its vSMMU takes. */
  const join = (draft: Draft, space: number): Draft => {
    const limit = deviceLimit({ ...draft, joining: rest }, context);
    let [count, devices] = [0, draft.inPlace.length];
    for (const { functions } of rest.slice(0, space)) {
      devices += functions.length;
      if (devices > limit) break;
      count++;
    }
    const joining = rest.slice(0, count);
    rest = rest.slice(count);
    return { ...draft, joining };
  };
  const drafts = present.map((draft): Draft => {
    const space = draft.freePorts.length + draft.room;
    return join(draft, onePerDevice ? Math.min(space, draft.inPlace.length === 0 ? 1 : 0) : space);
  });
  const overflow: Diagnostic[] = [];
  while (rest[0]) {
    const full = drafts.at(-1);
    const wanted = rest[0].functions.length;
    // A switch provides further slots.
    const further = join(newDraft(smmu, []), onePerDevice ? 1 : mirrorSwitches ? rest.length : SLOTS);
    drafts.push(further);
    if (!full || onePerDevice) continue;
    const devices = devicesOf(further);
    const limit = deviceLimit(full, context);
    overflow.push(
      expanderBusFull({
        devices: devices.map(({ bdf }) => bdf),
        smmu,
        full: full.existing?.controller.index,
        limit: devicesOf(full).length + wanted > limit ? limit : undefined,
        location: devices[0]?.location,
      }),
    );
  }
  return { drafts, overflow };
}

/** Returns how many devices can be behind the vSMMU of an expander bus: its command queues limit them. */
function deviceLimit(draft: Draft, context: PlanContext): number {
  const { values } = planVsmmu(valueRequest(draft, context));
  const { features } = context.host.smmu(draft.smmu) ?? {};
  return hasCommandQueues(values, features, context.target) ? MAX_CMDQV_DEVICES : Number.POSITIVE_INFINITY;
}

function devicesOf({ inPlace, joining }: Draft): readonly HostDevice[] {
  return [...inPlace, ...joining.flatMap((move) => move.functions.map((f) => f.device))];
}

/**
 * Adds the vSMMU of an expander bus. Without a device, an expander bus has a vSMMU only if policy demands one, or if its
 * existing vSMMU has every value.
 */
function withVsmmu(draft: Draft, mandatory: boolean, context: PlanContext): ExpanderBusRequest {
  const devices = devicesOf(draft);
  const request = valueRequest(draft, context);
  const { values, missing, diagnostics } = planVsmmu(request);
  const isActive = mandatory || request.hasDevices || (draft.existing?.iommu && missing.length === 0);
  return { ...draft, devices, vsmmu: isActive ? values : undefined, diagnostics: isActive ? diagnostics : [] };
}

function valueRequest(draft: Draft, { host, policy, target, former }: PlanContext): ValueRequest {
  const { smmu, existing } = draft;
  const devices = devicesOf(draft);
  const hasDevices = devices.length > 0;
  const onHost = hasDevices ? devices.flatMap(({ bdf }) => host.device(bdf) ?? []) : host.endpointsBehind(smmu);
  const { features, registers } = host.smmu(smmu) ?? {};
  const present = existing?.iommu;
  const kept = present?.values ?? commonFormerVsmmu(devices, former)?.values;
  return { smmu, devices: onHost, hasDevices, policy, target, features, registers, present, kept };
}
