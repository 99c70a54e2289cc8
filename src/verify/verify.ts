import type { Diagnostic } from '../diagnostics/diagnostic.js';
import type { GuestReport } from '../guest/report.js';
import type { Check } from './check.js';
import { checkCommandLine } from './command-line.js';
import { checkDomain, type Running } from './domain.js';
import { checkGuest } from './guest.js';
import { checkHostLog, checkQemuLog, type HostLogRequest } from './logs.js';
import { checkMonitor, type MonitorAnswers } from './monitor.js';

/** All data collected about a running domain. */
export interface Evidence extends Running {
  /** Why QEMU's command line could not be read; not used if `qemu` is known. */
  readonly qemuProblem: string;
  /** QEMU's log, or the reason why it cannot be read. */
  readonly qemuLog: string | { readonly file: string; readonly why: string };
  readonly hostLog: Pick<HostLogRequest, 'log' | 'since' | 'smmus'>;
  /** The answer of QEMU's monitor; undefined if not queried. */
  readonly monitor: MonitorAnswers | undefined;
  /** The guest's report, or the reason why there is none. */
  readonly guest: GuestReport | Diagnostic;
}

/**
 * Checks whether the guest of a running domain matches the plan for this host and really uses nested translation. Checks the
 * definition, QEMU, the logs of the host and of QEMU, and the guest's own report. A pure function.
 */
export function verify(evidence: Evidence, forceTcg = false): readonly Check[] {
  const { live, host, qemu, qemuProblem, qemuLog, hostLog, monitor, guest } = evidence;
  const devices = live.hostDevices.map(({ bdf }) => bdf);
  return [
    ...checkDomain(evidence, forceTcg),
    ...checkCommandLine(live, qemu, qemuProblem),
    ...(monitor ? [checkMonitor(live, monitor)] : []),
    checkQemuLog(qemuLog),
    checkHostLog({ ...hostLog, devices }),
    ...('code' in guest
      ? [{ of: 'Guest', title: 'its own report', found: '', findings: [guest] } as const]
      : checkGuest(live, host, guest)),
  ];
}
