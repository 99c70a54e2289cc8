import { check } from '../../check/check.js';
import { DiagnosedError, InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import { readDomain } from '../../domain/domain.js';
import type { Target } from '../../domain/target.js';
import type { Command } from '../command.js';
import { exitCodeOf } from '../exit-code.js';
import { type HostReader, hostReader } from '../host.js';
import { nameOfInput } from '../io/files.js';
import {
  CONNECT_OPTIONS,
  checkOptions,
  HOST_OPTIONS,
  isSet,
  type OptionValues,
  OUTPUT_OPTIONS,
  policyOf,
  TARGET_OPTIONS,
} from '../options.js';
import { applyStrictness, type Located, printJson, report, withFile } from '../report.js';
import { requireItsHost, type Source, Sources } from '../source.js';
import { targetNames, targetOf } from '../target.js';

export const command: Command = {
  usage: 'check [DOMAIN...]',
  summary: 'report what is wrong with domains on this host, converted or not',
  details: [
    'libvirt accepts many domains that QEMU refuses to start, or whose guest panics. All files are checked, or with --connect and no name all domains. The exit code is the highest of 1 (errors), 2 (not a domain) and 3 (cannot be read).',
    '--fix rewrites a file as vsmmu rewrite --in-place does, with the same options. From standard input it prints the domain, changed or not. A valid domain is left unchanged.',
  ],
  options: { ...CONNECT_OPTIONS, ...HOST_OPTIONS, ...checkOptions(), ...TARGET_OPTIONS, ...OUTPUT_OPTIONS },
  examples: [
    ['$0 check vm.xml', 'for this host'],
    ['$0 check --connect qemu:///system', 'all domains of libvirt'],
    ['$0 check --no-host domains/*.xml', 'only what the XML shows, on any machine'],
    ['$0 check --fix --backup .orig vm.xml', 'rewrite the file if it has a problem'],
  ],
  run,
};

/** The result for one domain. */
interface Verdict {
  readonly file: string;
  readonly diagnostics: readonly Located[];
  /** The exit code for this domain alone. */
  readonly exitCode: number;
  /** Its text after `--fix`, if it differs. */
  readonly xml?: string;
}

/** How domains are checked. */
interface Examination {
  readonly hostOf: HostReader;
  readonly target: Target;
  readonly options: OptionValues;
}

/**
 * `vsmmu check [DOMAIN…]`. An error in one domain does not stop the check of the others. With `--connect` and no name,
 * it checks all domains of that libvirt.
 * @returns the highest exit code of all domains
 */
async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  requireItsHost(options);
  checkUsage(options);
  const examination = { hostOf: hostReader(options), target: await targetFor(options), options };
  const verdicts: Verdict[] = [];
  const sources = await Sources.of(options);
  try {
    for (const operand of operands.length > 0 ? operands : await sources.all()) {
      const verdict = await judge(operand, sources, examination);
      report(verdict.diagnostics, options);
      verdicts.push(verdict);
    }
  } finally {
    await sources.close();
  }
  if (isSet(options, 'json')) {
    const domains = verdicts.map(({ file, xml }) => ({
      file,
      changed: xml !== undefined,
      ...(xml !== undefined && { xml }),
    }));
    const diagnostics = verdicts.flatMap((verdict) => verdict.diagnostics);
    printJson({
      changed: domains.some(({ changed }) => changed),
      diagnostics,
      ...(isSet(options, 'fix') && { domains }),
    });
  }
  return Math.max(0, ...verdicts.map(({ exitCode }) => exitCode));
}

/** Returns the target. If its QEMU is the installed one, it includes the machine types of that QEMU. */
async function targetFor(options: OptionValues): Promise<Target> {
  const names = targetNames(options);
  const target = await targetOf(names);
  if (names.qemu !== 'here') return target;
  const { withMachines } = await import('../../libvirt/installed.js');
  return await withMachines(target);
}

function checkUsage(options: OptionValues): void {
  if (isSet(options, 'fix')) {
    if (isSet(options, 'no-host')) throw new InputError(usage.excludes({ option: '--fix', other: '--no-host' }));
    if (options.connect !== undefined) {
      const instead = 'vsmmu rewrite --connect --define changes the domain of a libvirt';
      throw new InputError(usage.onlyFiles({ option: '--fix', instead }));
    }
    // A wrong policy is reported even without --fix.
    policyOf(options);
    return;
  }
  const stray = ['backup', 'diff'].find((name) => options[name] !== undefined);
  if (stray !== undefined) throw new InputError(usage.requires({ option: `--${stray}`, other: '--fix' }));
}

async function judge(operand: string, sources: Sources, examination: Examination): Promise<Verdict> {
  const { options } = examination;
  let file = nameOfInput(operand);
  try {
    const source = await sources.read(operand);
    file = source.name;
    const look = (each: Source) => examine(each, examination);
    if (!isSet(options, 'fix')) return { file, ...outcome(look(source)) };
    const { fix } = await import('../fix.js');
    const { xml, diagnostics } = await fix(source, look, options);
    return { file, ...(xml !== undefined && { xml }), ...outcome(diagnostics) };
  } catch (error) {
    if (!(error instanceof DiagnosedError)) throw error;
    const diagnostics = applyStrictness(error.diagnostics, options).map((d) => ({ file, ...d }));
    return { file, diagnostics, exitCode: exitCodeOf(error) };
  }
}

function examine({ name, input }: Source, { hostOf, target, options }: Examination): readonly Located[] {
  const domain = readDomain(input);
  const found = check(domain, hostOf(domain), { target, forceTcg: isSet(options, 'force-tcg') });
  return withFile(domain, name, options)(found);
}

function outcome(diagnostics: readonly Located[]): Pick<Verdict, 'diagnostics' | 'exitCode'> {
  return { diagnostics, exitCode: diagnostics.some((d) => d.severity === 'error') ? 1 : 0 };
}
