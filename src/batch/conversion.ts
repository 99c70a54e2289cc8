import { type ConvertSettings, convert } from '../convert.js';
import { runIncomplete } from '../diagnostics/batch.js';
import { accelerationCost } from '../diagnostics/devices.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { domainRoot } from '../diagnostics/domain.js';
import { EnvironmentError, InputError, RefusedError } from '../diagnostics/errors.js';
import { libvirtUnreachable } from '../diagnostics/libvirt.js';
import { type Domain, parseDomain } from '../domain/domain.js';
import type { Plan } from '../generated/plan.js';
import type { Host } from '../host/host.js';
import { whyNotApplicable } from '../plan/applicable.js';
import type { DeviceCount } from './item.js';

/** The result of converting a domain's XML, before anything is written. */
export interface Conversion {
  readonly verdict: 'convert' | 'unchanged' | 'not-applicable' | 'refused';
  /** Its name; empty if it has none, or if the text is not XML. */
  readonly name: string;
  /** The input; undefined if it is not text. */
  readonly before: string | undefined;
  /** The result; undefined if it cannot be converted. */
  readonly after: string | undefined;
  readonly plan: Plan | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Converts the XML of one domain. Errors of the domain are in the result; they are not thrown.
 * @param hostOf returns the host of a domain, by the domain's name
 */
export function convertXml(
  input: string | Uint8Array,
  hostOf: (name: string) => Host,
  settings: ConvertSettings,
): Conversion {
  let domain: Domain | undefined;
  try {
    domain = parseDomain(input);
    const other = whyNotApplicable(domain);
    if (other) return { ...unchangedResult(domain), verdict: 'not-applicable', diagnostics: [other] };
    const { plan, xml, changed, diagnostics } = convert(domain, hostOf(domain.name), settings);
    return { ...unchangedResult(domain), plan, diagnostics, verdict: changed ? 'convert' : 'unchanged', after: xml };
  } catch (error) {
    if (!(error instanceof InputError || error instanceof RefusedError)) throw error;
    const { diagnostics } = error;
    return { ...unusable(domain), verdict: isAnotherDocument(error) ? 'not-applicable' : 'refused', diagnostics };
  }
}

/** Whether the text is not a domain: libvirt's folders also contain networks and pools. */
function isAnotherDocument({ diagnostics: [first] }: InputError | RefusedError): boolean {
  return first?.code === domainRoot.code;
}

function unusable(domain: Domain | undefined): Omit<Conversion, 'verdict' | 'diagnostics'> {
  return { name: domain?.name ?? '', before: domain?.document.text, after: undefined, plan: undefined };
}

function unchangedResult({ name, document: { text } }: Domain): Omit<Conversion, 'verdict' | 'diagnostics'> {
  return { name, before: text, after: text, plan: undefined };
}

/** Returns the features that a domain loses in the conversion, in words; empty if it loses none. */
export function losses({ verdict, diagnostics }: Pick<Conversion, 'verdict' | 'diagnostics'>): readonly string[] {
  const accelerated = verdict === 'convert' && diagnostics.some((d) => d.code === accelerationCost.code);
  return accelerated ? ['migration', 'save', 'memory snapshots'] : [];
}

/** Returns the number of host devices behind a vSMMU after the conversion; undefined if it was not planned. */
export function countDevices({ plan }: Pick<Conversion, 'plan'>): DeviceCount | undefined {
  if (!plan) return undefined;
  const { devices } = plan;
  return { placed: devices.filter(({ verdict }) => verdict === 'placed').length, total: devices.length };
}

/** Codes of failures that end the run, because no further result can be relied on. The run can be resumed. */
const ENDS_RUN: ReadonlySet<string> = new Set([libvirtUnreachable.code, runIncomplete.code]);

/** Returns the diagnostics of a failure that concerns only one domain. @throws any other error */
export function failure(error: unknown): readonly Diagnostic[] {
  if (!(error instanceof EnvironmentError) || error.diagnostics.some(({ code }) => ENDS_RUN.has(code))) throw error;
  return error.diagnostics;
}
