import { check } from '../check/check.js';
import { DiagnosedError, diagnostic, InputError } from '../diagnostics.js';
import { type Domain, readDomain } from '../domain/domain.js';
import type { Target } from '../domain/target.js';
import type { Host } from '../host/host.js';
import { scanHost } from '../host/scan.js';
import { readTopology } from '../host/snapshot.js';
import { isVirtMachine } from '../plan/applicable.js';
import { hasValues } from '../plan/vsmmu.js';
import { exitCodeOf } from './exit-code.js';
import { nameOfInput, readTextFile } from './files.js';
import { isSet, type OptionValues, policyOf, value } from './options.js';
import { kernelLogOf, sysfsOf, targetOf } from './place.js';
import { applyStrictness, type Located, printJson, report, withFile } from './report.js';
import { requireItsHost, type Source, Sources } from './source.js';

/** What became of one domain. */
interface Verdict {
  readonly file: string;
  readonly diagnostics: readonly Located[];
  /** The exit code that it alone would give. */
  readonly exitCode: number;
  /** Its text as `--fix` leaves it, where that is another. */
  readonly xml?: string;
}

/** How domains are looked at. */
interface Examination {
  readonly hostOf: HostReader;
  readonly target: Target;
  readonly options: OptionValues;
}

/**
 * `vsmmu check [DOMAIN…]`. Looks at every one, whatever is wrong with another; with `--connect` and no name, at all there are.
 * @returns the highest exit code of all of them
 */
export async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  requireItsHost(options);
  checkUsage(options);
  const examination = { hostOf: hostReader(options), target: await targetOf(options), options };
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

function checkUsage(options: OptionValues): void {
  const wrong = (message: string) => new InputError(diagnostic('usage', message));
  if (isSet(options, 'fix')) {
    if (isSet(options, 'no-host')) throw wrong('--fix needs the host; it and --no-host exclude each other');
    if (options.connect !== undefined) {
      throw wrong('--fix is for files; vsmmu rewrite --connect --define changes the domain of a libvirt');
    }
    // A wrong policy is told of whether something is to be mended or not.
    policyOf(options);
    return;
  }
  const stray = ['backup', 'diff'].find((name) => options[name] !== undefined);
  if (stray !== undefined) throw wrong(`--${stray} goes with --fix`);
}

async function judge(operand: string, sources: Sources, examination: Examination): Promise<Verdict> {
  const { options } = examination;
  let file = nameOfInput(operand);
  try {
    const source = await sources.read(operand);
    file = source.name;
    const look = (each: Source) => examine(each, examination);
    if (!isSet(options, 'fix')) return { file, ...outcome(look(source)) };
    const { fix } = await import('./fix.js');
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

/** The host that a domain is checked against; undefined for one that is none of ours, and with `--no-host`. */
export type HostReader = (domain: Domain) => Host | undefined;

export function hostReader(options: OptionValues): HostReader {
  const file = value(options, 'topology');
  if (isSet(options, 'no-host')) {
    const other = ['sysfs', 'topology'].find((name) => options[name] !== undefined);
    if (other !== undefined) {
      throw new InputError(diagnostic('usage', `--no-host and --${other} exclude each other`));
    }
    return () => undefined;
  }
  const snapshot = file === undefined ? undefined : readTopology(readTextFile(file), file);
  const sysfs = sysfsOf(options);
  return (domain) => {
    if (snapshot || !isVirtMachine(domain)) return snapshot;
    // What the SMMUs can do is for holding values against it.
    const log = hasValues(domain) ? kernelLogOf(options) : undefined;
    return scanHost(sysfs, new Set(domain.hostDevices.map((d) => d.bdf)), log);
  };
}
