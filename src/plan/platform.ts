import { type Diagnostic, diagnostic } from '../diagnostics.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import { formatNodeset, parseNodeset } from '../domain/numa.js';
import { type PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import type { Device, ExpanderBus, Plan } from '../generated/plan.js';
import type { Host } from '../host/host.js';
import { projectDistances } from './distances.js';
import { planInitiators } from './initiators.js';
import { type GuestBars, planPciHole64 } from './mmio.js';
import { type CellChoice, type CellMap, chooseCell } from './numa.js';
import type { Policy } from './policy.js';
import { draftDevices, type ExpanderBusRequest } from './requests.js';
import { invalidValues } from './vsmmu.js';

/** What the guest's memory and NUMA cells need for its devices, beyond their places. */
export interface Platform {
  /** The devices with the cells of their Generic Initiators. */
  readonly devices: readonly Device[];
  readonly numa: Plan['numa'];
  readonly pcihole64: Plan['pcihole64'];
  readonly diagnostics: readonly Diagnostic[];
}

/** What has been decided so far. */
export interface PlatformRequest {
  readonly domain: Domain;
  readonly tree: PciTree;
  readonly host: Host;
  readonly policy: Policy;
  readonly cells: CellMap;
  /** The expander buses, and the drafts that they were made of. */
  readonly expanderBuses: readonly ExpanderBus[];
  readonly drafts: readonly ExpanderBusRequest[];
  /** Every placeable device, in the order of the domain. */
  readonly devices: readonly Device[];
}

/** Plans NUMA cells and 64-bit MMIO space (rules "pcihole64" and "Generic Initiators") for devices whose places are known. */
export function planPlatform(request: PlatformRequest): Platform {
  const { domain, host, policy, cells, expanderBuses, devices } = request;
  const placed = domain.hostDevices.filter((_, i) => devices[i]?.verdict === 'placed');
  const initiators = planInitiators(placed, host, cells, policy);
  const distances = projectDistances(cells, initiators, host);
  const hole = planPciHole64({
    domain,
    expanderBuses,
    devices: guestBars(request),
    policy,
    addressBits: host.addressBits,
  });
  return {
    devices: devices.map((device) => ({ ...device, nodeset: initiators.nodesets.get(device.bdf) ?? device.nodeset })),
    numa: { created: cells.created, initiators: [...initiators.added], distances: [...distances.added] },
    pcihole64: hole.change,
    diagnostics: [
      ...initiators.diagnostics,
      ...distances.diagnostics,
      ...hole.diagnostics,
      ...missingCells(
        domain.hostDevices.filter(({ bdf }) => !initiators.nodesets.has(bdf)),
        cells,
      ),
      ...badValues(domain, expanderBuses),
    ],
  };
}

/** The cell of a draft's expander bus (rule "NUMA"). */
export function cellOfDraft(draft: ExpanderBusRequest, host: Host, cells: CellMap): CellChoice {
  const controller = draft.existing?.controller;
  const devices = draftDevices(draft).flatMap((d) => host.device(d.bdf) ?? []);
  const site = { smmu: draft.smmu, devices, before: controller?.node ?? null, location: controller?.location };
  return chooseCell(site, cells, host);
}

/** The devices that the guest gets, each with the root bus that it will be below. */
function guestBars({ domain, tree, host, expanderBuses, drafts, devices }: PlatformRequest): GuestBars[] {
  const rootOf = new Map<HostDevice, ExpanderBus['controllerIndex']>();
  for (const [i, draft] of drafts.entries()) {
    const expanderBus = expanderBuses[i];
    if (expanderBus) for (const device of draftDevices(draft)) rootOf.set(device, expanderBus.controllerIndex);
  }
  return domain.hostDevices.flatMap((device, i) => {
    const onHost = host.device(device.bdf);
    if (!onHost || device.unassigned) return [];
    const address = devices[i]?.to ?? undefined;
    const root = rootOf.get(device) ?? (address ? tree.rootOf(address.bus) : ROOT_BUS);
    return [{ device: onHost, address, root, placed: devices[i]?.verdict === 'placed' }];
  });
}

/** Devices whose Generic Initiators are in cells that are not there. */
export function missingCells(hostDevices: readonly HostDevice[], { cells }: Pick<CellMap, 'cells'>): Diagnostic[] {
  const present = new Set<number>(cells.map(({ id }) => id));
  return hostDevices.flatMap((device) => {
    const missing = (parseNodeset(device.nodeset ?? '') ?? []).filter((id) => !present.has(id));
    if (missing.length === 0) return [];
    const message = `the Generic Initiators of ${device.bdf} are in NUMA cells ${formatNodeset(missing)}, which the guest does not have`;
    return [diagnostic('initiator-cell-missing', message, { location: device.location })];
  });
}

/** The vSMMUs with values that QEMU refuses at start: those that the plan leaves so, and those it has nothing to do with. */
export function badValues(domain: Domain, expanderBuses: readonly ExpanderBus[]): Diagnostic[] {
  const planned = new Map(expanderBuses.map((expanderBus) => [expanderBus.controllerIndex, expanderBus]));
  return domain.iommus
    .filter((iommu) => iommu.model === 'smmuv3')
    .flatMap(({ pciBus, values, location }) => {
      const after = pciBus === undefined ? values : (planned.get(pciBus)?.vsmmu ?? values);
      const bad = invalidValues(after);
      return bad.length > 0
        ? [diagnostic('vsmmu-value-invalid', `QEMU takes no vSMMU with ${bad.join(', ')}`, { location })]
        : [];
    });
}
