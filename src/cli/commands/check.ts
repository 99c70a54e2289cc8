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
  outputOptions,
  policyOf,
  TARGET_OPTIONS,
} from '../options.js';
import { applyStrictness, type Located, printJson, report, withFile } from '../report.js';
import { requireMatchingHost, type Source, Sources } from '../source.js';
import { targetNames, targetOf } from '../target.js';

export const command: Command = {
  usage: 'check [DOMAIN...]',
  summary: 'report what is wrong with domains on this host, converted or not',
  details: [
    'libvirt accepts many domains that QEMU refuses to start, or whose guest panics. All given files are checked; with --connect and no name, all domains. The exit code is the highest of 1 (errors), 2 (not a domain) and 3 (cannot be read).',
    '--fix rewrites a file as vsmmu rewrite --in-place does, and the policy options apply to it. A domain from standard input is printed on standard output, changed or not. A valid domain is left unchanged.',
  ],
  options: {
    ...CONNECT_OPTIONS,
    ...HOST_OPTIONS,
    ...checkOptions(),
    ...TARGET_OPTIONS,
    ...outputOptions('json', 'strict', 'quiet'),
  },
  examples: [
    ['$0 check vm.xml', 'for this host'],
    ['$0 check --connect qemu:///system', 'all domains of libvirt'],
    ['$0 check --no-host domains/*.xml', 'only the XML, on any machine'],
    ['$0 check --fix --backup .orig vm.xml', 'rewrite the file if it has a problem'],
  ],
  run,
};

/** The result for one domain. */
interface CheckResult {
  readonly file: string;
  readonly diagnostics: readonly Located[];
  /** The exit code for this domain alone. */
  readonly exitCode: number;
  /** Its text after `--fix`, if it differs. */
  readonly xml?: string;
}

/** How domains are checked. */
interface CheckSettings {
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
  requireMatchingHost(options);
  checkUsage(options);
  const settings = { hostOf: hostReader(options), target: await targetFor(options), options };
  const results: CheckResult[] = [];
  const sources = await Sources.of(options);
  try {
    for (const operand of operands.length > 0 ? operands : await sources.all()) {
      const result = await checkOperand(operand, sources, settings);
      report(result.diagnostics, options);
      results.push(result);
    }
  } finally {
    await sources.close();
  }
  if (isSet(options, 'json')) {
    const domains = results.map(({ file, xml }) => ({
      file,
      changed: xml !== undefined,
      ...(xml !== undefined && { xml }),
    }));
    const diagnostics = results.flatMap((result) => result.diagnostics);
    printJson({
      changed: domains.some(({ changed }) => changed),
      diagnostics,
      ...(isSet(options, 'fix') && { domains }),
    });
  }
  return Math.max(0, ...results.map(({ exitCode }) => exitCode));
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
      const instead = 'use vsmmu rewrite --connect URI --define for a domain of libvirt';
      throw new InputError(usage.onlyFiles({ option: '--fix', instead }));
    }
    // An invalid policy is reported even if no domain needs a fix.
    policyOf(options);
    return;
  }
  const stray = ['backup', 'diff'].find((name) => options[name] !== undefined);
  if (stray !== undefined) throw new InputError(usage.requires({ option: `--${stray}`, other: '--fix' }));
}

async function checkOperand(operand: string, sources: Sources, settings: CheckSettings): Promise<CheckResult> {
  const { options } = settings;
  let file = nameOfInput(operand);
  try {
    const source = await sources.read(operand);
    file = source.name;
    const look = (each: Source) => examine(each, settings);
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

function examine({ name, input }: Source, { hostOf, target, options }: CheckSettings): readonly Located[] {
  const domain = readDomain(input);
  const found = check(domain, hostOf(domain), { target, forceTcg: isSet(options, 'force-tcg') });
  return withFile(domain, name, options)(found);
}

function outcome(diagnostics: readonly Located[]): Pick<CheckResult, 'diagnostics' | 'exitCode'> {
  return { diagnostics, exitCode: diagnostics.some((d) => d.severity === 'error') ? 1 : 0 };
}
