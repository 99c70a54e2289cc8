import { check } from '../../check/check.js';
import { convert } from '../../convert.js';
import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { RefusedError } from '../../diagnostics/errors.js';
import type { Domain } from '../../domain/domain.js';
import type { Target } from '../../domain/target.js';
import type { Host } from '../../host/host.js';
import { whyNotApplicable } from '../../plan/applicable.js';
import type { Policy } from '../../policy/policy.js';

/** The hook's verdict on a domain that is about to start. */
export interface HookVerdict {
  /**
   * `fine`: nothing to do. `convert`: vsmmu would place its devices differently. `broken`: it will not start, or not
   * work.
   */
  readonly kind: 'fine' | 'convert' | 'broken';
  readonly diagnostics: readonly Diagnostic[];
}

const FINE: HookVerdict = { kind: 'fine', diagnostics: [] };

/** The settings for judging a domain. */
export interface HookSettings {
  readonly policy: Policy;
  readonly forceTcg: boolean;
  /** Returns what the local libvirt and QEMU support. Called only if needed, because querying QEMU takes longest. */
  target(): Promise<Target>;
}

/**
 * Judges a domain that is about to start. If vsmmu cannot place its devices at all, the verdict is `fine`, with
 * warnings.
 */
export async function judge(
  domain: Domain,
  host: Host,
  { policy, forceTcg, target }: HookSettings,
): Promise<HookVerdict> {
  const errors = check(domain, host, { forceTcg }).filter((d) => d.severity === 'error');
  if (errors.length > 0) return { kind: 'broken', diagnostics: errors };
  if (whyNotApplicable(domain)) return FINE;
  try {
    if (!convert(domain, host, { policy, forceTcg }).changed) return FINE;
    const { changed, diagnostics } = convert(domain, host, { policy, forceTcg, target: await target() });
    return changed ? { kind: 'convert', diagnostics } : FINE;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    return { kind: 'fine', diagnostics: error.diagnostics.map((d) => ({ ...d, severity: 'warning' })) };
  }
}
