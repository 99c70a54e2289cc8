import { infoOf, VSMMU_ATTRIBUTES } from '../domain/vsmmu-attributes.js';
import type { SmmuFeatures } from '../generated/topology.js';
import type { Sysfs } from './sysfs.js';

/** The sysfs folder of the devices that firmware describes in ACPI. */
export const ACPI_DEVICES = 'bus/acpi/devices';

/** The prefix of the names of Tegra241 command queues in that folder (Linux, tegra241-cmdqv.c). */
export const CMDQV_ID = 'NVDA200C:';

/** The kernel's message for each SMMU that it finds (Linux, arm-smmu-v3.c). Newer kernels do not print `ias`. */
const PROBED = /arm-smmu-v3 (\S+): (?:ias \d+-bit, )?oas (\d+)-bit \(features 0x([0-9a-f]{1,16})\)/;

/** The kernel's message for an SMMU with command queues. */
const COMPANION = /arm-smmu-v3 (\S+): found companion CMDQV device/;

/**
 * Returns the features that a kernel log shows, by the platform device of each SMMU (`arm-smmu-v3.8.auto`). `cmdqv` is
 * present only if it is true.
 */
export function readFeatures(log: readonly string[]): ReadonlyMap<string, SmmuFeatures> {
  const found = new Map<string, SmmuFeatures>();
  for (const line of log) {
    const [, probed = '', oas, features] = PROBED.exec(line) ?? [];
    const [, queued] = COMPANION.exec(line) ?? [];
    if (features !== undefined) {
      found.set(probed, { ...found.get(probed), oas: Number(oas), ...readBits(BigInt(`0x${features}`)) });
    }
    if (queued !== undefined) found.set(queued, { ...found.get(queued), cmdqv: true });
  }
  return found;
}

/** Reads the features of SMMUs from the kernel log, since sysfs does not show their registers. */
export class FeatureReader {
  readonly #found: ReadonlyMap<string, SmmuFeatures>;
  /** Whether firmware describes command queues at all; undefined if unknown. */
  readonly #hasQueues: boolean | undefined;

  constructor(sysfs: Sysfs, log: readonly string[]) {
    this.#hasQueues = sysfs.list(ACPI_DEVICES)?.some((name) => name.startsWith(CMDQV_ID));
    this.#found = readFeatures(log);
  }

  /** Returns the known features of the SMMU of a platform device (`arm-smmu-v3.8.auto`); undefined if nothing is known. */
  featuresOf(device: string): SmmuFeatures | undefined {
    const found = this.#found.get(device);
    const features = { ...found, ...(this.#hasQueues === false && !found?.cmdqv && { cmdqv: false }) };
    return Object.keys(features).length > 0 ? features : undefined;
  }
}

/** Reads the features that have a kernel bit. The bit numbers are in the table of attributes. */
function readBits(features: bigint): SmmuFeatures {
  const bits = VSMMU_ATTRIBUTES.map((name) => infoOf(name).host);
  return Object.fromEntries(
    bits.flatMap(({ feature, kernelBit }) =>
      kernelBit === undefined ? [] : [[feature, ((features >> BigInt(kernelBit)) & 1n) === 1n]],
    ),
  );
}
