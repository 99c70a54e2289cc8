import type { Diagnostic } from '../diagnostics/diagnostic.js';
import {
  guestBarUnplaced,
  guestCapabilityOff,
  guestDeviceMissing,
  guestDriverMissing,
  guestFeatureMissing,
  guestLogError,
  guestNumaDiffers,
  guestPassthrough,
  guestSmmuDiffers,
} from '../diagnostics/guest.js';
import { count } from '../diagnostics/words.js';
import type { Bdf } from '../domain/address.js';
import type { Domain } from '../domain/domain.js';
import { smmusOfGuest } from '../domain/iommu.js';
import { formatNodeset, type GuestCell } from '../domain/numa.js';
import { CHOSEN_ATTRIBUTES, infoOf, type VsmmuValues } from '../domain/vsmmu-attributes.js';
import type { SmmuFeatures } from '../generated/topology.js';
import { type GuestFunction, type GuestView, predictGuest } from '../guest/predict.js';
import type { GuestReport, ReportedDevice, Switch } from '../guest/report.js';
import { readFeatures } from '../host/features.js';
import type { Host } from '../host/host.js';
import type { Check } from './check.js';
import { distinct } from './logs.js';

/** A host device of the running guest: its expected address, and the guest's report on it. */
interface Seen {
  readonly device: Bdf;
  readonly predicted: GuestFunction;
  readonly reported: ReportedDevice;
}

/** The expected state of the guest, with its report. */
interface Comparison {
  readonly domain: Domain;
  readonly view: GuestView;
  readonly report: GuestReport;
  /** The configured values of each vSMMU, in the guest's order. */
  readonly values: readonly VsmmuValues[];
  readonly seen: readonly Seen[];
}

/** Compares a guest's report with the state expected from the running domain. The report is untrusted input. */
export function checkGuest(domain: Domain, host: Host, report: GuestReport): readonly Check[] {
  const view = predictGuest(domain);
  const { seen, check } = findDevices(view, host, report);
  const values = smmusOfGuest(domain.iommus).map((iommu) => iommu.values);
  const comparison = { domain, view, report, values, seen };
  return [
    checkSmmus(comparison),
    check,
    checkTypes(comparison),
    checkDrivers(comparison),
    checkCapabilities(comparison),
    checkFeatures(comparison),
    checkNuma(comparison),
    checkBars(comparison),
    checkLog(comparison, host),
  ];
}

/** Finds the host devices at their expected addresses in the guest. */
function findDevices(view: GuestView, host: Host, report: GuestReport): { seen: readonly Seen[]; check: Check } {
  const seen: Seen[] = [];
  const findings: Diagnostic[] = [];
  for (const predicted of view.functions) {
    const { host: device, address } = predicted;
    if (device === null) continue;
    const reported = report.devices.get(address);
    const known = host.device(device);
    const ids = known && [known.vendor, known.device].map((id) => id.replace(/^0x/, '')).join(':');
    const there = reported && `${reported.vendor}:${reported.device}`;
    if (reported && (ids === undefined || ids === there)) seen.push({ device, predicted, reported });
    else {
      const instead =
        there === undefined ? 'there is no device' : `there is another device, ${there} instead of ${ids}`;
      findings.push(guestDeviceMissing({ device, address, instead }));
    }
  }
  const details = seen.map(({ device, predicted }) => `${device} is ${predicted.address}`);
  return {
    seen,
    check: {
      of: 'Guest',
      title: 'that each device is at its address',
      found: count(seen.length, 'device'),
      findings,
      details,
    },
  };
}

function checkSmmus({ view, report, seen }: Comparison): Check {
  const findings: Diagnostic[] = [];
  const { length } = view.vsmmus;
  const counts = (n: number) => (n === 0 ? 'no SMMU' : count(n, 'SMMU'));
  if (report.smmus.length !== length) {
    findings.push(
      guestSmmuDiffers({
        what: `there ${report.smmus.length === 1 ? 'is' : 'are'} ${counts(report.smmus.length)}, not ${length}`,
      }),
    );
  } else {
    for (const { device, predicted, reported } of seen) {
      const wanted = predicted.vsmmu === null ? undefined : report.smmus[predicted.vsmmu]?.name;
      if (reported.smmu === wanted) continue;
      const what = `${device} (${predicted.address}) is behind ${reported.smmu ?? 'no SMMU'}, not ${wanted ?? 'none'}`;
      findings.push(guestSmmuDiffers({ what }));
    }
  }
  return { of: 'Guest', title: 'that each device is behind its vSMMU', found: counts(length), findings };
}

/** Returns the devices that are behind a vSMMU. */
function translated({ seen }: Comparison): readonly Seen[] {
  return seen.filter(({ predicted, reported }) => predicted.vsmmu !== null && reported.smmu !== undefined);
}

function checkTypes(comparison: Comparison): Check {
  const devices = translated(comparison);
  const findings = devices
    .filter(({ reported }) => reported.type === 'identity')
    .map(({ device, predicted }) => guestPassthrough({ device, address: predicted.address }));
  const types = [...new Set(devices.flatMap(({ reported }) => reported.type ?? []))];
  return {
    of: 'Guest',
    title: "that it translates each device's DMA",
    found: types.join(', ') || 'no device',
    findings,
  };
}

function checkDrivers({ seen }: Comparison): Check {
  const without = seen.filter(({ reported }) => reported.driver === undefined);
  return {
    of: 'Guest',
    title: 'that each device has a driver',
    found: [...new Set(seen.flatMap(({ reported }) => reported.driver ?? []))].join(', ') || 'no device',
    findings: without.map(({ device, predicted }) => guestDriverMissing({ device, address: predicted.address })),
  };
}

function checkCapabilities(comparison: Comparison): Check {
  const { values } = comparison;
  const devices = translated(comparison);
  // Without a driver, ATS and PASID are off.
  const findings = devices
    .filter(({ reported }) => reported.driver !== undefined)
    .flatMap(({ device, predicted: { address, vsmmu }, reported }) => {
      const { ats, ssidsize = '0' } = values[vsmmu ?? 0] ?? {};
      const off = [
        ...(ats === 'on' && reported.ats === 'off' ? ['ATS'] : []),
        ...(Number(ssidsize) > 0 && reported.pasid === 'off' ? ['PASID'] : []),
      ];
      return off.map((capability) => guestCapabilityOff({ device, address, capability }));
    });
  const unknown = devices.some(({ reported }) => reported.ats === undefined);
  const on = (of: (reported: ReportedDevice) => Switch | undefined) =>
    devices.filter(({ reported }) => of(reported) === 'on').length;
  return {
    of: 'Guest',
    title: 'for ATS and PASID',
    found: unknown
      ? 'not reported: only root can read it'
      : `on for ${on(({ ats }) => ats)} and ${on(({ pasid }) => pasid)} of ${count(devices.length, 'device')}`,
    findings,
  };
}

function checkFeatures({ report, values }: Comparison): Check {
  const check = { of: 'Guest', title: 'for the features of its vSMMUs' } as const;
  const { log } = report;
  if (!log) return { ...check, found: 'its log was not reported: only root can read it', findings: [] };
  const features = readFeatures(log);
  const findings = report.smmus.flatMap(({ name, device }, i) => {
    const found = features.get(device);
    if (!found) return [];
    // The kernel logs command queues only if it found some.
    const missing = missingFeatures(values[i] ?? {}, { cmdqv: false, ...found });
    return missing.map((each) => guestFeatureMissing({ vsmmu: name, ...each }));
  });
  const details = report.smmus.flatMap(({ name, device }) => {
    const entries = Object.entries(features.get(device) ?? {});
    return entries.length === 0 ? [] : [`${name}: ${entries.map(([key, value]) => `${key}=${value}`).join(' ')}`];
  });
  return {
    ...check,
    found: details.length > 0 ? count(details.length, 'vSMMU') : 'no longer in its log',
    findings,
    details,
  };
}

/** Returns the configured values of a vSMMU that the guest's kernel does not find in it. */
function missingFeatures(given: VsmmuValues, features: SmmuFeatures): { feature: string; found: string }[] {
  return CHOSEN_ATTRIBUTES.flatMap((name) => {
    const { host, label } = infoOf(name);
    const [value, found] = [given[name], features[host.feature]];
    if (value === 'on' && found === false) return [{ feature: `${name}=on`, found: `no ${label}` }];
    const isLess = typeof found === 'number' && Number(value) > found;
    return isLess ? [{ feature: `${name}=${value}`, found: `${found} bits` }] : [];
  });
}

function checkNuma({ domain, report }: Comparison): Check {
  const { cells } = domain.numa;
  const check = { of: 'Guest', title: 'for NUMA nodes and their distances' } as const;
  if (cells.length === 0) return { ...check, found: 'the domain has no cells', findings: [] };
  const { nodes } = report;
  if (nodes.length !== cells.length) {
    const findings = [guestNumaDiffers({ what: `there are ${count(nodes.length, 'NUMA node')}, not ${cells.length}` })];
    return { ...check, found: '', findings };
  }
  // Guests number nodes without CPUs in their own order. So CPUs identify a cell's node, and
  // distances are compared in any order.
  const sorted = (distances: readonly number[]) => distances.toSorted((a, b) => a - b).join(' ');
  const findings = cells.flatMap((cell) => {
    const node = cell.cpus.length > 0 ? nodes.find(({ cpus }) => cpus === formatNodeset(cell.cpus)) : undefined;
    if (!node)
      return cell.cpus.length > 0 ? [guestNumaDiffers({ what: `no NUMA node has the CPUs of cell ${cell.id}` })] : [];
    const wanted = sorted(cells.map((other) => distance(cell, other)));
    const found = sorted(node.distances);
    return wanted === found
      ? []
      : [guestNumaDiffers({ what: `node ${node.id} has the distances ${found}, but cell ${cell.id} has ${wanted}` })];
  });
  return { ...check, found: count(nodes.length, 'node'), findings };
}

/**
 * Returns the distance from one cell to another. A distance that only one of them specifies applies in both
 * directions. The default is 20.
 */
function distance(from: GuestCell, to: GuestCell): number {
  return from === to ? 10 : (from.distances.get(to.id) ?? to.distances.get(from.id) ?? 20);
}

function checkBars({ seen }: Comparison): Check {
  const findings = seen
    .filter(({ reported }) => reported.unplaced.length > 0)
    .map(({ device, predicted, reported }) => {
      return guestBarUnplaced({ device, address: predicted.address, bars: reported.unplaced });
    });
  return { of: 'Guest', title: 'that each BAR has an address', found: count(seen.length, 'device'), findings };
}

/** Kernel messages about SMMU errors and about devices that do not respond (Linux 7.2). */
const SMMU_ERROR =
  /^(?:\[[ \d.]+\] )?arm-smmu-v3 .*(CMD_SYNC timeout|C_BAD_|F_\w+ client|event: |event 0x|global error|CMDQ error)/;
const DEVICE_ERROR = /probe with driver|failed with error|Identify Controller failed|timeout/i;

function checkLog({ report: { log }, view }: Comparison, host: Host): Check {
  const check = { of: 'Guest', title: 'the kernel log' } as const;
  if (!log) return { ...check, found: 'not reported: only root can read it', findings: [] };
  const given = view.functions.flatMap((each) => (each.host === null ? [] : [{ ...each, host: each.host }]));
  // The NVMe driver logs the name of its controller, not the PCI address.
  const hasNvme = given.some((each) => host.device(each.host)?.class.startsWith('0x0108'));
  const namesDevice = (line: string) =>
    given.some(({ address }) => line.includes(address)) || (hasNvme && /nvme nvme\d+: /.test(line));
  const matters = (line: string) => SMMU_ERROR.test(line) || (DEVICE_ERROR.test(line) && namesDevice(line));
  const lines = distinct(log.filter(matters).map((line) => line.replace(/^\[[ \d.]+\] /, '')));
  const findings = lines.map((line) => guestLogError({ line }));
  return { ...check, found: 'no error of an SMMU or a device', findings };
}
