import { attachImpossible } from './diagnostics/attach.js';
import { deviceMissing, deviceWithoutGroup } from './diagnostics/devices.js';
import { domainWithoutHostDevice } from './diagnostics/domain.js';
import { RefusedError } from './diagnostics/errors.js';
import type { Bdf, ControllerIndex } from './domain/address.js';
import type { PciController } from './domain/controller.js';
import type { Domain } from './domain/domain.js';
import { hasCommandQueues, MAX_CMDQV_DEVICES } from './domain/iommu.js';
import { reserveOf } from './domain/overrides.js';
import { PciTree } from './domain/pci-tree.js';
import { formatSize } from './domain/size.js';
import { UPSTREAM } from './domain/target.js';
import { CHOSEN_ATTRIBUTES } from './domain/vsmmu-attributes.js';
import type { Attachment } from './edit/elements.js';
import type { PciDevice } from './generated/topology.js';
import { isLargeBar, largeBarBytes, windowBytes } from './host/bars.js';
import { portsWithoutAcs } from './host/groups.js';
import type { Host } from './host/host.js';
import { whyNotApplicable } from './plan/applicable.js';
import { freeBusNumbersOf } from './plan/bus-numbers.js';
import { readCurrentTopology } from './plan/expander-buses.js';
import type { Policy } from './policy/policy.js';

/** Bytes of 32-bit memory that EDK2 reserves behind an empty port (OvmfPkg, PciHotPlugInitDxe: 2 MB; seen under QEMU 11.1). */
const EMPTY_PORT_MEMORY = 2 * 2 ** 20;

/** Bytes that a port must reserve for any device: the smallest size that a policy accepts. */
const SMALLEST_SPARE = 2 ** 20;

/** A free port behind an accelerated vSMMU. */
interface FreePort {
  readonly index: ControllerIndex;
  /** How much 64-bit prefetchable memory it reserves, in bytes. */
  readonly reserve: number;
  /** Whether it has a user alias. Without one, a libvirt override cannot refer to the port, so it cannot reserve memory. */
  readonly named: boolean;
}

/**
 * Finds a free port for a device, behind the vSMMU of the device's own SMMU. Behind another vSMMU, QEMU 11.1 accepts the device
 * without an error, but the device does not work.
 * @param domain the running domain
 * @throws RefusedError if there is no such port, with the options of `rewrite` that add one
 */
export function planAttachment(domain: Domain, host: Host, bdf: Bdf, policy: Policy): Attachment {
  const note = whyNotApplicable(domain);
  if (note && note.code !== domainWithoutHostDevice.code) {
    throw new RefusedError(attachImpossible.notApplicable({ device: bdf, why: note.message }));
  }
  if (domain.hostDevices.some((device) => device.bdf === bdf)) {
    throw new RefusedError(attachImpossible.present({ device: bdf }));
  }
  const device = host.device(bdf);
  if (!device) throw new RefusedError(deviceMissing({ device: bdf }));
  const { smmu } = device;
  if (device.bridge) throw new RefusedError(attachImpossible.bridge({ device: bdf }));
  if (policy.bypass.includes(bdf)) throw new RefusedError(attachImpossible.bypassed({ device: bdf }));
  checkGroup(host, device);
  if (smmu === null) throw new RefusedError(attachImpossible.withoutSmmu({ device: bdf }));
  const { index } = choosePort(device, smmu, freePortsBehind(smmu, domain, host));
  return { bdf, address: { bus: index, slot: 0, function: 0 }, iommufd: domain.iommufd?.enabled !== true };
}

/** @throws RefusedError if the device has no IOMMU group, shares its group, or the group cannot be assigned */
function checkGroup(host: Host, device: PciDevice): void {
  const { bdf, group, directRegions = [] } = device;
  if (group === null) throw new RefusedError(deviceWithoutGroup({ device: bdf, severity: 'error' }));
  const [region] = directRegions;
  if (region !== undefined) throw new RefusedError(attachImpossible.directRegion({ device: bdf, group, region }));
  const others = host.groupMates(device);
  if (others.length > 0) {
    const ports = portsWithoutAcs(host.groupMembers(group));
    throw new RefusedError(attachImpossible.groupShared({ device: bdf, group, others, portsWithoutAcs: ports }));
  }
}

/** The free ports behind the accelerated vSMMUs of one host SMMU. */
interface FreePorts {
  /** Undefined if the SMMU has no accelerated vSMMU. */
  readonly ports: readonly FreePort[] | undefined;
  /** Whether each of these vSMMUs has as many devices as its command queues take. */
  readonly queuesFull: boolean;
  /** Whether no expander bus of the SMMU has a bus number left for another port. */
  readonly full: boolean;
}

function freePortsBehind(smmu: string, domain: Domain, host: Host): FreePorts {
  const tree = new PciTree(domain);
  const current = [...readCurrentTopology(domain, tree, host).expanderBuses.values()];
  const own = current.filter((expanderBus) => expanderBus.smmu === smmu);
  const accelerated = own.filter(({ iommu }) => iommu?.values.accel === 'on');
  const devices = ({ index }: PciController) =>
    domain.hostDevices.filter(({ address }) => address && tree.rootOf(address.bus) === index).length;
  const open = accelerated.filter(
    ({ controller, iommu }) =>
      devices(controller) < MAX_CMDQV_DEVICES ||
      !hasCommandQueues(iommu?.values ?? {}, host.smmu(smmu)?.features, UPSTREAM),
  );
  const ports = open.flatMap(({ controller }) => tree.freePorts(controller.index));
  const described = ports.map(({ index, alias = '' }) => ({
    index,
    reserve: reserveOf(domain.overrides, alias),
    named: alias.startsWith('ua-'),
  }));
  return {
    ports: accelerated.length > 0 ? described : undefined,
    queuesFull: open.length === 0,
    full: own.every(({ controller }) => freeBusNumbersOf(controller, tree) === 0),
  };
}

/**
 * Returns the port with the smallest reservation that is large enough; of several, the one with the lowest index. A port
 * without a reservation is never used: if a port has no 64-bit window, Linux 7.2 makes room for the attached device by
 * releasing the windows of neighbouring devices, and those devices stop working.
 */
function choosePort(device: PciDevice, smmu: string, { ports, queuesFull, full }: FreePorts): FreePort {
  const { bdf } = device;
  const needed = Math.max(windowBytes(largeBarBytes(device)), SMALLEST_SPARE);
  const other = otherMemory(device);
  const spareMemory = formatSize(needed);
  if (other > EMPTY_PORT_MEMORY) {
    const available = formatSize(EMPTY_PORT_MEMORY);
    throw new RefusedError(attachImpossible.otherMemory({ device: bdf, needed: other, available }));
  }
  if (ports === undefined) {
    const values = CHOSEN_ATTRIBUTES;
    throw new RefusedError(attachImpossible.noVsmmu({ device: bdf, smmu, spareMemory, values }));
  }
  if (queuesFull) {
    throw new RefusedError(attachImpossible.queuesFull({ device: bdf, smmu, limit: MAX_CMDQV_DEVICES }));
  }
  const named = ports.some((port) => port.named);
  const spare = named ? ports.length : ports.length + 1;
  const options = `${full && !named ? '--relayout ' : ''}--spare-ports ${spare} --spare-memory ${spareMemory}`;
  if (ports.length === 0) throw new RefusedError(attachImpossible.noPort({ device: bdf, smmu, options }));
  const fitting = ports.filter(({ reserve }) => reserve >= needed);
  const [best] = fitting.toSorted((a, b) => a.reserve - b.reserve || a.index - b.index);
  if (best) return best;
  const most = Math.max(...ports.map(({ reserve }) => reserve));
  const largest = most === 0 ? undefined : formatSize(most);
  throw new RefusedError(attachImpossible.noMemory({ device: bdf, needed: spareMemory, largest, options }));
}

/** Returns the total size of the memory BARs that cannot go into a 64-bit prefetchable window, in bytes. */
function otherMemory({ bars }: PciDevice): number {
  const others = bars.filter((bar) => bar.kind === 'memory' && !isLargeBar(bar));
  return others.reduce((total, { size }) => total + size, 0);
}
