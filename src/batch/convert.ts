import { resultDiagnostics } from '../check/result.js';
import { type Diagnostic, EnvironmentError, InputError, RefusedError } from '../diagnostics.js';
import { type Domain, parseDomain } from '../domain/domain.js';
import { rewrite } from '../edit/rewrite.js';
import { readRecord } from '../edit/undo/record.js';
import { managedDevicesOf } from '../edit/undo/recorded.js';
import { withoutExpanderBuses } from '../edit/undo/relayout.js';
import type { Plan } from '../generated/plan.js';
import type { Host } from '../host/host.js';
import { whyNotApplicable } from '../plan/applicable.js';
import { plan } from '../plan/plan.js';
import type { Policy } from '../plan/policy.js';
import type { Target } from '../plan/target.js';
import type { DeviceCount } from './item.js';

/** How domains are converted. */
export interface ConvertSettings {
  readonly policy: Policy;
  readonly target: Target;
  readonly forceTcg: boolean;
  /** Warnings count as errors. */
  readonly strict: boolean;
}

/** What is to be done with a domain, its XML known. */
export interface Conversion {
  readonly verdict: 'convert' | 'unchanged' | 'not-applicable' | 'refused';
  /** libvirt's name of it; empty where the XML has none, or is none. */
  readonly name: string;
  /** The text that came in; undefined where it is no text. */
  readonly before: string | undefined;
  /** What is to be in its place; undefined where it cannot be converted. */
  readonly after: string | undefined;
  readonly plan: Plan | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Plans and rewrites one domain, and checks what comes of it. Whatever is wrong with it is in the result: nothing is thrown
 * for a domain's sake.
 * @param hostOf the host that a domain of this name is for
 */
export function convert(
  input: string | Uint8Array,
  hostOf: (name: string) => Host,
  settings: ConvertSettings,
): Conversion {
  let domain: Domain | undefined;
  try {
    domain = parseDomain(input);
    const other = whyNotApplicable(domain);
    if (other) return { ...asItIs(domain), verdict: 'not-applicable', diagnostics: [other] };
    return convertDomain(domain, hostOf(domain.name), settings);
  } catch (error) {
    if (!(error instanceof InputError || error instanceof RefusedError)) throw error;
    const { diagnostics } = error;
    return { ...unusable(domain), verdict: isAnotherDocument(error) ? 'not-applicable' : 'refused', diagnostics };
  }
}

function convertDomain(domain: Domain, host: Host, { policy, target, forceTcg, strict }: ConvertSettings): Conversion {
  const cleared = policy.relayout ? withoutExpanderBuses(domain) : undefined;
  const base = cleared?.domain ?? domain;
  const planned = plan(base, host, policy, { forceTcg, target, ours: managedDevicesOf(base) });
  const after = planned.plan.changed ? rewrite(base, planned.plan) : base.document.text;
  const changed = after !== domain.document.text;
  const result = changed ? parseDomain(after) : domain;
  const checked = resultDiagnostics(domain, result, host, { forceTcg, target }, planned.diagnostics);
  const earlier = cleared?.diagnostics ?? readRecord(domain).diagnostics;
  const diagnostics = [...earlier, ...planned.diagnostics, ...checked];
  const wrong = checked.filter((d) => d.severity === 'error');
  if (wrong.length > 0) throw new RefusedError(wrong);
  if (strict && diagnostics.some((d) => d.severity === 'warning')) throw new RefusedError(asErrors(diagnostics));
  return { ...asItIs(domain), plan: planned.plan, diagnostics, verdict: changed ? 'convert' : 'unchanged', after };
}

/** A folder of a libvirt's has networks and pools beside its domains. */
function isAnotherDocument({ diagnostics: [first] }: InputError | RefusedError): boolean {
  return first?.code === 'domain-root';
}

function unusable(domain: Domain | undefined): Omit<Conversion, 'verdict' | 'diagnostics'> {
  return { name: domain?.name ?? '', before: domain?.document.text, after: undefined, plan: undefined };
}

function asItIs({ name, document: { text } }: Domain): Omit<Conversion, 'verdict' | 'diagnostics'> {
  return { name, before: text, after: text, plan: undefined };
}

function asErrors(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.map((d) => (d.severity === 'warning' ? { ...d, severity: 'error' } : d));
}

/** What a domain can do no longer once it is converted, in words; empty for one that loses nothing. */
export function losses({ verdict, diagnostics }: Pick<Conversion, 'verdict' | 'diagnostics'>): readonly string[] {
  const accelerated = verdict === 'convert' && diagnostics.some((d) => d.code === 'acceleration-cost');
  return accelerated ? ['migration', 'save', 'memory snapshots'] : [];
}

/** How many of a domain's host devices are behind a vSMMU once it is converted; undefined where that was not planned. */
export function countDevices({ plan }: Pick<Conversion, 'plan'>): DeviceCount | undefined {
  if (!plan) return undefined;
  const { devices } = plan;
  return { placed: devices.filter(({ verdict }) => verdict === 'placed').length, total: devices.length };
}

/** Failures after which no result of any domain can be relied on: the run ends, to be resumed. */
const ENDS_RUN: ReadonlySet<string> = new Set(['libvirt-unreachable', 'run-incomplete']);

/** The diagnostics of a failure that concerns one domain only. @throws any other error */
export function failure(error: unknown): readonly Diagnostic[] {
  if (!(error instanceof EnvironmentError) || error.diagnostics.some(({ code }) => ENDS_RUN.has(code))) throw error;
  return error.diagnostics;
}
