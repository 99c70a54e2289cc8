import { InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import { type Bdf, parseBdf } from '../domain/address.js';
import type { Host } from '../host/host.js';
import type { Probe } from '../host/probe/probe.js';
import { type Options, type OptionValues, text } from './options.js';

/** The option for reading the ID registers of SMMUs. */
export const PROBE_OPTIONS: Options = {
  probe: text(
    'read the ID registers of the SMMU of this device, which must be idle and bound to vfio-pci (as root; can be given more than once)',
  ),
};

/** A host, and the results of probes, which it also contains. */
export interface ProbedHost {
  readonly host: Host;
  readonly probes: readonly Probe[];
}

/**
 * Probes the SMMUs of the devices that `--probe` names.
 * @param host this machine
 */
export async function probe(host: Host, options: OptionValues): Promise<ProbedHost> {
  const devices = probedDevices(options);
  if (devices.length === 0) return { host, probes: [] };
  const { probeDevices, withProbes } = await import('../host/probe/probe.js');
  const probes = await probeDevices(devices, host);
  return { host: withProbes(host, probes), probes };
}

/** @throws InputError `usage` for a value that is not a PCI address, or if the host is not this machine */
function probedDevices(options: OptionValues): readonly Bdf[] {
  const names = [options.probe ?? []].flat().flatMap((value) => String(value).split(','));
  const other = ['sysfs', 'topology'].find((name) => options[name] !== undefined);
  if (names.length > 0 && other !== undefined) {
    throw new InputError(usage.excludes({ option: '--probe', other: `--${other}` }));
  }
  return names.map((name) => {
    const bdf = parseBdf(name);
    if (bdf !== undefined) return bdf;
    throw new InputError(usage.value({ option: '--probe', expected: 'a PCI address (dddd:bb:ss.f)', value: name }));
  });
}
