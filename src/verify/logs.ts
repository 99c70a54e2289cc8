import type { Diagnostic } from '../diagnostics/diagnostic.js';
import {
  hostLogUnreadable,
  hostSmmuEvent,
  hostVfioReset,
  qemuAttachFailed,
  qemuCmdqvFailed,
  qemuInvalidationFailed,
  qemuLogUnreadable,
} from '../diagnostics/running.js';
import { addressOf, type Bdf } from '../domain/address.js';
import { printable } from '../escape.js';
import type { LogRecord } from '../host/kernel-log.js';
import type { Check } from './check.js';

/** How many lines of one kind to report. Further lines add no information. */
const MAX_LINES = 8;

/** The known errors of a running QEMU (11.1), with their diagnostics. */
const QEMU_ERRORS: readonly (readonly [RegExp, (args: { line: string }) => Diagnostic])[] = [
  [
    /error attach|Failed to (attach|install)|Unable to alloc vIOMMU|IOMMU_V(IOMMU|DEVICE)_ALLOC failed/,
    qemuAttachFailed,
  ],
  [/CMDQV/, qemuCmdqvFailed],
  [/IOMMU_HWPT_INVALIDATE/, qemuInvalidationFailed],
];

/** The line that libvirt writes to QEMU's log before each start. */
const START = /^\d{4}-\d\d-\d\d \S+: starting up libvirt version/gm;

/**
 * Looks for known errors in QEMU's log of this start.
 * @param log the text, or the reason why it cannot be read
 */
export function checkQemuLog(log: string | { readonly file: string; readonly why: string }): Check {
  const check = { of: 'QEMU', title: 'the log of this start', found: 'none of the known errors' } as const;
  if (typeof log !== 'string') return { ...check, found: '', findings: [qemuLogUnreadable(log)] };
  const start = [...log.matchAll(START)].at(-1)?.index ?? 0;
  const lines = log.slice(start).split('\n');
  const findings = QEMU_ERRORS.flatMap(([pattern, make]) => {
    return distinct(lines.filter((line) => pattern.test(line)).map(withoutPrefix)).map((line) => make({ line }));
  });
  return { ...check, findings };
}

/** Returns a line without QEMU's time and name. */
function withoutPrefix(line: string): string {
  return printable(line.replace(/^\S+ qemu-\S+: /, '').trim()).slice(0, 300);
}

/** Returns the first `MAX_LINES` different lines. */
export function distinct(lines: readonly string[]): string[] {
  return [...new Set(lines)].slice(0, MAX_LINES);
}

/** The input for checking the host's kernel log. */
export interface HostLogRequest {
  /** Undefined if it cannot be read. */
  readonly log: readonly LogRecord[] | undefined;
  /** When QEMU was started, in seconds since the host booted; undefined if unknown. */
  readonly since: number | undefined;
  readonly devices: readonly Bdf[];
  /** The kernel's names for the SMMUs that they are behind (`arm-smmu-v3.8.auto`); undefined stands for any SMMU. */
  readonly smmus: readonly string[] | undefined;
}

/** An event that the SMMUv3 driver logs. Before Linux 6.14, its words follow, one per line; the first contains the stream ID. */
const EVENT = /^arm-smmu-v3 (\S+): +event(?:: \S+ client: (\S+)| 0x\w+ received:)/;
const EVENT_WORD = /^arm-smmu-v3 \S+:\s+0x([0-9a-f]{8})[0-9a-f]{8}$/;
const TIMEOUT = /^arm-smmu-v3 (\S+): (?:.*CMD_SYNC timeout|unexpected global error|CMDQ error|.*CMDQV)/;
const RESET = /reset recovery|not ready \d+ms after|AER: |Unable to change power state|PCIe Bus Error/;

/** Looks for SMMU events and for resets of the domain's devices in the host's kernel log. */
export function checkHostLog({ log, since, devices, smmus }: HostLogRequest): Check {
  const check = { of: 'Host', title: 'the kernel log since QEMU started', found: 'no SMMU event, no reset' } as const;
  if (!log) return { ...check, found: '', findings: [hostLogUnreadable()] };
  if (since === undefined) return { ...check, found: 'unknown without the process of QEMU', findings: [] };
  const texts = log.filter(({ seconds }) => seconds >= since).map(({ text }) => text);
  const ids = new Set(devices.map(requesterId));
  const events = texts.filter((text, i) => {
    const [, smmu, client] = EVENT.exec(text) ?? [];
    if (smmu === undefined) return isOf(smmus, TIMEOUT.exec(text)?.[1]);
    if (client !== undefined && client !== '(unassigned') return devices.some((bdf) => bdf === client);
    const [, stream] = EVENT_WORD.exec(texts[i + 1] ?? '') ?? [];
    // Firmware may add a base to the stream ID. Its lower 16 bits are bus, slot and function.
    return stream === undefined ? isOf(smmus, smmu) : ids.has(Number.parseInt(stream, 16) & 0xffff);
  });
  const resets = texts.filter((text) => RESET.test(text) && devices.some((bdf) => text.includes(bdf)));
  const clean = (lines: readonly string[]) => distinct(lines.map((line) => printable(line).slice(0, 300)));
  return {
    ...check,
    findings: [
      ...clean(events).map((line) => hostSmmuEvent({ line })),
      ...clean(resets).map((line) => hostVfioReset({ line })),
    ],
  };
}

function isOf(smmus: readonly string[] | undefined, name: string | undefined): boolean {
  return name !== undefined && (smmus === undefined || smmus.includes(name));
}

/** Returns bus, slot and function in 16 bits. */
function requesterId(bdf: Bdf): number {
  const { bus, slot, function: func } = addressOf(bdf);
  return (bus << 8) | (slot << 3) | func;
}
