import { InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import type { Bdf } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import { hasVsmmuValues } from '../domain/iommu.js';
import { withDataDirect } from '../host/data-direct.js';
import type { Host } from '../host/host.js';
import { KERNEL_LOG, type KernelLog } from '../host/kernel-log.js';
import { scanHost } from '../host/scan.js';
import { readTopology } from '../host/snapshot.js';
import { isVirtMachine } from '../plan/applicable.js';
import { needsWholeHost } from '../plan/initiators.js';
import type { Policy } from '../policy/policy.js';
import { readTextFile } from './io/files.js';
import { isSet, type OptionValues, value } from './options.js';

/** The part of a host to read. */
export interface HostPart {
  /** The devices to read; default: all. */
  readonly devices?: ReadonlySet<Bdf>;
  /** Also reads the kernel log, which shows what the SMMUs support. */
  readonly features?: boolean;
  /** Also finds the NICs of DMA functions in other PCI segments (Data Direct). */
  readonly dataDirect?: boolean;
}

/** Reads the host of a command line: the snapshot of `--topology`, else sysfs. A snapshot is always read as a whole. */
export function readHost(
  options: OptionValues,
  { devices, features = false, dataDirect = false }: HostPart = {},
): Host {
  const file = value(options, 'topology');
  if (file !== undefined) return readTopology(readTextFile(file), file);
  const host = scanHost(sysfsOf(options), devices, features ? kernelLogOf(options) : undefined);
  return dataDirect ? withDataDirect(host, sysfsOf(options)) : host;
}

/** Reads the part of the host that a conversion needs: for most policies, only the domain's devices. */
export function readHostFor({ hostDevices }: Domain, policy: Policy, options: OptionValues, features = false): Host {
  if (policy.expanderBuses === 'all') return readHost(options, { features });
  const host = readHost(options, { devices: new Set(hostDevices.map(({ bdf }) => bdf)), features });
  const isPart = value(options, 'topology') === undefined;
  return isPart && needsWholeHost(hostDevices, host, policy) ? readHost(options, { features }) : host;
}

/** Reads the host to check a domain against; returns undefined if the domain is checked without a host. */
export type HostReader = (domain: Domain) => Host | undefined;

/**
 * Returns a reader for the host of a domain. It reads nothing with `--no-host`, or without a snapshot for a machine
 * other than `virt`.
 */
export function hostReader(options: OptionValues): HostReader {
  if (isSet(options, 'no-host')) {
    const other = ['sysfs', 'topology'].find((name) => options[name] !== undefined);
    if (other === undefined) return () => undefined;
    throw new InputError(usage.excludes({ option: '--no-host', other: `--${other}` }));
  }
  if (value(options, 'topology') !== undefined) {
    const host = readHost(options);
    return () => host;
  }
  return (domain) => {
    if (!isVirtMachine(domain)) return undefined;
    return readHost(options, {
      devices: new Set(domain.hostDevices.map((d) => d.bdf)),
      features: hasVsmmuValues(domain),
    });
  };
}

const LIVE_SYSFS = '/sys';

/** Returns the folder to read as `/sys`. */
export function sysfsOf(options: OptionValues): string {
  return value(options, 'sysfs') ?? LIVE_SYSFS;
}

/** Returns the kernel log of this machine; an empty log for a copy of a sysfs. */
function kernelLogOf(options: OptionValues): KernelLog {
  return sysfsOf(options) === LIVE_SYSFS ? KERNEL_LOG : () => [];
}
