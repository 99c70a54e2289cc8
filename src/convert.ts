import { resultDiagnostics } from './check/result.js';
import { type Diagnostic, warningsAsErrors } from './diagnostics/diagnostic.js';
import { RefusedError } from './diagnostics/errors.js';
import { type Domain, readDomain } from './domain/domain.js';
import { type Target, UPSTREAM } from './domain/target.js';
import { applyPlan } from './edit/rewrite.js';
import { managedDevicesOf, readRecord } from './edit/undo/record.js';
import { type Cleared, withoutExpanderBuses } from './edit/undo/relayout.js';
import { readEdited } from './edit/undo/write-record.js';
import type { Plan } from './generated/plan.js';
import type { Host } from './host/host.js';
import { whyNotApplicable } from './plan/applicable.js';
import { type Planned, type PlanOptions, plan } from './plan/plan.js';
import { DEFAULT_POLICY, type Policy } from './policy/policy.js';

/** How a domain is converted. */
export interface ConvertSettings {
  /** Default: the default policy. */
  readonly policy?: Policy;
  /** The libvirt and the QEMU that the result is for; default: current upstream. */
  readonly target?: Target;
  /** Accepts a domain that is not of type `kvm`, which QEMU does not accelerate. For test labs. */
  readonly forceTcg?: boolean;
  /** Treats warnings as errors. */
  readonly strict?: boolean;
}

/** A converted domain. */
export interface Converted {
  /** Where each device is placed and why. */
  readonly plan: Plan;
  /** The resulting XML; if nothing changes, the input, byte for byte. */
  readonly xml: string;
  readonly changed: boolean;
  /** The result as a domain. It is read when first used, so `{ ...converted }` does not contain it. */
  readonly after: Domain;
  /** Warnings and notes. */
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Converts a domain for a host: plans where each device goes, carries the plan out and checks the result. A domain that is
 * not applicable is left unchanged, with a note. A pure function; converting the result again changes nothing.
 * @throws RefusedError if the domain cannot be placed on this host, if the result has an error that the domain did not have,
 * or, with `strict`, if there is a warning
 */
export function convert(domain: Domain, host: Host, settings: ConvertSettings = {}): Converted {
  const { policy = DEFAULT_POLICY, target = UPSTREAM, forceTcg = false, strict = false } = settings;
  const options = { target, forceTcg };
  const applicable = !whyNotApplicable(domain);
  const result = refuseErrors(strict, () => {
    const base =
      applicable && policy.relayout
        ? withoutExpanderBuses(domain)
        : { domain, former: new Map(), diagnostics: readRecord(domain).diagnostics };
    const { plan, diagnostics } = planFor(domain, base, host, policy, options);
    const edited = applyPlan(base.domain, plan);
    const checked = applicable ? resultDiagnostics(domain, readEdited(edited), host, options, diagnostics) : [];
    return { plan, xml: edited.text, diagnostics: [...base.diagnostics, ...diagnostics, ...checked] };
  });
  return new Conversion(domain, result);
}

/** A class, since V8 keeps the variables of a getter in an object literal until its next full collection. */
class Conversion implements Converted {
  readonly plan: Plan;
  readonly xml: string;
  readonly changed: boolean;
  readonly diagnostics: readonly Diagnostic[];
  #after: Domain | undefined;

  constructor(before: Domain, { plan, xml, diagnostics }: Pick<Converted, 'plan' | 'xml' | 'diagnostics'>) {
    this.plan = plan;
    this.xml = xml;
    this.changed = xml !== before.document.text;
    this.diagnostics = diagnostics;
    this.#after = this.changed ? undefined : before;
  }

  get after(): Domain {
    this.#after ??= readDomain(this.xml);
    return this.#after;
  }
}

/**
 * Plans the cleared form of a domain. If that is not the domain itself, diagnostics lose their locations, because these do not
 * refer to the caller's text.
 */
function planFor(domain: Domain, cleared: Cleared, host: Host, policy: Policy, options: PlanOptions): Planned {
  const { domain: base, former } = cleared;
  const bare = (found: readonly Diagnostic[]) => (base === domain ? found : found.map(withoutLocation));
  try {
    const { plan: made, diagnostics } = plan(base, host, policy, {
      ...options,
      former,
      managed: managedDevicesOf(base),
    });
    return { plan: made, diagnostics: bare(diagnostics) };
  } catch (error) {
    throw error instanceof RefusedError ? new RefusedError(bare(error.diagnostics)) : error;
  }
}

function withoutLocation({ location: _, ...found }: Diagnostic): Diagnostic {
  return found;
}

/** @throws RefusedError with all diagnostics if one of them is an error */
function refuseErrors<T extends { readonly diagnostics: readonly Diagnostic[] }>(strict: boolean, step: () => T): T {
  const judged = (found: readonly Diagnostic[]) => (strict ? warningsAsErrors(found) : found);
  try {
    const result = step();
    const diagnostics = judged(result.diagnostics);
    if (diagnostics.some(({ severity }) => severity === 'error')) throw new RefusedError(diagnostics);
    return { ...result, diagnostics };
  } catch (error) {
    throw error instanceof RefusedError ? new RefusedError(judged(error.diagnostics)) : error;
  }
}
