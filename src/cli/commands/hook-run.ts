import { existsSync, writeSync } from 'node:fs';
import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { DiagnosedError, InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import { type Domain, parseDomain } from '../../domain/domain.js';
import { UPSTREAM } from '../../domain/target.js';
import { printable } from '../../escape.js';
import { isVirtMachine } from '../../plan/applicable.js';
import { ownProgram } from '../../runtime.js';
import type { Command } from '../command.js';
import { startClock } from '../hook/clock.js';
import { readHookInput } from '../hook/input.js';
import { HookLog } from '../hook/log.js';
import { readHostFor } from '../host.js';
import { hookOptions, isSet, type OptionValues, policyOf, value } from '../options.js';
import { formatDiagnostic } from '../report.js';
import { targetNames, targetOf } from '../target.js';

export const command: Command = {
  usage: 'hook run GUEST OPERATION SUB-OPERATION EXTRA',
  internal: true,
  summary: "check the domain on standard input for libvirt's qemu hook; the hook script calls this",
  options: hookOptions(),
  examples: [['virsh dumpxml vm | $0 hook run -- vm prepare begin -', 'check a domain as the hook does']],
  run,
};

/** The exit code that refuses the start of a guest. */
const REFUSED = 1;

/** The libvirt that calls the hook. */
const LOCAL_LIBVIRT = 'qemu:///system';

/** The policy file that the hook is called with need not exist. */
const MAY_BE_MISSING = { mayBeMissing: true };

/**
 * `vsmmu hook run GUEST OPERATION SUB-OPERATION EXTRA`: implements libvirt's qemu hook. It exits with 0 or 1, and also
 * prints `allowed` or `refused`, because a damaged program can exit with any code. If the check cannot complete, the
 * guest starts anyway, unless the mode is `enforce`.
 */
async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  const [guest, operation, suboperation, extra, ...more] = operands;
  if (extra === undefined || more.length > 0) {
    throw new InputError(usage.takes({ command: 'hook run', expected: 'GUEST OPERATION SUB-OPERATION EXTRA' }));
  }
  if (operation === 'vsmmu' && suboperation === 'status') {
    writeSync(1, 'running\n');
    return 0;
  }
  const log = new HookLog(value(options, 'log'));
  const name = JSON.stringify(guest);
  const isStart = operation === 'prepare' && suboperation === 'begin';
  const unchecked = (why: string): number => {
    log.write([oneLine(`vsmmu: ${name} could not be checked: ${why}`)]);
    return isStart ? answer(isEnforced(options) ? REFUSED : 0) : 0;
  };
  const limit = Number(value(options, 'limit') ?? 5);
  // In mode `enforce` a time-out refuses the start, so time spent waiting for a CPU does not count.
  const clock = startClock(limit * 1000, isEnforced(options), () =>
    process.exit(unchecked(`it took longer than ${limit} s`)),
  );
  try {
    if (isStart) return answer(await prepare(name, options, log));
    if (operation === 'release' && suboperation === 'end') await release(name, options, log);
    return 0;
  } catch (error) {
    const why = error instanceof DiagnosedError ? error.message : error instanceof Error ? error.stack : String(error);
    return unchecked(why ?? '');
  } finally {
    clock.stop();
  }
}

/** Checks a guest that is about to start. Returns the exit code. */
async function prepare(name: string, options: OptionValues, log: HookLog): Promise<number> {
  const domain = parseDomain(await readHookInput());
  const { kind, diagnostics } = await verdictOf(domain, options);
  if (kind === 'fine' && diagnostics.length === 0) return 0;
  const enforced = kind !== 'fine' && isEnforced(options);
  const [first] = diagnostics.filter((d) => d.severity === 'error');
  const reason =
    kind === 'convert'
      ? `${misplaced(diagnostics)} not behind the right vSMMU for this host; run: ${conversion(domain)}`
      : first
        ? `${first.code}: ${first.message}${first.hint === undefined ? '' : `; ${first.hint}`}`
        : 'it cannot be placed on this host';
  const lines = [`vsmmu: ${name}: ${reason}`];
  if (kind !== 'convert') lines.push(...diagnostics.map((d) => formatDiagnostic({ file: name, ...d }).trimEnd()));
  // libvirt shows this text if the start is refused, and most users see only its first line.
  log.write((enforced ? lines.slice(0, 1) : lines).map(oneLine));
  return enforced ? REFUSED : 0;
}

/**
 * Starts the conversion of a guest that has ended and released its devices. `hook convert` then decides whether a
 * conversion is needed: it reads the definition, which may have changed while the guest ran.
 */
async function release(name: string, options: OptionValues, log: HookLog): Promise<void> {
  if (!policyOf(options, MAY_BE_MISSING).convertOnStop) return;
  const domain = parseDomain(await readHookInput());
  const { parseUuid } = await import('../../libvirt/connection.js');
  const uuid = parseUuid(uuidOf(domain));
  if (uuid === undefined || !isVirtMachine(domain)) return;
  const given = ['policy', 'sysfs', 'state'].flatMap((option) => {
    const text = value(options, option);
    return text === undefined ? [] : [`--${option}`, text];
  });
  const tcg = isSet(options, 'force-tcg') ? ['--force-tcg'] : [];
  const { node, vsmmu } = ownProgram();
  const program = node === '' ? [vsmmu] : [node, vsmmu];
  const command = [...program, 'hook', 'convert', ...given, ...tcg, '--', uuid];
  await startDetached(name, command, log);
}

/**
 * Starts a program that continues after the hook has returned, because a hook must not call libvirt. Under systemd it
 * runs in its own unit; otherwise it would be stopped together with libvirt's service.
 */
async function startDetached(name: string, command: readonly string[], log: HookLog): Promise<void> {
  const managed = existsSync('/run/systemd/system');
  const [program = '', ...args] = managed
    ? ['systemd-run', '--no-block', '--quiet', '--collect', '--', ...command]
    : command;
  const output = log.open() ?? 'ignore';
  // Loaded only if needed: loading it takes as long as the check.
  const { spawn } = await import('node:child_process');
  const child = spawn(program, args, { detached: true, stdio: ['ignore', output, output], cwd: '/' });
  const failed = await new Promise<Error | undefined>((resolve) => {
    child.once('spawn', () => resolve(undefined));
    child.once('error', resolve);
  });
  if (failed) log.write([oneLine(`vsmmu: ${name}: its conversion could not be started: ${failed.message}`)]);
  child.unref();
}

async function verdictOf(domain: Domain, options: OptionValues) {
  const policy = policyOf(options, MAY_BE_MISSING);
  const { judge } = await import('../hook/verdict.js');
  return await judge(domain, readHostFor(domain, policy, options), {
    policy,
    forceTcg: isSet(options, 'force-tcg'),
    // If libvirt or QEMU cannot be queried, current upstream is assumed.
    target: async () => await targetOf(targetNames(options, LOCAL_LIBVIRT)).catch(() => UPSTREAM),
  });
}

/**
 * Returns the command that converts a domain. It contains the UUID, not the name: the name is untrusted input, and
 * users paste the command.
 */
function conversion(domain: Domain): string {
  const uuid = uuidOf(domain);
  return `vsmmu rewrite --connect ${LOCAL_LIBVIRT} --define ${/^[0-9a-f-]{36}$/i.test(uuid) ? uuid : 'NAME'}`;
}

function uuidOf({ document }: Domain): string {
  return document.root.child('uuid')?.text.trim() ?? '';
}

function misplaced(diagnostics: readonly Diagnostic[]): string {
  const moved = diagnostics.filter((d) => d.code === 'device-moved');
  const [first = ''] = moved.map((d) => d.message.split(' ')[0]);
  if (moved.length === 0) return 'its host devices are';
  return moved.length === 1 ? `${first} is` : `${first} and ${moved.length - 1} more devices are`;
}

/** Whether the mode is `enforce`. The mode set at installation takes precedence over the policy. */
function isEnforced(options: OptionValues): boolean {
  const mode = value(options, 'hook');
  if (mode !== undefined) return mode === 'enforce';
  try {
    return policyOf(options, MAY_BE_MISSING).hook === 'enforce';
  } catch {
    return false;
  }
}

/** Reports to the script that the check is complete. */
function answer(code: number): number {
  writeSync(1, `${code === 0 ? 'allowed' : 'refused'}\n`);
  return code;
}

function oneLine(text: string): string {
  return printable(text.replaceAll(/\s*\n\s*/g, '; '));
}
