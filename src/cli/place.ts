import { existsSync } from 'node:fs';
import { type Converted, convert } from '../convert.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { type Domain, parseDomain } from '../domain/domain.js';
import type { Target } from '../domain/target.js';
import { type Host, NO_HOST } from '../host/host.js';
import { whyNotApplicable } from '../plan/applicable.js';
import { type Policy, setsVsmmuValues } from '../policy/policy.js';
import { readHost, readHostFor } from './host.js';
import { isSet, type OptionValues, policyOf, value } from './options.js';
import { wantsPicture } from './picture.js';
import { type Located, refuseErrors, withFile } from './report.js';
import { type ReadOptions, readSource, requireMatchingHost, type Source } from './source.js';
import { targetNames, targetOf } from './target.js';

/** A converted domain of a command line. */
export interface Placed extends Converted {
  readonly source: Source;
  /** The domain's text. */
  readonly before: string;
  /** The part of the host that was read. */
  readonly host: Host;
  /** Each has a file and a location, by default the first line of the domain. */
  readonly diagnostics: readonly Located[];
}

/**
 * Reads the domain, the policy and the host of a command line, and converts the domain.
 * @throws DiagnosedError if a step fails; RefusedError also for a warning with `--strict`
 */
export async function place(operand: string, options: OptionValues, how?: ReadOptions): Promise<Placed> {
  requireMatchingHost(options);
  // Errors of the policy are reported before anything is read.
  policyOf(options);
  return await placeSource(await readSource(operand, options, how), options);
}

/** Converts a domain that was already read, as `place` does. `settings`, if given, takes precedence over the options. */
export async function placeSource(
  source: Source,
  options: OptionValues,
  settings?: { readonly policy: Policy; readonly target: Target },
): Promise<Placed> {
  const { policy, target } = settings ?? { policy: policyOf(options), target: await targetOf(targetNames(options)) };
  const domain = parseDomain(source.input);
  const host = hostFor(domain, policy, options);
  const installedWarnings = settings || whyNotApplicable(domain) ? [] : await reportInstalled(options);
  const converted = refuseErrors(withFile(domain, source.name, options), () => {
    const settings = { policy, target, forceTcg: isSet(options, 'force-tcg'), strict: isSet(options, 'strict') };
    const { plan, xml, changed, after, diagnostics } = convert(domain, host, settings);
    const placesDevice = plan.devices.some(({ verdict }) => verdict === 'placed');
    return {
      plan,
      xml,
      changed,
      after,
      diagnostics: placesDevice ? [...diagnostics, ...installedWarnings] : diagnostics,
    };
  });
  return { source, host, before: domain.document.text, ...converted };
}

/** Reads the part of the host that is needed: nothing if the domain is not applicable, everything for a picture. */
function hostFor(domain: Domain, policy: Policy, options: OptionValues): Host {
  if (whyNotApplicable(domain) && value(options, 'topology') === undefined) return NO_HOST;
  const features = setsVsmmuValues(policy);
  return wantsPicture(options) ? readHost(options, { features }) : readHostFor(domain, policy, options, features);
}

/** Returns a warning if no target libvirt was named and the installed libvirt would drop parts of the result. */
export async function reportInstalled(options: OptionValues): Promise<readonly Diagnostic[]> {
  if (value(options, 'libvirt') !== undefined || value(options, 'connect') !== undefined) return [];
  const folder = process.env.VSMMU_LIBVIRT_SCHEMAS || '/usr/share/libvirt/schemas';
  if (!existsSync(folder)) return [];
  return (await import('../libvirt/installed.js')).reportOldLibvirt(folder);
}
