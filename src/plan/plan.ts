import { type Diagnostic, diagnostic, RefusedError } from '../diagnostics.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import { reserveOf } from '../domain/overrides.js';
import { PciTree } from '../domain/pci-tree.js';
import type { Plan } from '../generated/plan.js';
import type { Host } from '../host/host.js';
import { commandlineConflicts, whyNoAcceleration, whyNotApplicable } from './applicable.js';
import { type Budget, layoutBudgets, overruns, type Saving, vsmmuBudget } from './budgets.js';
import { assignBusNumbers, BUS_NUMBERS, type BusNumbers, type WindowRequest } from './bus-numbers.js';
import { type CurrentTopology, readCurrentTopology } from './current.js';
import { describeDevice, moveDiagnostics, planDevices } from './devices.js';
import { isActive, planExpanderBus, planOthers, type VsmmuContext, type WithDiagnostics } from './expander-buses.js';
import { decideBackends } from './iommufd.js';
import { mapCells } from './numa.js';
import { findOrphaned, type ManagedDevices, orphanedDiagnostics, withoutCells } from './orphaned.js';
import { planPlatform } from './platform.js';
import type { Policy } from './policy.js';
import { type ExpanderBusLayout, type Layout, layOut } from './ports.js';
import { type ExpanderBusRequest, overflowDiagnostics, requestExpanderBuses } from './requests.js';
import { planRootIommu } from './root-iommu.js';
import { findSavings, mergeFunctions } from './savings.js';
import { partSlots, type SlotMoves } from './slots.js';
import { spareBytes } from './spare-memory.js';
import { type Target, UPSTREAM, whyNoTarget } from './target.js';
import { judgeDevices } from './verdict.js';

/** What a plan may rest on beyond the policy. */
export interface PlanOptions {
  /** Takes a domain that is not of type `kvm`: QEMU will not accelerate it. For test labs. */
  readonly forceTcg?: boolean;
  /** The libvirt and the QEMU that the domain is for; today's upstream where it is missing. */
  readonly target?: Target;
  /** What earlier runs put into the domain for certain devices: it goes with them. Nothing where it is missing. */
  readonly ours?: ManagedDevices;
}

/** A plan and what there is to say about it: warnings and notes. */
export interface Planned {
  readonly plan: Plan;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Plans where each placeable device of a domain goes on a host. A pure function: the same domain, host and policy give
 * the same plan, and a domain that was rewritten by its plan gives one that changes nothing.
 * @throws RefusedError where the domain cannot be placed on this host; all reasons that could be found at once
 */
export function plan(domain: Domain, host: Host, policy: Policy, options: PlanOptions = {}): Planned {
  const note = whyNotApplicable(domain);
  if (note) return { plan: emptyPlan(domain, host), diagnostics: [note] };
  if (host.smmus.length === 0) {
    throw new RefusedError(diagnostic('host-without-smmu', 'the domain has host devices, and this host has no SMMUv3'));
  }
  return new Planner(domain, host, policy, options).plan();
}

class Planner {
  readonly #domain: Domain;
  readonly #host: Host;
  readonly #policy: Policy;
  readonly #options: PlanOptions;
  readonly #context: VsmmuContext;
  readonly #tree: PciTree;
  readonly #diagnostics: Diagnostic[] = [];

  constructor(domain: Domain, host: Host, policy: Policy, options: PlanOptions) {
    this.#domain = domain;
    this.#host = host;
    this.#policy = policy;
    this.#options = options;
    this.#context = { host, policy, target: options.target ?? UPSTREAM };
    this.#tree = new PciTree(domain);
  }

  plan(): Planned {
    const domain = this.#domain;
    const verdicts = judgeDevices(domain, this.#host, this.#policy);
    const existing = readCurrentTopology(domain, this.#tree, this.#host);
    this.#collect(verdicts.diagnostics, existing.diagnostics);
    if (!this.#policy.ignoreCommandline) this.#collect(commandlineConflicts(domain));
    this.#refuse();

    const slots = partSlots(domain, this.#tree, verdicts.of, existing.expanderBuses);
    const drafts = requestExpanderBuses(domain, this.#tree, this.#host, this.#policy, existing, slots);
    if (drafts.length > 0) {
      this.#collect(
        whyNoAcceleration(domain, this.#options.forceTcg ?? false),
        whyNoTarget(this.#context.target, this.#policy),
      );
    }
    const { change: machineIommu, diagnostics: conflicts } = planRootIommu(
      existing,
      verdicts.of,
      this.#policy,
      drafts.length > 0,
    );
    this.#collect(conflicts);
    this.#refuse();

    const orphaned = findOrphaned(
      domain,
      this.#host,
      this.#options.ours ?? { groupMembers: new Set(), cells: new Set() },
    );
    this.#collect(orphanedDiagnostics(orphaned));
    const guestNuma = withoutCells(domain.numa, orphaned.cells);
    const cells = mapCells(guestNuma, this.#host, drafts.length > 0 ? this.#policy.numa : 'existing');
    const { layout, numbers, budgets, diagnostics: found } = this.#allocate(existing, drafts, slots, machineIommu);
    this.#collect(found, overflowDiagnostics(drafts, this.#policy));
    const expanderBuses = layout.expanderBuses.map((expanderBus, i) =>
      this.#unwrap(planExpanderBus(expanderBus, numbers.windows[i], cells, this.#context)),
    );
    this.#collect(overruns(budgets, () => this.#savings(slots, machineIommu)));
    this.#refuse();

    const backends = decideBackends(domain, this.#host, this.#policy, verdicts.of);
    this.#collect(backends.diagnostics);
    const renumbered = [...slots.renumbered, ...layout.returned];
    const decisions = { verdicts: verdicts.of, addresses: layout.addresses, renumbered, backends };
    const { devices, numa, pcihole64, diagnostics } = planPlatform({
      domain,
      tree: this.#tree,
      host: this.#host,
      policy: this.#policy,
      cells,
      expanderBuses,
      drafts,
      devices: planDevices(domain, this.#host, decisions),
    });
    this.#collect(diagnostics);
    this.#refuse();

    this.#collect(moveDiagnostics(domain, this.#tree, devices, decisions));
    const changed =
      machineIommu !== 'none' ||
      layout.rootPorts.length > 0 ||
      verdicts.groupMembers.length > 0 ||
      expanderBuses.some((b) => b.ports.some((p) => p.reserve !== reserveOf(domain.overrides, p.alias))) ||
      backends.domain !== 'none' ||
      renumbered.length > 0 ||
      pcihole64 !== null ||
      numa.created !== null ||
      numa.initiators.length > 0 ||
      orphaned.groupMembers.length + orphaned.cells.length > 0 ||
      expanderBuses.some(
        (b) => !b.kept || b.node !== b.nodeBefore || b.vsmmuChange !== 'none' || b.ports.some((p) => !p.kept),
      ) ||
      domain.hostDevices.some((device) => layout.addresses.has(device) || backends.devices.has(device));
    const plan: Plan = {
      version: 1,
      changed,
      expanderBuses,
      rootPorts: [...layout.rootPorts],
      devices: [...devices],
      groupMembers: [...verdicts.groupMembers],
      orphaned: { groupMembers: [...orphaned.groupMembers], cells: [...orphaned.cells] },
      renumbered,
      iommufd: backends.domain,
      ssidsizeAttribute: this.#context.target.libvirt.ssidsize,
      machineIommu,
      busNumbers: [...numbers.ledger],
      numa,
      pcihole64,
    };
    if (changed && expanderBuses.some((b) => b.vsmmuChange === 'add')) {
      this.#collect([
        diagnostic('acceleration-cost', 'the domain can no longer be migrated, saved, or snapshotted with its memory'),
      ]);
    }
    return { plan, diagnostics: this.#diagnostics };
  }

  /**
   * Gives everything that is to be added its place and its numbers, with guards on `pcie.0` for the ports behind vSMMUs where
   * there is room for them.
   */
  #allocate(
    existing: CurrentTopology,
    drafts: readonly ExpanderBusRequest[],
    slots: SlotMoves,
    machineIommu: Plan['machineIommu'],
  ): Allocation {
    const guarded = this.#tryAllocation(existing, drafts, slots, machineIommu, true);
    const fits = guarded.budgets.every((each) => each.fits);
    return fits ? guarded : this.#tryAllocation(existing, drafts, slots, machineIommu, false);
  }

  #tryAllocation(
    existing: CurrentTopology,
    drafts: readonly ExpanderBusRequest[],
    { moves, emulated, leaving }: SlotMoves,
    machineIommu: Plan['machineIommu'],
    guarded: boolean,
  ): Allocation {
    const translated = planOthers(existing, drafts, this.#context.target);
    const layout = layOut({
      domain: this.#domain,
      tree: this.#tree,
      drafts,
      moves,
      emulated,
      leaving,
      guarded,
      isActive: (draft) => isActive(draft, this.#context),
      sparePorts: this.#policy.sparePorts,
      switchOf: (device) => (this.#policy.mirrorSwitches ? this.#switchOf(device) : undefined),
      spareMemory: spareBytes(this.#policy),
      translated: translated.result,
    });
    const requests = layout.expanderBuses.map((expanderBus) => this.#windowRequest(expanderBus));
    const numbers = assignBusNumbers(this.#tree, requests, layout.rootDemand, this.#policy.busWindow);
    const { ledger, fits } = numbers;
    const active = drafts.filter((draft) => isActive(draft, this.#context)).length;
    const drafted = new Set(drafts.map((draft) => draft.existing?.controller.index));
    const others = [...existing.expanderBuses.values()].filter(
      (b) => b.iommu && !drafted.has(b.controller.index),
    ).length;
    const root = existing.rootIommu && machineIommu !== 'drop' ? 1 : 0;
    const budgets = [
      { code: 'bus-numbers-exhausted', what: 'PCI bus numbers', limit: BUS_NUMBERS, ledger, fits } as const,
      ...layoutBudgets(this.#tree, layout),
      vsmmuBudget(active, others, root),
    ];
    const diagnostics = [...translated.diagnostics, ...layout.diagnostics, ...numbers.diagnostics];
    return { layout, numbers, budgets, diagnostics };
  }

  /** The upstream port of the switch that a device is below on the host; a port of a root complex alone is no switch. */
  #switchOf({ bdf }: HostDevice): string | undefined {
    const device = this.#host.device(bdf);
    const [downstream, upstream, root] = device ? this.#host.bridgesAbove(device) : [];
    return downstream && root && upstream?.bdf;
  }

  /** What would save something of what does not suffice, found by planning as if. */
  #savings(slots: SlotMoves, machineIommu: Plan['machineIommu']): readonly Saving[] {
    return findSavings(this.#policy, slots.moves, (policy, merge) => {
      // Wide default windows take what is free, and would hide what is saved.
      const narrow = policy.busWindow === 'auto' ? { ...policy, busWindow: 0 } : policy;
      const planner = new Planner(this.#domain, this.#host, narrow, this.#options);
      return planner.#budgets(merge ? { ...slots, moves: mergeFunctions(slots.moves) } : slots, machineIommu);
    });
  }

  #budgets(slots: SlotMoves, machineIommu: Plan['machineIommu']): readonly Budget[] {
    const existing = readCurrentTopology(this.#domain, this.#tree, this.#host);
    const drafts = requestExpanderBuses(this.#domain, this.#tree, this.#host, this.#policy, existing, slots);
    return this.#tryAllocation(existing, drafts, slots, machineIommu, false).budgets;
  }

  /** A result, its findings collected. */
  #unwrap<T>({ result, diagnostics }: WithDiagnostics<T>): T {
    this.#collect(diagnostics);
    return result;
  }

  #collect(...lists: readonly (readonly Diagnostic[])[]): void {
    this.#diagnostics.push(...lists.flat());
  }

  /** @throws RefusedError with everything found so far, as soon as an error is among it */
  #refuse(): void {
    if (this.#diagnostics.some((d) => d.severity === 'error')) throw new RefusedError(this.#diagnostics);
  }

  #windowRequest({ draft, ports }: ExpanderBusLayout): WindowRequest {
    const kept = draft.existing?.controller;
    const below = kept ? this.#tree.busesBelow(kept.index).length : 0;
    const needed = 1 + below + ports.filter((p) => !p.kept).length;
    return { controllerIndex: kept?.index, consumer: `the expander bus of ${draft.smmu}`, needed };
  }
}

/** Where everything goes that is to be added, and whether there is enough for it. */
interface Allocation {
  readonly layout: Layout;
  readonly numbers: BusNumbers;
  readonly budgets: readonly Budget[];
  readonly diagnostics: readonly Diagnostic[];
}

/** The plan that changes nothing. */
function emptyPlan(domain: Domain, host: Host): Plan {
  return {
    version: 1,
    changed: false,
    expanderBuses: [],
    rootPorts: [],
    devices: domain.hostDevices.map((device) => describeDevice(device, host, undefined)),
    groupMembers: [],
    orphaned: { groupMembers: [], cells: [] },
    renumbered: [],
    iommufd: 'none',
    ssidsizeAttribute: 'ssidsize',
    machineIommu: 'none',
    busNumbers: [],
    numa: { created: null, initiators: [], distances: [] },
    pcihole64: null,
  };
}
