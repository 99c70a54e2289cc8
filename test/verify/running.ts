/** Simulates a running domain, with the output of libvirt, QEMU and a guest, from a sample. test/accel has real ones. */
import { readFileSync } from 'node:fs';
import { convert } from '../../src/convert.js';
import { EXPANDER_MODELS, ROOT_MODELS } from '../../src/domain/controller.js';
import { type Domain, parseDomain } from '../../src/domain/domain.js';
import { guestAddresses, predictGuest } from '../../src/guest/predict.js';
import { readGuestReport } from '../../src/guest/report.js';
import type { Host } from '../../src/host/host.js';
import { readTopology } from '../../src/host/snapshot.js';
import { DEFAULT_POLICY } from '../../src/policy/policy.js';
import { gradeOf } from '../../src/verify/check.js';
import { aliasOf, readCommandLine } from '../../src/verify/command-line.js';
import { planRunning } from '../../src/verify/domain.js';
import type { MonitorAnswers } from '../../src/verify/monitor.js';
import { type Evidence, verify } from '../../src/verify/verify.js';
import { REPOSITORY } from '../cli/run.js';

const sample = (path: string): string => readFileSync(`${REPOSITORY}/samples/${path}`, 'utf8');

export const host: Host = readTopology(sample('hosts/gh200.json'), 'gh200.json');

/** The converted sample, which is defined and started. */
export const defined: string = convert(parseDomain(sample('domains/gh200-vm.xml')), host).xml;

/** The XML of a running domain, in which libvirt gives each device an alias. */
export function started(xml: string): string {
  let [hostdevs, smmus] = [0, 0];
  return xml
    .replace(/<controller type='pci' index='(\d+)'[^>]*?(\/>|>[\s\S]*?<\/controller>)/g, (element, index) => {
      if (element.includes('<alias')) return element;
      const alias = `<alias name='${index === '0' ? 'pcie.0' : `pci.${index}`}'/>`;
      return element.endsWith('/>') && !element.includes('</controller>')
        ? `${element.slice(0, -2)}>${alias}</controller>`
        : element.replace('</controller>', `${alias}</controller>`);
    })
    .replace(/<\/(hostdev|interface)>/g, (end) => `<alias name='hostdev${hostdevs++}'/>${end}`)
    .replace(/<\/iommu>/g, () => `<alias name='iommu${smmus++}'/></iommu>`);
}

const addr = (slot: number, func: number): string => `0x${slot.toString(16)}${func === 0 ? '' : `.0x${func}`}`;

/** The command line that libvirt (12.8) makes for it. */
export function argvOf(live: Domain): string[] {
  const buses = new Map(live.controllers.map((each) => [each.index, aliasOf(each)]));
  const at = ({ address }: { address: { bus: number; slot: number; function: number } | undefined }) =>
    address && { bus: buses.get(address.bus as never), addr: addr(address.slot, address.function) };
  const drivers: Readonly<Record<string, string>> = { 'pcie-expander-bus': 'pxb-pcie' };
  const controllers = live.controllers.filter(({ model }) => !ROOT_MODELS.has(model));
  const devices = [
    ...controllers.map((each) => ({
      driver: drivers[each.model] ?? each.model,
      ...(EXPANDER_MODELS.has(each.model) && { bus_nr: each.busNr }),
      id: aliasOf(each),
      ...at(each),
    })),
    ...live.iommus.map(({ element, pciBus, values }) => ({
      driver: 'arm-smmuv3',
      'primary-bus': buses.get(pciBus as never),
      id: element.child('alias')?.attribute('name'),
      ...Object.fromEntries(
        Object.entries(values).map(([key, value]) => [key, key === 'accel' ? value === 'on' : value]),
      ),
    })),
    ...live.hostDevices.map((each) => ({ driver: 'vfio-pci', id: aliasOf(each), iommufd: 'iommufd0', ...at(each) })),
  ];
  return ['/usr/bin/qemu-system-aarch64', ...devices.flatMap((device) => ['-device', JSON.stringify(device)])];
}

const smmuName = (n: number): string => `smmu3.0x${(0xc000000 + n * 0x20000).toString(16).padStart(16, '0')}`;

/** The report of the script in the guest, run as root. */
export function reportOf(live: Domain): string {
  const { functions, vsmmus } = predictGuest(live);
  const { cells } = live.numa;
  const values = live.iommus.map((iommu) => iommu.values);
  const lines = functions.map(({ address, host: bdf, vsmmu }) => {
    const device = bdf && host.device(bdf);
    const ids = device ? [device.vendor.slice(2), device.device.slice(2)] : ['1b36', '000c'];
    const behind = vsmmu === null ? '' : ` smmu=${smmuName(vsmmu)} type=DMA-FQ ats=on pasid=on`;
    return `pci ${address} vendor=${ids[0]} device=${ids[1]} node=0 driver=${bdf ? 'nvme' : 'pcieport'}${behind}`;
  });
  return [
    'vsmmu-guest-report 1',
    'kernel 7.2.13',
    ...vsmmus.map((_, i) => `smmu ${smmuName(i)} arm-smmu-v3.${i}.auto`),
    ...lines,
    ...cells.map((cell) => {
      const distances = cells.map((other) => (other === cell ? 10 : (cell.distances.get(other.id) ?? 20)));
      const cpus = cell.cpus.length > 1 ? `${cell.cpus[0]}-${cell.cpus.at(-1)}` : cell.cpus.join('');
      return `node ${cell.id} cpus=${cpus} distances=${distances.join(' ')}`;
    }),
    'log',
    ...vsmmus.map((_, i) => {
      const bits = values[i]?.ats === 'on' ? '0x00000020' : '0x00000000';
      return `log [    1.000000] arm-smmu-v3 arm-smmu-v3.${i}.auto: oas 48-bit (features ${bits})`;
    }),
    'end',
    '',
  ].join('\n');
}

/** Differences from a healthy guest. */
export interface Changes {
  readonly live?: (xml: string) => string;
  readonly next?: (xml: string) => string;
  readonly argv?: (argv: string[]) => string[];
  readonly report?: (text: string) => string;
  readonly host?: Host;
  readonly more?: Partial<Evidence>;
}

const same = <T>(value: T): T => value;

/** All data about the running domain. The command line and the report are those of the domain as it was started. */
export function evidenceOf({
  live = same,
  next = same,
  argv = same,
  report = same,
  host: on = host,
  more,
}: Changes = {}): Evidence {
  const running = parseDomain(live(started(defined)));
  const text = report(reportOf(running));
  return {
    live: running,
    next: parseDomain(next(defined)),
    host: on,
    plan: planRunning(running, on, DEFAULT_POLICY, {}),
    qemu: readCommandLine(argv(argvOf(parseDomain(started(defined))))),
    qemuProblem: '',
    qemuLog: '2026-11-24 12:00:00.000+0000: starting up libvirt version: 12.8.0\n',
    hostLog: { log: [], since: 0, smmus: undefined },
    monitor: undefined,
    guest: readGuestReport(text),
    ...more,
  };
}

/** The failed checks, with their codes. */
export function wrongIn(changes: Changes): Record<string, string[]> {
  const checks = verify(evidenceOf(changes));
  const wrong = checks.filter((check) => gradeOf(check) !== 'pass');
  return Object.fromEntries(
    wrong.map(({ of, title, findings }) => [`${of}: ${title}`, findings.map(({ code }) => code)]),
  );
}

/** The result of each check in words, with its details. */
export function described(changes: Changes): string[] {
  return verify(evidenceOf(changes)).flatMap(({ of, title, found, details = [] }) => [
    `${of}: ${title}: ${found}`,
    ...details.map((detail) => `  ${detail}`),
  ]);
}

/** The addresses of the host devices in the guest. */
export const addressesOfGuest: Readonly<Record<string, string>> = Object.fromEntries(
  guestAddresses(predictGuest(parseDomain(started(defined)))),
);

/** The answers of QEMU's monitor. @param moved returns the bus number that QEMU has instead of the given one */
export function monitorOf(moved: (bus: number) => number = same): MonitorAnswers {
  const live = parseDomain(started(defined));
  const devices = live.hostDevices.map((device) => {
    const [, bus = '', slot = '', func = ''] = /:(..):(..)\.(.)$/.exec(addressesOfGuest[device.bdf] ?? '') ?? [];
    const number = moved(Number.parseInt(bus, 16));
    return { qdev_id: aliasOf(device), bus: number, slot: Number.parseInt(slot, 16), function: Number(func) };
  });
  const port = { qdev_id: 'port', bus: 230, slot: 0, function: 0, pci_bridge: { bus: { number: 230 }, devices } };
  return {
    pci: {
      return: [
        { bus: 0, devices: [] },
        { bus: 230, devices: [port] },
      ],
    },
    accel: live.iommus.map(() => ({ return: true })),
  };
}
