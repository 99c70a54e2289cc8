import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { domainWithoutHostDevice } from '../../diagnostics/domain.js';
import { DiagnosedError, InputError, RefusedError } from '../../diagnostics/errors.js';
import { guestReportInvalid, guestReportMissing } from '../../diagnostics/guest.js';
import { domainNotRunning } from '../../diagnostics/running.js';
import { usage } from '../../diagnostics/usage.js';
import { type Domain, parseDomain, readDomain } from '../../domain/domain.js';
import { GUEST_SCRIPT } from '../../generated/guest-script.js';
import { type GuestReport, readGuestReport } from '../../guest/report.js';
import { readKernelLog } from '../../host/kernel-log.js';
import { type Connection, type DomainUuid, openLibvirt } from '../../libvirt/connection.js';
import { runInGuest } from '../../libvirt/guest-agent.js';
import { isRemote } from '../../libvirt/uri.js';
import { whyNotApplicable } from '../../plan/applicable.js';
import { type Check, gradeOf } from '../../verify/check.js';
import { readCommandLine } from '../../verify/command-line.js';
import { planRunning } from '../../verify/domain.js';
import { findQemu, readQemuLog, smmuDevices } from '../../verify/gather.js';
import type { MonitorAnswers } from '../../verify/monitor.js';
import { type Evidence, verify } from '../../verify/verify.js';
import type { Command } from '../command.js';
import { readHost, sysfsOf } from '../host.js';
import { readInput } from '../io/files.js';
import { print } from '../io/terminal.js';
import {
  CONNECT_OPTIONS,
  domainOperand,
  flag,
  HOST_OPTIONS,
  isSet,
  type OptionValues,
  OUTPUT_OPTIONS,
  policyOf,
  policyOptions,
  TARGET_OPTIONS,
  text,
  value,
} from '../options.js';
import { renderChecks } from '../render/doctor.js';
import { applyStrictness, printJson } from '../report.js';
import { requireMatchingHost } from '../source.js';
import { targetNames, targetOf } from '../target.js';

export const command: Command = {
  usage: 'verify DOMAIN',
  summary: 'check whether the running guest matches the plan and its devices use nested translation',
  details: [
    'DOMAIN is the name or the UUID of a running domain. Without --connect, LIBVIRT_DEFAULT_URI names the libvirt; the default is qemu:///system.',
  ],
  options: {
    ...CONNECT_OPTIONS,
    'guest-script': flag('print the shell script that reports what a guest sees, for guests without a guest agent'),
    'guest-report': text('read the output of that script from this file; - for standard input', {
      value: 'file',
      conflicts: 'guest-script',
    }),
    monitor: flag("also ask QEMU's monitor; libvirt then marks the domain as tainted"),
    ...HOST_OPTIONS,
    ...policyOptions(),
    ...TARGET_OPTIONS,
    ...OUTPUT_OPTIONS,
    verbose: flag('print all details of each check'),
  },
  examples: [
    ['$0 verify vm', 'a running domain of this host, through its guest agent'],
    ['$0 verify --guest-script | ssh guest sh -s | $0 verify --guest-report - vm', 'without a guest agent'],
    ['$0 verify --json vm', 'for programs; "verified" is true if no check fails'],
  ],
  run,
};

/**
 * `vsmmu verify DOMAIN`: checks whether the running guest matches the plan and uses nested translation.
 * @returns 1 if a check fails, or with `--strict` if one warns
 */
async function run(operands: readonly string[], given: OptionValues): Promise<number> {
  if (isSet(given, 'guest-script')) {
    const [operand] = operands;
    if (operand !== undefined) throw new InputError(usage.noOperand({ command: '--guest-script', operand }));
    print(GUEST_SCRIPT);
    return 0;
  }
  const uri = value(given, 'connect') ?? (process.env.LIBVIRT_DEFAULT_URI || 'qemu:///system');
  const options = { ...given, connect: uri };
  requireMatchingHost(options);
  const operand = domainOperand(operands, options);
  // An invalid report is refused before anything is queried.
  const file = value(options, 'guest-report');
  const report = file === undefined ? undefined : readGuestReport(Buffer.from(await readInput(file)).toString('utf8'));
  await using connection = openLibvirt(uri);
  const { uuid, name } = await connection.find(operand);
  const evidence = await gather(connection, { uuid, name, uri }, options, report);
  const checks = verify(evidence, isSet(options, 'force-tcg'));
  return printResult(checks, name, options);
}

interface Subject {
  readonly uuid: DomainUuid;
  readonly name: string;
  readonly uri: string;
}

/** Collects evidence from libvirt, QEMU, the host and the guest. */
async function gather(
  connection: Connection,
  { uuid, name, uri }: Subject,
  options: OptionValues,
  report: GuestReport | undefined,
): Promise<Evidence> {
  const state = await connection.state(uuid);
  if (state !== 'running' && state !== 'paused') throw new RefusedError(domainNotRunning({ domain: name, state }));
  const live = parseDomain(await connection.dumpXml(uuid));
  const note = whyNotApplicable(live);
  if (note && note.code !== domainWithoutHostDevice.code) throw new RefusedError({ ...note, severity: 'error' });
  const host = readHost(options, { features: true });
  const remote = isRemote(uri);
  const process = remote ? undefined : findQemu(uuid);
  const smmus = live.hostDevices.flatMap(({ bdf }) => host.device(bdf)?.smmu ?? []);
  return {
    live,
    next: await nextOf(connection, uuid),
    host,
    plan: planRunning(live, host, policyOf(options), {
      forceTcg: isSet(options, 'force-tcg'),
      target: await targetOf(targetNames(options)),
    }),
    qemu: process && readCommandLine(process.argv),
    qemuProblem: remote ? `${uri} is on another machine` : 'no process has the UUID of the domain',
    qemuLog: remote ? { file: uri, why: 'the log is on another machine' } : readQemuLog(name, uri),
    hostLog: {
      log: remote ? undefined : readKernelLog(),
      // One second of tolerance: times of the kernel log and of processes are rounded differently.
      since: process && process.since - 1,
      smmus: options.topology === undefined ? smmuDevices(smmus, sysfsOf(options)) : undefined,
    },
    monitor: isSet(options, 'monitor') ? await askMonitor(connection, uuid, live) : undefined,
    guest: report ?? (await askGuest(connection, uuid, state)),
  };
}

/** Returns the definition for the next start; undefined for a transient domain. */
async function nextOf(connection: Connection, uuid: DomainUuid): Promise<Domain | undefined> {
  const entry = (await connection.list()).find((each) => each.uuid === uuid);
  return entry?.persistent ? readDomain(await connection.dumpXml(uuid, { inactive: true })) : undefined;
}

async function askMonitor(connection: Connection, uuid: DomainUuid, live: Domain): Promise<MonitorAnswers> {
  const pci = await connection.askMonitor(uuid, { execute: 'query-pci' });
  const accel: unknown[] = [];
  for (const { element, model, pciBus } of live.iommus) {
    if (model !== 'smmuv3' || pciBus === undefined) continue;
    const path = `/machine/peripheral/${element.child('alias')?.attribute('name')}`;
    accel.push(await connection.askMonitor(uuid, { execute: 'qom-get', arguments: { path, property: 'accel' } }));
  }
  return { pci, accel };
}

/** Returns the guest's report from its agent, or a diagnostic with the reason if there is none. */
async function askGuest(connection: Connection, uuid: DomainUuid, state: string): Promise<GuestReport | Diagnostic> {
  if (state !== 'running') return guestReportMissing({ why: `the guest is ${state}` });
  try {
    return readGuestReport(await runInGuest(connection, uuid, GUEST_SCRIPT));
  } catch (error) {
    if (!(error instanceof DiagnosedError)) throw error;
    const invalid = error.diagnostics.find(({ code }) => code === guestReportInvalid.code);
    return invalid ?? guestReportMissing({ why: error.message });
  }
}

/** Prints the checks. Returns the exit code: 1 if one fails. */
function printResult(checks: readonly Check[], name: string, options: OptionValues): number {
  const judged = checks.map((check) => ({ ...check, findings: applyStrictness(check.findings, options) }));
  const failures = judged.filter((check) => gradeOf(check) === 'fail');
  if (isSet(options, 'json')) {
    printJson({
      changed: false,
      diagnostics: judged.flatMap(({ findings }) => findings.map((found) => ({ file: name, ...found }))),
      verified: failures.length === 0,
      checks: judged.map(({ findings, ...check }) => ({
        ...check,
        grade: gradeOf({ ...check, findings }),
        codes: findings.map(({ code }) => code),
      })),
    });
  } else {
    const shown = judged.map(({ of, title, found, findings, details = [] }) => {
      const [first, ...others] = findings.map(({ code, message }) => `${message} (${code})`);
      const remedy = findings.find(({ hint }) => hint !== undefined)?.hint;
      const grade = gradeOf({ of, title, found, findings });
      return {
        of,
        title,
        grade,
        found: first ?? found,
        ...(remedy !== undefined && { remedy }),
        details: [...others, ...details],
      };
    });
    const detail = { quiet: isSet(options, 'quiet'), verbose: isSet(options, 'verbose') };
    print(renderChecks(shown, detail, (...numbers) => summaryLine(name, ...numbers)));
  }
  return failures.length > 0 ? 1 : 0;
}

function summaryLine(name: string, failures: number, warnings: string, all: number): string {
  if (failures === 0) return `The guest of ${name} matches the plan${warnings}.`;
  return `The guest of ${name} does not match the plan: ${failures} of ${all} checks fail${warnings}.`;
}
