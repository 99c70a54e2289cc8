import { check } from '../check/check.js';
import { DiagnosedError, diagnostic, InputError } from '../diagnostics.js';
import { type Domain, readDomain } from '../domain/domain.js';
import type { Host } from '../host/host.js';
import { scanHost } from '../host/scan.js';
import { readTopology } from '../host/snapshot.js';
import { isVirtMachine } from '../plan/applicable.js';
import type { Target } from '../plan/target.js';
import { exitCodeOf } from './exit-code.js';
import { nameOfInput, readTextFile } from './files.js';
import { isSet, type OptionValues, value } from './options.js';
import { sysfsOf, targetOf } from './place.js';
import { applyStrictness, type Located, located, printJson, report } from './report.js';
import { requireItsHost, Sources } from './source.js';

/** What became of one file: what was found, and the exit code that it alone would give. */
interface Verdict {
  readonly diagnostics: readonly Located[];
  readonly exitCode: number;
}

/**
 * `vsmmu check [DOMAIN…]`. Looks at every one, whatever is wrong with another; with `--connect` and no name, at all there are.
 * @returns the highest exit code of all of them
 */
export async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  requireItsHost(options);
  const hostOf = hostReader(options);
  const target = await targetOf(options);
  const verdicts: Verdict[] = [];
  const sources = await Sources.of(options);
  try {
    for (const operand of operands.length > 0 ? operands : await sources.all()) {
      const verdict = await judge(operand, sources, hostOf, target, options);
      report(verdict.diagnostics, options);
      verdicts.push(verdict);
    }
  } finally {
    await sources.close();
  }
  if (isSet(options, 'json')) printJson({ changed: false, diagnostics: verdicts.flatMap((v) => v.diagnostics) });
  return Math.max(0, ...verdicts.map(({ exitCode }) => exitCode));
}

async function judge(
  operand: string,
  sources: Sources,
  hostOf: HostReader,
  target: Target,
  options: OptionValues,
): Promise<Verdict> {
  let name = nameOfInput(operand);
  try {
    const source = await sources.read(operand);
    name = source.name;
    const domain = readDomain(source.input);
    const found = check(domain, hostOf(domain), { target, forceTcg: isSet(options, 'force-tcg') });
    const diagnostics = located(domain, name, options)(found);
    return { diagnostics, exitCode: diagnostics.some((d) => d.severity === 'error') ? 1 : 0 };
  } catch (error) {
    if (!(error instanceof DiagnosedError)) throw error;
    const diagnostics = applyStrictness(error.diagnostics, options).map((d) => ({ file: name, ...d }));
    return { diagnostics, exitCode: exitCodeOf(error) };
  }
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
    return scanHost(sysfs, new Set(domain.hostDevices.map((d) => d.bdf)));
  };
}
