import { InputError } from '../diagnostics/errors.js';
import { guestReportInvalid } from '../diagnostics/guest.js';
import { type Bdf, parseBdf } from '../domain/address.js';
import { printable } from '../escape.js';

/** Whether a capability of a device is on; `none` if the device does not have it. */
export type Switch = 'on' | 'off' | 'none';

/** A PCI function as a guest reports it. */
export interface ReportedDevice {
  readonly bdf: Bdf;
  /** Vendor and device, four hexadecimal digits each. */
  readonly vendor: string;
  readonly device: string;
  /** The bound driver; undefined if there is none. */
  readonly driver: string | undefined;
  /** The guest's name for the SMMU that it is behind; undefined if it is behind none. */
  readonly smmu: string | undefined;
  /** The type of its IOMMU group in the guest: `DMA`, `DMA-FQ`, `identity` …; undefined if it is in no group. */
  readonly type: string | undefined;
  /** The guest's NUMA node; undefined if it is not known. */
  readonly node: number | undefined;
  /** The numbers of its memory BARs that have no address. */
  readonly unplaced: readonly number[];
  /** Undefined if the report was not made by root, or the device is behind no SMMU. */
  readonly ats: Switch | undefined;
  readonly pasid: Switch | undefined;
}

/** A guest's report: the output of `report.sh` in the guest. Untrusted input. */
export interface GuestReport {
  readonly kernel: string;
  /** Its SMMUv3s, sorted by address. QEMU creates them in this order. `device` is the name in the guest's kernel log. */
  readonly smmus: readonly { readonly name: string; readonly device: string }[];
  readonly devices: ReadonlyMap<Bdf, ReportedDevice>;
  readonly nodes: readonly { readonly id: number; readonly cpus: string; readonly distances: readonly number[] }[];
  /** The relevant lines of its kernel log, escaped; undefined if the log could not be read. */
  readonly log: readonly string[] | undefined;
}

/** The limits of a report. The output of the script is always below them. */
const MAX_LENGTH = 4 * 1024 * 1024;
const MAX_LINES = 70_000;
const MAX_LINE = 1000;

const FIRST = 'vsmmu-guest-report 1';

const NAME = /^[\w.,:@+-]{1,100}$/;
const SMMU = /^smmu (smmu3\.0x[0-9a-f]{16}) ([\w.:-]{1,100})$/;
const NODE = /^node (\d{1,5}) cpus=([\d,-]{0,900}) distances=(\d{1,3}(?: \d{1,3})*)$/;
const PCI = /^pci ([0-9a-f]{4}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7])((?: [a-z]+=\S+)*)$/;
const KERNEL = /^kernel (\S{1,100})$/;

/** The values that a key of a `pci` line may have. */
const VALUES: Readonly<Record<string, RegExp>> = {
  vendor: /^[0-9a-f]{4}$/,
  device: /^[0-9a-f]{4}$/,
  node: /^(-1|\d{1,5})$/,
  driver: NAME,
  smmu: /^smmu3\.0x[0-9a-f]{16}$/,
  type: NAME,
  unplaced: /^[0-5](,[0-5]){0,5}$/,
  ats: /^(on|off|none)$/,
  pasid: /^(on|off|none)$/,
};

/**
 * Reads what `report.sh` printed in a guest. Everything in it is untrusted input.
 * @throws InputError `guest-report-invalid` if the script does not print such a text
 */
export function readGuestReport(text: string): GuestReport {
  if (text.length > MAX_LENGTH) throw invalid('it has more than 4 MiB');
  const lines = text.replace(/\r?\n$/, '').split(/\r?\n/, MAX_LINES + 1);
  if (lines.length > MAX_LINES) throw invalid(`it has more than ${MAX_LINES} lines`);
  if (lines[0] !== FIRST) throw invalid(`its first line is not "${FIRST}"`);
  if (lines.length < 2 || lines.at(-1) !== 'end') throw invalid('its last line is not "end": it was cut off');
  const reader = new ReportReader();
  for (const [index, line] of lines.slice(1, -1).entries()) {
    if (line.length > MAX_LINE || !reader.read(line))
      throw invalid(`line ${index + 2} is not one that the script prints`);
  }
  return reader.report();
}

class ReportReader {
  #kernel = '';
  readonly #smmus = new Map<string, string>();
  readonly #devices = new Map<Bdf, ReportedDevice>();
  readonly #nodes = new Map<number, GuestReport['nodes'][number]>();
  #log: string[] | undefined;

  /**
   * Reads a line. Returns false for a line that the script does not print, and for a repeated line that it prints only once.
   */
  read(line: string): boolean {
    const key = line.split(' ', 1)[0];
    switch (key) {
      case 'kernel':
        return this.#readKernel(line);
      case 'smmu':
        return this.#readSmmu(line);
      case 'pci':
        return this.#readDevice(line);
      case 'node':
        return this.#readNode(line);
      case 'log':
        this.#log ??= [];
        if (line.startsWith('log ')) this.#log.push(printable(line.slice(4)));
        return true;
      default:
        return false;
    }
  }

  report(): GuestReport {
    const smmus = [...this.#smmus].map(([name, device]) => ({ name, device }));
    return {
      kernel: this.#kernel,
      smmus: smmus.sort((a, b) => (a.name < b.name ? -1 : 1)),
      devices: this.#devices,
      nodes: [...this.#nodes.values()].sort((a, b) => a.id - b.id),
      log: this.#log,
    };
  }

  #readKernel(line: string): boolean {
    const [, kernel] = KERNEL.exec(line) ?? [];
    if (kernel === undefined || this.#kernel !== '') return false;
    this.#kernel = printable(kernel);
    return true;
  }

  #readSmmu(line: string): boolean {
    const [, name, device] = SMMU.exec(line) ?? [];
    if (name === undefined || device === undefined || this.#smmus.has(name)) return false;
    this.#smmus.set(name, device);
    return true;
  }

  #readNode(line: string): boolean {
    const [, number, cpus = '', distances = ''] = NODE.exec(line) ?? [];
    const id = Number(number);
    if (number === undefined || this.#nodes.has(id)) return false;
    this.#nodes.set(id, { id, cpus, distances: distances.split(' ').map(Number) });
    return true;
  }

  #readDevice(line: string): boolean {
    const [, address, rest = ''] = PCI.exec(line) ?? [];
    const bdf = parseBdf(address ?? '');
    if (bdf === undefined || this.#devices.has(bdf)) return false;
    const values = new Map<string, string>();
    for (const part of rest.split(' ').slice(1)) {
      const at = part.indexOf('=');
      const [key, value] = [part.slice(0, at), part.slice(at + 1)];
      if (values.has(key) || !Object.hasOwn(VALUES, key) || !VALUES[key]?.test(value)) return false;
      values.set(key, value);
    }
    const [vendor, device] = [values.get('vendor'), values.get('device')];
    if (vendor === undefined || device === undefined) return false;
    const node = Number(values.get('node') ?? -1);
    this.#devices.set(bdf, {
      bdf,
      vendor,
      device,
      driver: values.get('driver'),
      smmu: values.get('smmu'),
      type: values.get('type'),
      node: node < 0 ? undefined : node,
      unplaced: values.get('unplaced')?.split(',').map(Number) ?? [],
      ats: switchOf(values.get('ats')),
      pasid: switchOf(values.get('pasid')),
    });
    return true;
  }
}

function invalid(why: string): InputError {
  return new InputError(guestReportInvalid({ why }));
}

function switchOf(text: string | undefined): Switch | undefined {
  return text === 'on' || text === 'off' || text === 'none' ? text : undefined;
}
