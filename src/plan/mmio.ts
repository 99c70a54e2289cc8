import { deviceWithoutBar } from '../diagnostics/devices.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { pcihole64Exhausted, pcihole64Off } from '../diagnostics/memory.js';
import type { ControllerIndex, GuestAddress } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import { formatKib, type KiB, kib } from '../domain/size.js';
import type { ExpanderBus, PciHoleChange, Port } from '../generated/plan.js';
import type { PciDevice } from '../generated/topology.js';
import { groupBy } from '../group-by.js';
import { isLargeBar, largeBarBytes, windowBytes } from '../host/bars.js';
import type { Policy } from '../policy/policy.js';
import { profileOf } from '../policy/profiles.js';

/** The default size of the space for 64-bit BARs of QEMU's `virt` machine, which is also its minimum (11.1). */
export const DEFAULT_HOLE = kib(512 * 2 ** 20);

/** Space for emulated devices, which need a few MiB: 1 GiB, as in KubeVirt. */
const MARGIN = kib(1 * 2 ** 20);

/** The number of physical address bits to assume if that of the host's CPUs is unknown. */
const DEFAULT_ADDRESS_BITS = 44;

/** A host device of the guest, and where it is in the guest. */
export interface LocatedDevice {
  readonly device: PciDevice;
  /** Undefined if libvirt chooses the address. The device then gets a port of its own. */
  readonly address: GuestAddress | undefined;
  /** The root bus above it. */
  readonly root: ControllerIndex;
  /** Whether it is behind a vSMMU. */
  readonly placed: boolean;
}

/** The change to `pcihole64`, with its diagnostics. */
export interface PciHolePlan {
  readonly change: PciHoleChange | null;
  readonly diagnostics: readonly Diagnostic[];
}

/** The parts of an expander bus that determine the space for 64-bit BARs. */
export interface HoleExpanderBus extends Pick<ExpanderBus, 'controllerIndex'> {
  readonly ports: readonly Pick<Port, 'devices' | 'reserve'>[];
}

/** The input for planning the space for 64-bit BARs. */
export interface PciHoleRequest {
  readonly domain: Domain;
  readonly expanderBuses: readonly HoleExpanderBus[];
  /** Every host device of the guest: devices that are not behind a vSMMU use the same space. */
  readonly devices: readonly LocatedDevice[];
  readonly policy: Policy;
  /** The number of physical address bits of the host's CPUs, and so of the guest's. */
  readonly addressBits?: number | undefined;
}

/**
 * Grows `pcihole64` to the size that the devices' 64-bit prefetchable BARs need (rule "pcihole64"): a power of two, at least
 * 512 GiB, that fits below the end of the address space. Never shrinks it.
 */
export function planPciHole64(request: PciHoleRequest): PciHolePlan {
  const { domain, expanderBuses, devices, policy, addressBits: bits = DEFAULT_ADDRESS_BITS } = request;
  const withoutBars = missingBars(domain, devices, policy);
  const none: PciHolePlan = { change: null, diagnostics: withoutBars };
  const before = domain.pciHole64;
  const location = before && domain.document.location(before.element.start);
  // QEMU aligns the space to its own size, above RAM. So the upper half of the address space is the largest that fits.
  const limit = kib(2 ** (bits - 1) / 1024);
  const tooLarge = (size: KiB) => ({ size: formatKib(size), bits, limit: formatKib(limit), location });
  if (expanderBuses.length > 0 && before && before.size > limit) {
    return { change: null, diagnostics: [pcihole64Exhausted.present(tooLarge(before.size))] };
  }
  const placed = devices.filter((device) => device.placed);
  if (neededKiB(placed, expanderBuses, policy) === 0) return none;
  const needed = neededKiB(devices, expanderBuses, policy);
  if (before?.size === 0) {
    return { change: null, diagnostics: [pcihole64Off.needed({ needed: formatKib(needed), location })] };
  }
  const present = before?.size ?? DEFAULT_HOLE;
  const size = kib(windowBytes(Math.max(needed, DEFAULT_HOLE, present)));
  if (size === present) return none;
  if (size > limit) return { change: null, diagnostics: [pcihole64Exhausted.needed(tooLarge(size))] };
  const change: PciHoleChange = {
    before: before ? { text: before.text, unit: before.unit ?? null } : null,
    after: size,
    controllerAdded: !domain.controllers.some((c) => c.model === 'pcie-root'),
  };
  return { change, diagnostics: withoutBars };
}

/** A range of the address space, in bytes. It begins at a multiple of its alignment. */
interface AlignedRange {
  readonly size: number;
  readonly alignment: number;
}

/**
 * Returns the space that the devices need, in KiB. Firmware gives each port, and each root bus, one window for everything
 * below it. The length of a window is a multiple of its largest BAR (EDK2 under QEMU 11.1: three ports with 128 GiB and
 * 32 MiB each do not fit in 512 GiB). The reservations of spare ports are added to the minimum of the devices' platform.
 * Space that alignment leaves at the end of a window is not lost: small BARs fit in it, so two GPUs with 1 TiB and 16 MiB
 * each fit in 4 TiB (booted at 1/8 scale).
 */
function neededKiB(devices: readonly LocatedDevice[], expanderBuses: readonly HoleExpanderBus[], policy: Policy): KiB {
  const roots = new Set([
    ...devices.map(({ root }) => root),
    ...expanderBuses.map((expanderBus) => expanderBus.controllerIndex),
  ]);
  let bytes = 0;
  let unused = 0;
  for (const root of roots) {
    const below = devices.filter((device) => device.root === root);
    const spare = expanderBuses.find((expanderBus) => expanderBus.controllerIndex === root)?.ports ?? [];
    const kept = spare.filter((port) => port.devices.length === 0).map(({ reserve }) => reserve);
    const platforms = policy.profile === 'none' ? [] : below.filter((d) => d.placed).map((d) => profileOf(d.device));
    const minimum = platforms.reduce((sum, platform) => sum + (platform?.minimumMmioGiB ?? 0) * 2 ** 30, 0);
    const stretches = [...portWindows(below), ...kept.map(aligned)];
    const packed = pack(stretches).size;
    const used = below.reduce((sum, { device }) => sum + largeBarBytes(device), 0);
    const keptBytes = kept.reduce((sum, size) => sum + size, 0);
    bytes += Math.max(packed, minimum + keptBytes);
    // A platform's minimum covers BARs that sysfs does not show, so none of it is free.
    if (packed > minimum + keptBytes) unused += packed - used - keptBytes;
  }
  const margin = Math.max(0, MARGIN * 1024 - unused);
  return bytes === 0 ? kib(0) : kib(Math.ceil((bytes + margin) / 1024));
}

/** Reports devices without a large BAR whose platform has large BARs: their memory cannot be mapped into the guest. */
function missingBars(
  { hostDevices }: Domain,
  devices: readonly LocatedDevice[],
  policy: Policy,
): readonly Diagnostic[] {
  if (policy.profile === 'none') return [];
  return devices
    .filter(({ device }) => profileOf(device)?.minimumMmioGiB !== undefined && !device.bars.some(isLargeBar))
    .map(({ device: { bdf } }) => {
      return deviceWithoutBar({ device: bdf, location: hostDevices.find((each) => each.bdf === bdf)?.location });
    });
}

/** Returns the space that each port below a root bus needs for the BARs behind it. */
function portWindows(devices: readonly LocatedDevice[]): AlignedRange[] {
  const byPort = groupBy(devices, ({ device, address }) => address?.bus ?? device.bdf);
  return [...byPort.values()].map((behind) =>
    pack(behind.flatMap(({ device }) => device.bars.filter(isLargeBar).map(({ size }) => aligned(size)))),
  );
}

/** Returns the range that these ranges need together. */
function pack(parts: readonly AlignedRange[]): AlignedRange {
  const alignment = Math.max(1, ...parts.map((part) => part.alignment));
  const sum = parts.reduce((total, { size }) => total + size, 0);
  return { size: Math.ceil(sum / alignment) * alignment, alignment };
}

/** Returns a range that is aligned to its size: a BAR, or the reservation of a port. */
function aligned(size: number): AlignedRange {
  return { size, alignment: size };
}
