import { type Diagnostic, diagnostic, RefusedError } from '../diagnostics.js';
import { type ControllerIndex, formatGuestAddress } from '../domain/address.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import { type Iommu, VSMMU_ATTRIBUTES, type VsmmuValues } from '../domain/iommu.js';
import { reserveOf } from '../domain/overrides.js';
import { PciTree } from '../domain/pci-tree.js';
import type { Bridge, Device, Plan, Renumbered } from '../generated/plan.js';
import type { PciDevice } from '../generated/topology.js';
import type { Host } from '../host/host.js';
import { commandlineConflicts, whyNoAcceleration, whyNotOurs } from './applicable.js';
import { type Budget, layoutBudgets, overruns, type Saving, vsmmuBudget } from './budgets.js';
import { assignBusNumbers, BUS_NUMBERS, type BusNumbers, type Window, type WindowRequest } from './bus-numbers.js';
import { type BridgeDraft, draftBridges } from './drafts.js';
import { type Existing, findExisting } from './existing.js';
import { nodesetOf } from './initiators.js';
import { type Backends, decideBackends } from './iommufd.js';
import { type BridgeLayout, type Layout, layOut } from './layout.js';
import { type CellMap, mapCells } from './numa.js';
import { cellOfDraft, planPlatform } from './platform.js';
import type { Policy } from './policy.js';
import { findSavings, mergeFunctions } from './savings.js';
import { partSlots, type SlotMove } from './slots.js';
import { spareBytes } from './spare-memory.js';
import { type Target, UPSTREAM, whyNoTarget } from './target.js';
import { judgeDevices, type Verdict } from './verdict.js';
import { missingValues, unsupportedValues, vsmmuValues } from './vsmmu.js';

/** What a plan may rest on beyond the policy. */
export interface PlanOptions {
  /** Takes a domain that is not of type `kvm`: QEMU will not accelerate it. For test labs. */
  readonly forceTcg?: boolean;
  /** The libvirt and the QEMU that the domain is for; today's upstream where it is missing. */
  readonly target?: Target;
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
  const note = whyNotOurs(domain);
  if (note) return { plan: emptyPlan(domain, host, new Map()), diagnostics: [note] };
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
  readonly #target: Target;
  readonly #tree: PciTree;
  readonly #diagnostics: Diagnostic[] = [];

  constructor(domain: Domain, host: Host, policy: Policy, options: PlanOptions) {
    this.#domain = domain;
    this.#host = host;
    this.#policy = policy;
    this.#options = options;
    this.#target = options.target ?? UPSTREAM;
    this.#tree = new PciTree(domain);
  }

  plan(): Planned {
    const domain = this.#domain;
    const verdicts = judgeDevices(domain, this.#host, this.#policy);
    const existing = findExisting(domain, this.#tree, this.#host);
    this.#collect(verdicts.diagnostics, existing.diagnostics);
    if (!this.#policy.ignoreCommandline) this.#collect(commandlineConflicts(domain));
    this.#refuse();

    const { moves, renumbered } = partSlots(domain, this.#tree, verdicts.of, existing.bridges);
    const drafts = draftBridges(domain, this.#tree, this.#host, this.#policy, existing, moves);
    if (drafts.length > 0) {
      this.#collect(
        whyNoAcceleration(domain, this.#options.forceTcg ?? false),
        whyNoTarget(this.#target, this.#policy),
      );
    }
    const machineIommu = this.#machineIommu(existing, verdicts.of, drafts.length > 0);
    this.#refuse();

    const cells = mapCells(domain.numa, this.#host, drafts.length > 0 ? this.#policy.numa : 'existing');
    const { layout, numbers, budgets } = this.#allot(existing, drafts, moves, machineIommu);
    const bridges = layout.bridges.map((bridge, i) => this.#bridge(bridge, numbers.windows[i], cells));
    this.#collect(overruns(budgets, () => this.#savings(moves, machineIommu)));
    this.#refuse();

    const backends = decideBackends(domain, this.#host, this.#policy, verdicts.of);
    this.#collect(backends.diagnostics);
    const { devices, numa, pcihole64, diagnostics } = planPlatform({
      domain,
      tree: this.#tree,
      host: this.#host,
      policy: this.#policy,
      cells,
      bridges,
      drafts,
      devices: this.#devices(verdicts.of, layout, renumbered, backends),
    });
    this.#collect(diagnostics);
    this.#refuse();

    this.#tellRenumbered(renumbered);
    const changed =
      machineIommu !== 'none' ||
      layout.rootPorts.length > 0 ||
      verdicts.companions.length > 0 ||
      bridges.some((b) => b.ports.some((p) => p.reserve !== reserveOf(domain.overrides, p.alias))) ||
      backends.domain !== 'none' ||
      renumbered.length > 0 ||
      pcihole64 !== null ||
      numa.created !== null ||
      numa.initiators.length > 0 ||
      bridges.some(
        (b) => !b.kept || b.node !== b.nodeBefore || b.vsmmuChange !== 'none' || b.ports.some((p) => !p.kept),
      ) ||
      domain.hostDevices.some((device) => layout.addresses.has(device) || backends.devices.has(device));
    const plan: Plan = {
      version: 1,
      changed,
      bridges,
      rootPorts: [...layout.rootPorts],
      devices: [...devices],
      companions: [...verdicts.companions],
      renumbered: [...renumbered],
      iommufd: backends.domain,
      ssidsizeAttribute: this.#target.libvirt.ssidsize,
      machineIommu,
      busNumbers: [...numbers.ledger],
      numa,
      pcihole64,
    };
    if (changed && bridges.some((b) => b.vsmmuChange === 'add')) {
      this.#collect([
        diagnostic('acceleration-cost', 'the domain can no longer be migrated, saved, or snapshotted with its memory'),
      ]);
    }
    return { plan, diagnostics: this.#diagnostics };
  }

  /** Gives everything that is to be added its place and its numbers; nothing here fails. */
  #allot(
    existing: Existing,
    drafts: readonly BridgeDraft[],
    moves: readonly SlotMove[],
    machineIommu: Plan['machineIommu'],
  ): { layout: Layout; numbers: BusNumbers; budgets: readonly Budget[]; narrow: boolean } {
    const translated = this.#translatedByOthers(existing, drafts);
    const layout = layOut({
      domain: this.#domain,
      tree: this.#tree,
      drafts,
      moves,
      isActive: (draft) => this.#isActive(draft),
      sparePorts: this.#policy.sparePorts,
      switchOf: (move) => (this.#policy.mirrorSwitches ? this.#switchOf(move) : undefined),
      spareMemory: spareBytes(this.#policy),
      translated,
    });
    const requests = layout.bridges.map((bridge) => this.#windowRequest(bridge));
    const numbers = assignBusNumbers(this.#tree, requests, layout.rootDemand);
    this.#collect(layout.diagnostics, numbers.diagnostics);
    const { ledger, fits } = numbers;
    const active = drafts.filter((draft) => this.#isActive(draft)).length;
    const drafted = new Set(drafts.map((draft) => draft.existing?.controller.index));
    const others = [...existing.bridges.values()].filter((b) => b.iommu && !drafted.has(b.controller.index)).length;
    const root = existing.rootIommu && machineIommu !== 'drop' ? 1 : 0;
    const budgets = [
      { code: 'bus-numbers-exhausted', what: 'PCI bus numbers', limit: BUS_NUMBERS, ledger, fits } as const,
      ...layoutBudgets(this.#tree, layout),
      vsmmuBudget(active, others, root),
    ];
    return { layout, numbers, budgets, narrow: requests.some(outgrows) };
  }

  /** The upstream port of the switch that a device is below on the host; a port of a root complex alone is no switch. */
  #switchOf({ functions: [first] }: SlotMove): string | undefined {
    const device = first && this.#host.device(first.device.bdf);
    const [downstream, upstream, root] = device ? this.#host.bridgesAbove(device) : [];
    return downstream && root && upstream?.bdf;
  }

  /** What would save something of what does not suffice, found by planning as if. */
  #savings(moves: readonly SlotMove[], machineIommu: Plan['machineIommu']): readonly Saving[] {
    return findSavings(this.#policy, moves, (policy, merge) =>
      new Planner(this.#domain, this.#host, policy, this.#options).#budgets(
        merge ? mergeFunctions(moves) : moves,
        machineIommu,
      ),
    );
  }

  #budgets(moves: readonly SlotMove[], machineIommu: Plan['machineIommu']): readonly Budget[] {
    const existing = findExisting(this.#domain, this.#tree, this.#host);
    const drafts = draftBridges(this.#domain, this.#tree, this.#host, this.#policy, existing, moves);
    const { budgets, narrow } = this.#allot(existing, drafts, moves, machineIommu);
    // Windows that the policy makes too small are no way out.
    return narrow ? budgets.map((each) => ({ ...each, fits: false })) : budgets;
  }

  #collect(...lists: readonly (readonly Diagnostic[])[]): void {
    this.#diagnostics.push(...lists.flat());
  }

  /** @throws RefusedError with everything found so far, as soon as an error is among it */
  #refuse(): void {
    if (this.#diagnostics.some((d) => d.severity === 'error')) throw new RefusedError(this.#diagnostics);
  }

  /** What becomes of an SMMU of `pcie.0` (rule 13): QEMU 11.1 takes none for the machine beside those of bridges. */
  #machineIommu(
    existing: Existing,
    verdicts: ReadonlyMap<HostDevice, Verdict>,
    bridged: boolean,
  ): Plan['machineIommu'] {
    const { rootIommu } = existing;
    if (!rootIommu) return 'none';
    const { place } = rootIommu;
    if (rootIommu.values.accel === 'on') {
      this.#collect([
        diagnostic('iommu-conflict', 'the SMMU of pcie.0 is accelerated: emulated devices cannot be behind it', {
          place,
        }),
      ]);
      return 'none';
    }
    const staying = [...verdicts].filter(([device, { smmu }]) => smmu === undefined && !device.unassigned);
    if (staying.length === 0) return bridged && rootIommu.pciBus === undefined ? 'pcie-root' : 'none';
    if (this.#policy.emulatedIommu === 'drop') return 'drop';
    const names = staying.map(([device]) => device.bdf).join(', ');
    this.#collect([
      diagnostic(
        'iommu-conflict',
        `${names} would be behind the emulated SMMU of pcie.0, where no host device can be`,
        {
          place,
          hint: 'remove that <iommu>, or give --emulated-iommu drop',
        },
      ),
    ]);
    return 'none';
  }

  /** Whether a bridge is to have a vSMMU: one without a device only where it is wanted for all SMMUs or has all its values. */
  #isActive(draft: BridgeDraft): boolean {
    if (draft.inPlace.length + draft.joining.length > 0 || draft.forAll) return true;
    return draft.existing?.iommu !== undefined && missingValues(this.#values(draft), this.#target).length === 0;
  }

  /**
   * Expander buses with an accelerated vSMMU that stay as they are, since neither a name nor a device tells whose they
   * are. It starts only with all its values, since nothing will be behind it.
   */
  #translatedByOthers(existing: Existing, drafts: readonly BridgeDraft[]): ControllerIndex[] {
    const drafted = new Set(drafts.map((draft) => draft.existing?.controller.index));
    return [...existing.bridges.values()].flatMap(({ controller, iommu }) => {
      if (iommu?.values.accel !== 'on' || drafted.has(controller.index)) return [];
      const missing = missingValues(iommu.values, this.#target);
      if (missing.length > 0) {
        this.#collect([
          diagnostic(
            'vsmmu-values-missing',
            `the vSMMU of PCI controller ${controller.index} has no device to read ${missing.join(', ')} off`,
            { place: iommu.place, hint: 'remove that <iommu>, or give these values in its <driver>' },
          ),
        ]);
      }
      return [controller.index];
    });
  }

  /** The host's devices behind a bridge; of one without, those that could be. */
  #devicesBehind(draft: BridgeDraft): readonly PciDevice[] {
    const own = [...draft.inPlace, ...draft.joining.flatMap((m) => m.functions.map((f) => f.device))];
    if (own.length === 0) return this.#host.endpointsBehind(draft.smmu);
    return own.flatMap((device) => this.#host.device(device.bdf) ?? []);
  }

  #values(draft: BridgeDraft): VsmmuValues {
    return vsmmuValues(this.#devicesBehind(draft), this.#policy, this.#target, draft.existing?.iommu?.values);
  }

  #windowRequest({ draft, ports }: BridgeLayout): WindowRequest {
    const { busWindow } = this.#policy;
    const kept = draft.existing?.controller;
    const below = kept ? this.#tree.busesBelow(kept.index).length : 0;
    const needed = 1 + below + ports.filter((p) => !p.kept).length;
    const taker = `the bridge of ${draft.smmu}`;
    const request = { controllerIndex: kept?.index, taker, needed, window: busWindow };
    if (outgrows(request)) {
      this.#collect([
        diagnostic(
          'bus-window-too-small',
          `${taker} needs ${needed} bus numbers, and --bus-window gives it ${busWindow}`,
          {
            hint: `give --bus-window ${needed} or more`,
          },
        ),
      ]);
    }
    return request;
  }

  #bridge(layout: BridgeLayout, window: Window | undefined, cells: CellMap): Bridge {
    const { draft, controllerIndex, address, alias, ports } = layout;
    const { existing, smmu } = draft;
    const active = this.#isActive(draft);
    const vsmmu = active ? this.#values(draft) : {};
    const nodeBefore = existing?.controller.node ?? null;
    const cell = active ? cellOfDraft(draft, this.#host, cells) : { node: nodeBefore, diagnostics: [] };
    this.#collect(cell.diagnostics);
    if (active) this.#tellUnsupported(draft);
    if (active && draft.inPlace.length + draft.joining.length === 0) {
      const missing = missingValues(vsmmu, this.#target);
      if (missing.length > 0) {
        this.#collect([
          diagnostic('vsmmu-values-missing', `the bridge of ${smmu} has no device to read ${missing.join(', ')} off`, {
            hint: `give ${missing.map((name) => `--${name}`).join(' ')}`,
          }),
        ]);
      }
    }
    return {
      smmu,
      controllerIndex,
      // Without a window the plan is refused before anybody reads this.
      busNr: window?.busNr ?? existing?.controller.busNr ?? (0 as Bridge['busNr']),
      busNumbers: window?.count ?? 1,
      address,
      alias,
      kept: existing !== undefined,
      vsmmu: { ...vsmmu },
      vsmmuChange: vsmmuChange(existing?.iommu, active ? vsmmu : undefined, this.#target),
      node: cell.node,
      nodeBefore,
      ports: [...ports],
    };
  }

  #devices(
    verdicts: ReadonlyMap<HostDevice, Verdict>,
    layout: Layout,
    renumbered: readonly Renumbered[],
    backends: Backends,
  ): Device[] {
    return this.#domain.hostDevices.map((device) => {
      const described = describe(device, this.#host, verdicts.get(device));
      const moved = layout.addresses.get(device);
      const { address } = device;
      const becomesZero =
        address && renumbered.find(({ from }) => formatGuestAddress(from) === formatGuestAddress(address));
      const placed = described.verdict === 'placed';
      if (moved) {
        const from = device.address ? `from ${formatGuestAddress(device.address)}` : 'from nowhere yet';
        const behind = placed ? `behind the vSMMU of ${described.smmu}` : 'behind no vSMMU';
        this.#collect([
          diagnostic('device-moved', `${device.bdf} moves ${from} to ${formatGuestAddress(moved.address)}, ${behind}`, {
            place: device.place,
          }),
        ]);
      }
      return {
        ...described,
        to: moved?.address ?? becomesZero?.to ?? address ?? null,
        multifunction: moved?.multifunction ?? (device.multifunction || (becomesZero?.multifunction ?? false)),
        iommufd: backends.devices.has(device) ? 'yes' : (device.iommufd ?? null),
      };
    });
  }

  #tellUnsupported(draft: BridgeDraft): void {
    const { libvirt, qemu } = this.#target;
    for (const { name, value, severity } of unsupportedValues(this.#devicesBehind(draft), this.#policy, this.#target)) {
      const who = libvirt.vsmmu.has(name) ? qemu.name : libvirt.name;
      const message = `${who} cannot give the vSMMU of ${draft.smmu} ${name}='${value}'`;
      this.#collect([diagnostic('target-value-unsupported', message, { severity })]);
    }
  }

  #tellRenumbered(renumbered: readonly Renumbered[]): void {
    for (const { from, to } of renumbered) {
      const occupant = this.#tree.inSlot(from).find((o) => o.address?.function === from.function);
      const name = occupant && 'bdf' in occupant ? occupant.bdf : `<${occupant?.element.name}>`;
      const move = `moves from ${formatGuestAddress(from)} to ${formatGuestAddress(to)}, since function 0 of its slot leaves`;
      this.#collect([diagnostic('device-moved', `${name} ${move}`, { place: occupant?.place })]);
    }
  }
}

/** Whether a new bridge needs more bus numbers than the policy gives each. */
function outgrows({ controllerIndex, needed, window }: WindowRequest): boolean {
  return window > 0 && controllerIndex === undefined && needed > window;
}

function vsmmuChange(before: Iommu | undefined, after: VsmmuValues | undefined, target: Target): Bridge['vsmmuChange'] {
  if (!before) return after ? 'add' : 'none';
  if (!after) return 'remove';
  const respelled = before.spellings.some((name) => name !== target.libvirt.ssidsize);
  return respelled || VSMMU_ATTRIBUTES.some((name) => before.values[name] !== after[name]) ? 'set' : 'none';
}

/** A placeable device as it is now, with the verdict on it. */
function describe(device: HostDevice, host: Host, verdict: Verdict | undefined): Device {
  const onHost = host.device(device.bdf);
  return {
    bdf: device.bdf,
    element: device.name,
    verdict: verdict?.smmu === undefined ? 'bypassed' : 'placed',
    reason: verdict?.smmu === undefined ? (verdict?.reason ?? 'domain-not-ours') : null,
    smmu: onHost?.smmu ?? null,
    group: onHost?.group ?? null,
    from: device.address ?? null,
    to: device.address ?? null,
    multifunction: device.multifunction,
    iommufd: device.iommufd ?? null,
    nodeset: nodesetOf(device) ?? null,
  };
}

/** The plan that changes nothing. */
function emptyPlan(domain: Domain, host: Host, verdicts: ReadonlyMap<HostDevice, Verdict>): Plan {
  return {
    version: 1,
    changed: false,
    bridges: [],
    rootPorts: [],
    devices: domain.hostDevices.map((device) => describe(device, host, verdicts.get(device))),
    companions: [],
    renumbered: [],
    iommufd: 'none',
    ssidsizeAttribute: 'ssidsize',
    machineIommu: 'none',
    busNumbers: [],
    numa: { created: null, initiators: [], distances: [] },
    pcihole64: null,
  };
}
