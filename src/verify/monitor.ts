import { monitorDiffers, monitorTaints } from '../diagnostics/running.js';
import { count } from '../diagnostics/words.js';
import { type Bdf, formatBdf } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import { predictGuest } from '../guest/predict.js';
import type { Check } from './check.js';
import { aliasOf } from './command-line.js';

/** The answers of QEMU's monitor. */
export interface MonitorAnswers {
  /** To `query-pci`. */
  readonly pci: unknown;
  /** To `qom-get` of `accel`, for each SMMU of the domain, in order. */
  readonly accel: readonly unknown[];
}

/** Compares the addresses of devices and the acceleration of SMMUs that QEMU's monitor reports with the running domain. */
export function checkMonitor(live: Domain, { pci, accel }: MonitorAnswers): Check {
  const there = addressesOf(pci);
  const predicted = new Map(predictGuest(live).functions.map(({ host, address }) => [host, address]));
  const differences = live.hostDevices.flatMap((device) => {
    const wanted = predicted.get(device.bdf);
    if (wanted === undefined) return [];
    const found = there.get(aliasOf(device) ?? '');
    return found === wanted
      ? []
      : [`${device.bdf} is ${found === undefined ? 'missing' : `at ${found}`}, expected at ${wanted}`];
  });
  const smmus = live.iommus.filter(({ model, pciBus }) => model === 'smmuv3' && pciBus !== undefined);
  differences.push(
    ...smmus.flatMap(({ values, pciBus }, i) => {
      const is = resultOf(accel[i]);
      return is === (values.accel === 'on') ? [] : [`accel of the SMMU of PCI controller ${pciBus} is ${String(is)}`];
    }),
  );
  return {
    of: 'QEMU',
    title: 'the answers of its monitor',
    found: count(there.size, 'device'),
    findings: [...differences.map((what) => monitorDiffers({ what })), monitorTaints()],
  };
}

/**
 * Returns the addresses of QEMU's devices by id. `query-pci` lists buses with their devices; a bridge
 * contains the devices behind it.
 */
function addressesOf(answer: unknown): ReadonlyMap<string, Bdf> {
  const found = new Map<string, Bdf>();
  const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
  const visit = (device: unknown): void => {
    const { qdev_id: id, bus, slot, function: func, pci_bridge: bridge } = Object(device) as Record<string, unknown>;
    if (typeof id === 'string' && id !== '') {
      found.set(id, formatBdf({ domain: 0, bus: Number(bus), slot: Number(slot), function: Number(func) }));
    }
    listOf(Object(bridge).devices).forEach(visit);
  };
  for (const bus of listOf(resultOf(answer))) listOf(Object(bus).devices).forEach(visit);
  return found;
}

function resultOf(answer: unknown): unknown {
  return (Object(answer) as { readonly return?: unknown }).return;
}
