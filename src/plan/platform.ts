import { type Diagnostic, diagnostic } from '../diagnostics.js';
import type { HostDevice } from '../domain/device.js';
import type { Domain } from '../domain/domain.js';
import { formatNodeset, parseNodeset } from '../domain/numa.js';
import { type PciTree, ROOT_BUS } from '../domain/pci-tree.js';
import type { Bridge, Device, Plan } from '../generated/plan.js';
import type { Host } from '../host/host.js';
import { projectDistances } from './distances.js';
import { type BridgeDraft, draftDevices } from './drafts.js';
import { planInitiators } from './initiators.js';
import { type GuestBars, planPciHole64 } from './mmio.js';
import { type BridgeNode, type CellMap, chooseCell } from './numa.js';
import type { Policy } from './policy.js';
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
  /** The bridges, and the drafts that they were made of. */
  readonly bridges: readonly Bridge[];
  readonly drafts: readonly BridgeDraft[];
  /** Every placeable device, in the order of the domain. */
  readonly devices: readonly Device[];
}

/** Plans NUMA cells and 64-bit MMIO space (rules 11 and 12) for devices whose places are known. */
export function planPlatform(request: PlatformRequest): Platform {
  const { domain, host, policy, cells, bridges, devices } = request;
  const placed = domain.hostDevices.filter((_, i) => devices[i]?.verdict === 'placed');
  const initiators = planInitiators(placed, host, cells, policy);
  const distances = projectDistances(cells, initiators, host);
  const hole = planPciHole64({
    domain,
    bridges,
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
      ...badValues(domain, bridges),
    ],
  };
}

/** The cell of a draft's bridge (rule 10). */
export function cellOfDraft(draft: BridgeDraft, host: Host, cells: CellMap): BridgeNode {
  const controller = draft.existing?.controller;
  const devices = draftDevices(draft).flatMap((d) => host.device(d.bdf) ?? []);
  const site = { smmu: draft.smmu, devices, before: controller?.node ?? null, place: controller?.place };
  return chooseCell(site, cells, host);
}

/** The devices that the guest gets, each with the root bus that it will be below. */
function guestBars({ domain, tree, host, bridges, drafts, devices }: PlatformRequest): GuestBars[] {
  const rootOf = new Map<HostDevice, Bridge['controllerIndex']>();
  for (const [i, draft] of drafts.entries()) {
    const bridge = bridges[i];
    if (bridge) for (const device of draftDevices(draft)) rootOf.set(device, bridge.controllerIndex);
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
    return [diagnostic('initiator-cell-missing', message, { place: device.place })];
  });
}

/** The vSMMUs with values that QEMU refuses at start: those that the plan leaves so, and those it has nothing to do with. */
export function badValues(domain: Domain, bridges: readonly Bridge[]): Diagnostic[] {
  const planned = new Map(bridges.map((bridge) => [bridge.controllerIndex, bridge]));
  return domain.iommus
    .filter((iommu) => iommu.model === 'smmuv3')
    .flatMap(({ pciBus, values, place }) => {
      const after = pciBus === undefined ? values : (planned.get(pciBus)?.vsmmu ?? values);
      const bad = invalidValues(after);
      return bad.length > 0
        ? [diagnostic('vsmmu-value-invalid', `QEMU takes no vSMMU with ${bad.join(', ')}`, { place })]
        : [];
    });
}
