import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { vsmmuValueInvalid } from '../diagnostics/vsmmu.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import { missingCells } from '../domain/numa.js';
import { ROOT_BUS } from '../domain/pci-tree.js';
import { invalidValues } from '../domain/vsmmu-attributes.js';
import type { Device, ExpanderBus, Plan } from '../generated/plan.js';
import { projectDistances } from './distances.js';
import type { ExpanderBusRequest } from './expander-buses.js';
import { planInitiators } from './initiators.js';
import { type LocatedDevice, planPciHole64 } from './mmio.js';
import { type CellChoice, type CellMap, chooseCell } from './numa.js';
import type { NumberedExpanderBus } from './numbers.js';
import { changesOf, commonFormerVsmmu, type PlanContext, type StageResult } from './stage.js';
import { vsmmuChange } from './vsmmu.js';

/**
 * Returns the NUMA cell of an expander bus (rule "NUMA"). Without a vSMMU, the expander bus keeps its cell. An expander
 * bus that replaces others keeps their cell if no cell stands for the host node of its devices.
 */
export function cellOf(request: ExpanderBusRequest, cells: CellMap, { host, former }: PlanContext): CellChoice {
  const controller = request.existing?.controller;
  const before = controller?.node ?? null;
  if (!request.vsmmu) return { node: before, diagnostics: [] };
  const devices = request.devices.flatMap((d) => host.device(d.bdf) ?? []);
  const chosen = chooseCell({ smmu: request.smmu, devices, before, location: controller?.location }, cells, host);
  const node = commonFormerVsmmu(request.devices, former)?.node ?? null;
  return chosen.node === null && node !== null ? { node, diagnostics: [] } : chosen;
}

/** Returns the expander buses for the plan, with their NUMA cells and their vSMMUs. */
export function planExpanderBuses(
  numbered: readonly NumberedExpanderBus[],
  cells: CellMap,
  context: PlanContext,
): Pick<StageResult, 'changes'> & { readonly expanderBuses: readonly ExpanderBus[] } {
  const expanderBuses = numbered.map((each): ExpanderBus => {
    const { existing, vsmmu, window, smmu, controllerIndex, address, alias, ports } = each;
    return {
      smmu,
      controllerIndex,
      busNr: window.busNr,
      busNumbers: window.count,
      address,
      alias,
      kept: existing !== undefined,
      vsmmu: vsmmu ?? {},
      vsmmuChange: vsmmuChange(existing?.iommu, vsmmu, context.target),
      node: cellOf(each, cells, context).node,
      nodeBefore: existing?.controller.node ?? null,
      ports,
    };
  });
  const changes = expanderBuses.flatMap(({ controllerIndex, kept, node, nodeBefore, vsmmuChange: change }) => [
    ...changesOf('set', 'controller', kept && node !== nodeBefore ? [controllerIndex] : []),
    ...(change === 'none' ? [] : changesOf(change, 'iommu', [controllerIndex])),
  ]);
  return { expanderBuses, changes };
}

/** The changes to memory and NUMA cells that the devices need. */
interface Platform extends StageResult {
  /** The devices with the cells of their Generic Initiators. */
  readonly devices: readonly Device[];
  readonly numa: Plan['numa'];
  readonly pcihole64: Plan['pcihole64'];
}

/** The decisions of the earlier stages. */
interface PlatformRequest {
  readonly cells: CellMap;
  readonly numbered: readonly NumberedExpanderBus[];
  readonly expanderBuses: readonly ExpanderBus[];
  /** Every placeable device with its place. */
  readonly devices: ReadonlyMap<HostDevice, Device>;
}

/** Plans NUMA cells and 64-bit MMIO space (rules "pcihole64" and "Generic Initiators") for devices whose places are known. */
export function planPlatform(context: PlanContext, request: PlatformRequest): Platform {
  const { domain, host, policy } = context;
  const { cells, expanderBuses, devices } = request;
  const placed = [...devices].flatMap(([device, { verdict }]) => (verdict === 'placed' ? [device] : []));
  const initiators = planInitiators(placed, host, cells, policy);
  const distances = projectDistances(cells, initiators, host, policy.initiatorDistance);
  const bars = guestBars(context, request);
  const { nodesets } = initiators;
  const hole = planPciHole64({ domain, expanderBuses, devices: bars, policy, addressBits: host.addressBits });
  const others = domain.hostDevices.filter(({ bdf }) => !nodesets.has(bdf));
  const added = [...(cells.created ? [cells.created] : []), ...initiators.added];
  return {
    devices: [...devices.values()].map((each) => ({ ...each, nodeset: nodesets.get(each.bdf) ?? each.nodeset })),
    numa: { created: cells.created, initiators: initiators.added, distances: distances.added },
    pcihole64: hole.change,
    diagnostics: [
      ...initiators.diagnostics,
      ...distances.diagnostics,
      ...hole.diagnostics,
      ...missingCells(others, cells),
      ...invalidValueDiagnostics(domain, expanderBuses),
    ],
    changes: [
      ...changesOf('add', 'cell', added, ({ cell }) => cell),
      ...changesOf('set', 'domain', hole.change ? ['pcihole64'] : []),
    ],
  };
}

/** Returns the devices of the guest, each with the root bus that it will be below. */
function guestBars({ tree, host }: PlanContext, { numbered, devices }: PlatformRequest): LocatedDevice[] {
  const rootOf = new Map(numbered.flatMap((each) => each.devices.map((own) => [own, each.controllerIndex] as const)));
  return [...devices].flatMap(([device, { to, verdict }]) => {
    const onHost = host.device(device.bdf);
    if (!onHost || device.unassigned) return [];
    const root = rootOf.get(device) ?? (to ? tree.rootOf(to.bus) : ROOT_BUS);
    return [{ device: onHost, address: to ?? undefined, root, placed: verdict === 'placed' }];
  });
}

/** Reports vSMMUs whose values, as planned or unchanged, QEMU refuses at start. */
export function invalidValueDiagnostics(domain: Domain, expanderBuses: readonly ExpanderBus[]): Diagnostic[] {
  const planned = new Map(expanderBuses.map((expanderBus) => [expanderBus.controllerIndex, expanderBus]));
  return domain.iommus
    .filter((iommu) => iommu.model === 'smmuv3')
    .flatMap(({ pciBus, values, location }) => {
      const after = pciBus === undefined ? values : (planned.get(pciBus)?.vsmmu ?? values);
      const bad = invalidValues(after);
      return bad.length > 0 ? [vsmmuValueInvalid({ values: bad, location })] : [];
    });
}
