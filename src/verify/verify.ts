import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { GuestReport } from '../guest/report.js';
import type { Check } from './check.js';
import { checkCommandLine } from './command-line.js';
import { checkDomain, type Running } from './domain.js';
import { checkGuest } from './guest.js';
import { checkHostLog, checkQemuLog, type HostLogRequest } from './logs.js';
import { checkMonitor, type MonitorAnswers } from './monitor.js';

/** All that was gathered about a running domain. */
export interface Evidence extends Running {
  /** Why QEMU's command line is unknown, if it is. */
  readonly trouble: string;
  /** QEMU's log, or why it cannot be read. */
  readonly qemuLog: string | { readonly file: string; readonly why: string };
  readonly hostLog: Pick<HostLogRequest, 'log' | 'since' | 'smmus'>;
  /** The answer of QEMU's monitor; undefined if not queried. */
  readonly monitor: MonitorAnswers | undefined;
  /** What the guest reports, or why it does not. */
  readonly guest: GuestReport | Diagnostic;
}

/**
 * Says whether the guest of a running domain is what the plan for this host says, and really nested: its definition, QEMU,
 * the logs of both and the guest's own report, from the host to the guest. A pure function.
 */
export function verify(evidence: Evidence, forceTcg = false): readonly Check[] {
  const { live, host, qemu, trouble, qemuLog, hostLog, monitor, guest } = evidence;
  const devices = live.hostDevices.map(({ bdf }) => bdf);
  return [
    ...checkDomain(evidence, forceTcg),
    ...checkCommandLine(live, qemu, trouble),
    ...(monitor ? [checkMonitor(live, monitor)] : []),
    checkQemuLog(qemuLog),
    checkHostLog({ ...hostLog, devices }),
    ...('code' in guest
      ? [{ of: 'Guest', title: 'its own report', found: '', findings: [guest] } as const]
      : checkGuest(live, host, guest)),
  ];
}
