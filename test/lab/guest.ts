/** Boots an arm64 Linux under TCG and reads its PCI tree, SMMUs, NUMA nodes and IORT. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type CpioEntry, packCpio, readEntries } from './cpio.js';
import { guestFolder } from './guest-files.js';
import { type Iort, parseIort } from './iort.js';
import { JailTimeout } from './jail.js';
import type { Lab } from './lab.js';
import { LabError } from './process.js';
import { rootPath } from './rootfs.js';

export interface GuestDevice {
  /** `dddd:bb:ss.f`, as the guest numbers it. */
  readonly bdf: string;
  /** The PCI bridge above it; undefined on a root bus. */
  readonly parent: string | undefined;
  /** Its root bus, `dddd:bb`. */
  readonly root: string;
  /** Vendor and device have four hexadecimal digits, the class six. */
  readonly vendor: string;
  readonly device: string;
  readonly class: string;
  /** Vendor and device of its subsystem, `vvvv:dddd`. */
  readonly subsystem: string;
  /** For a PCI bridge: the number of the bus below it, two hexadecimal digits. */
  readonly secondary: string | undefined;
  /** The NUMA node; -1: none. */
  readonly numaNode: number;
  /** The kernel's name of its SMMU, and the number of its IOMMU group; undefined if it has none. */
  readonly smmu: string | undefined;
  readonly group: string | undefined;
}

export interface GuestView {
  readonly devices: readonly GuestDevice[];
  /** The kernel's names of the SMMUv3s, sorted by address, which is the order in which QEMU made them. */
  readonly smmus: readonly string[];
  readonly numa: readonly { readonly node: number; readonly cpus: string; readonly distances: readonly number[] }[];
  /** Undefined in a guest without the table. */
  readonly iort: Iort | undefined;
  /** The memory BARs without an address: `0000:01:00.0 BAR 2`. */
  readonly unplaced: readonly string[];
  /** The output of `lspci -tv`. */
  readonly lspci: string;
  /** The DSDT in AML, if the kernel's command line has the word `dsdt`. */
  readonly dsdt: Buffer | undefined;
}

/** Path in the lab of the initramfs for guests. */
const guestInitrd = '/run/guest.cpio.gz';

/** The firmware of Debian's qemu-efi-aarch64: guests need ACPI for the IORT, and ACPI needs it. */
const firmware = '/usr/share/qemu-efi-aarch64/QEMU_EFI.fd';

/**
 * Arguments that every boot adds to a machine: `panic=-1` and `-no-reboot` end a guest that fails. `words` are for its
 * guest/init, on the kernel's command line.
 */
export function bootArguments(initrd: string, words = ''): string[] {
  const kernel = ['-kernel', `${guestFolder}/vmlinuz`, '-initrd', initrd];
  const console = [
    '-append',
    `console=ttyAMA0 quiet panic=-1 ${words}`,
    '-serial',
    'stdio',
    '-display',
    'none',
    '-monitor',
    'none',
  ];
  return ['-bios', firmware, ...kernel, ...console, '-no-reboot', '-nodefaults'];
}

const prepared = new WeakMap<Lab, Promise<void>>();

/**
 * Boots a guest with the machine and devices of `machine` (arguments of qemu-system-aarch64, no kernel, no console) and
 * returns its report. Throws LabError if the report is incomplete: QEMU's refusal, the kernel's panic, or the limit.
 */
export async function bootGuest(lab: Lab, machine: readonly string[], limitSeconds = 240): Promise<GuestView> {
  return parseView(await bootConsole(lab, machine, limitSeconds));
}

/** Like `bootGuest`, but returns the whole console output. */
export async function bootConsole(
  lab: Lab,
  machine: readonly string[],
  limitSeconds = 240,
  words = '',
): Promise<string> {
  const initrd = await prepareInitrd(lab);
  return await boot(lab, [...machine, ...bootArguments(initrd, words)], limitSeconds);
}

/** Copies the initramfs into the lab once, and returns its path there. */
export async function prepareInitrd(lab: Lab): Promise<string> {
  let making = prepared.get(lab);
  if (making === undefined) {
    making = guestArchive().then((archive) => lab.jail.put(guestInitrd, archive));
    prepared.set(lab, making);
  }
  await making;
  return guestInitrd;
}

/** Runs QEMU to its end and returns the console output. Throws LabError with the line that says why it failed. */
export async function boot(lab: Lab, argv: readonly string[], limitSeconds: number): Promise<string> {
  try {
    const { code, stdout, stderr } = await lab.run(['qemu-system-aarch64', ...argv], { limitSeconds });
    if (code !== 0) throw new LabError(`QEMU ended with ${code}: ${refusal(stderr)}`);
    return stdout;
  } catch (error) {
    if (!(error instanceof JailTimeout)) throw error;
    throw new LabError(`the guest was not done after ${limitSeconds} s: ${whyItStopped(error.result.stdout)}`);
  }
}

/** Reads the JSON lines of guest/report from a console. Throws LabError if the last of them is missing. */
export function parseView(console: string): GuestView {
  const lines = console.split(/\r?\n/).flatMap((text) => parseLine(text));
  if (!lines.some((line) => line.end === true))
    throw new LabError(`the guest did not finish: ${whyItStopped(console)}`);
  const iort = lines.find((line) => line.iort !== undefined)?.iort;
  const dsdt = lines.find((line) => line.dsdt !== undefined)?.dsdt;
  return {
    devices: lines.flatMap((line) => (line.pci === undefined ? [] : [toDevice(line)])),
    smmus: lines.flatMap((line) => (line.pci === undefined && line.smmu ? [line.smmu] : [])).sort(),
    numa: lines.flatMap(({ numa, cpus = '', distances = '' }) =>
      numa === undefined ? [] : [{ node: numa, cpus, distances: distances.trim().split(/\s+/).map(Number) }],
    ),
    iort: iort === undefined ? undefined : parseIort(Buffer.from(iort, 'base64')),
    unplaced: lines.flatMap((line) => line.unplaced ?? []),
    lspci: lines.flatMap((line) => (line.lspci === undefined ? [] : [line.lspci])).join('\n'),
    dsdt: dsdt === undefined ? undefined : Buffer.from(dsdt, 'base64'),
  };
}

/** A line of guest/report; its keys determine its kind. */
interface Line {
  readonly pci?: string;
  readonly vendor?: string;
  readonly device?: string;
  readonly class?: string;
  readonly subsystem?: string;
  readonly secondary?: string;
  readonly node?: number;
  readonly smmu?: string;
  readonly group?: string;
  readonly numa?: number;
  readonly distances?: string;
  readonly cpus?: string;
  readonly iort?: string;
  readonly unplaced?: string;
  readonly lspci?: string;
  readonly dsdt?: string;
  readonly end?: boolean;
}

function parseLine(text: string): Line[] {
  // Firmware leaves control sequences before the first line.
  const start = text.search(/\{"(pci|smmu|numa|iort|unplaced|lspci|dsdt|end)":/);
  if (start < 0) return [];
  try {
    return [JSON.parse(text.slice(start)) as Line];
  } catch {
    throw new LabError(`the guest printed a broken line: ${text.slice(start)}`);
  }
}

function toDevice(line: Line): GuestDevice {
  const path = (line.pci ?? '').split('/');
  return {
    bdf: path.at(-1) ?? '',
    parent: path.length > 2 ? path.at(-2) : undefined,
    root: (path[0] ?? '').replace(/^pci/, ''),
    vendor: (line.vendor ?? '').replace(/^0x/, ''),
    device: (line.device ?? '').replace(/^0x/, ''),
    class: (line.class ?? '').replace(/^0x/, ''),
    subsystem: line.subsystem ?? '',
    secondary: line.secondary || undefined,
    numaNode: line.node ?? -1,
    smmu: line.smmu || undefined,
    group: line.group || undefined,
  };
}

/** Returns QEMU's line with the reason of a refusal: the first that is not a warning. */
export function refusal(stderr: string): string {
  const lines = stderr.trim().split('\n');
  return (lines.find((line) => !line.includes('warning:')) ?? lines.at(-1) ?? '').trim();
}

/** Returns the kernel's line with the reason of a crash, or the last line on the console. */
export function whyItStopped(console: string): string {
  const lines = console.split(/\r?\n/).filter((line) => line.trim() !== '');
  const reason =
    lines.find((line) => /Kernel panic|Unable to handle|Oops/.test(line)) ?? lines.at(-1) ?? 'it printed nothing';
  // Firmware leaves control sequences before it.
  return reason.replace(/^.*\d[thlHJm](?=\[ *\d+\.\d+\])/, '').trim();
}

/** The initramfs of a guest: busybox, lspci with its libraries, the files of guest/, and the entries of `more`. */
export async function guestArchive(more: readonly CpioEntry[] = []): Promise<Buffer> {
  const own = ['init', 'report'].map(async (path): Promise<CpioEntry> => {
    const data = await readFile(fileURLToPath(new URL(`./guest/${path}`, import.meta.url)));
    return { path, kind: 'file', data, executable: true };
  });
  return gzipSync(packCpio([...(await programEntries()), ...(await Promise.all(own)), ...more]), { level: 1 });
}

/** busybox, lspci, the arm64 libraries and the list of PCI ids, from the lab's root. */
export async function programEntries(): Promise<CpioEntry[]> {
  const tree = join(rootPath(), guestFolder, 'tree');
  const folders = ['bin', 'usr', 'usr/lib', libraries, 'usr/share', 'usr/share/misc'];
  const file = async (path: string, source: string): Promise<CpioEntry> => {
    return { path, kind: 'file', data: await readFile(join(tree, source)), executable: true };
  };
  return [
    ...folders.map((path) => ({ path, kind: 'folder' }) as const),
    { path: 'lib', kind: 'link', target: libraries },
    await file('bin/busybox', 'usr/bin/busybox'),
    await file('bin/lspci', 'usr/bin/lspci'),
    await file('usr/share/misc/pci.ids', 'usr/share/misc/pci.ids'),
    ...(await libraryEntries(tree)),
  ];
}

const libraries = 'usr/lib/aarch64-linux-gnu';

async function libraryEntries(tree: string): Promise<CpioEntry[]> {
  return (await readEntries(join(tree, libraries), libraries)).filter(
    ({ path, kind }) => kind !== 'folder' && path.split('/').length === 4 && /\.so\.\d/.test(path),
  );
}

/** The guest agent and its libraries, for an initramfs with the programs. */
export async function agentEntries(): Promise<CpioEntry[]> {
  const tree = join(rootPath(), guestFolder, 'agent');
  const data = await readFile(join(tree, 'usr/sbin/qemu-ga'));
  return [{ path: 'bin/qemu-ga', kind: 'file', data, executable: true }, ...(await libraryEntries(tree))];
}
