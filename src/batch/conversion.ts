import { type ConvertSettings, convert } from '../convert.js';
import { runIncomplete } from '../diagnostics/batch.js';
import { accelerationCost } from '../diagnostics/devices.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError, InputError, RefusedError } from '../diagnostics/errors.js';
import { libvirtUnreachable } from '../diagnostics/libvirt.js';
import { type Domain, parseDomain } from '../domain/domain.js';
import type { Plan } from '../generated/plan.js';
import type { Host } from '../host/host.js';
import { whyNotApplicable } from '../plan/applicable.js';
import type { DeviceCount } from './item.js';

/** What a batch does with a domain, now that its XML is known. */
export interface Conversion {
  readonly verdict: 'convert' | 'unchanged' | 'not-applicable' | 'refused';
  /** Its name; empty if there is none, or the text is not XML. */
  readonly name: string;
  /** The input; undefined if it is not text. */
  readonly before: string | undefined;
  /** The result; undefined if it cannot be converted. */
  readonly after: string | undefined;
  readonly plan: Plan | undefined;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Converts the XML of one domain. Whatever is wrong with the domain is in the result: nothing is thrown because of a domain.
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
    if (other) return { ...asItIs(domain), verdict: 'not-applicable', diagnostics: [other] };
    const { plan, xml, changed, diagnostics } = convert(domain, hostOf(domain.name), settings);
    return { ...asItIs(domain), plan, diagnostics, verdict: changed ? 'convert' : 'unchanged', after: xml };
  } catch (error) {
    if (!(error instanceof InputError || error instanceof RefusedError)) throw error;
    const { diagnostics } = error;
    return { ...unusable(domain), verdict: isAnotherDocument(error) ? 'not-applicable' : 'refused', diagnostics };
  }
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

/** What a domain can do no longer once it is converted, in words; empty for one that loses nothing. */
export function losses({ verdict, diagnostics }: Pick<Conversion, 'verdict' | 'diagnostics'>): readonly string[] {
  const accelerated = verdict === 'convert' && diagnostics.some((d) => d.code === accelerationCost.code);
  return accelerated ? ['migration', 'save', 'memory snapshots'] : [];
}

/** The number of host devices behind a vSMMU after the conversion; undefined if it was not planned. */
export function countDevices({ plan }: Pick<Conversion, 'plan'>): DeviceCount | undefined {
  if (!plan) return undefined;
  const { devices } = plan;
  return { placed: devices.filter(({ verdict }) => verdict === 'placed').length, total: devices.length };
}

/** Failures after which no result of any domain can be relied on: the run ends, to be resumed. */
const ENDS_RUN: ReadonlySet<string> = new Set([libvirtUnreachable.code, runIncomplete.code]);

/** The diagnostics of a failure that concerns one domain only. @throws any other error */
export function failure(error: unknown): readonly Diagnostic[] {
  if (!(error instanceof EnvironmentError) || error.diagnostics.some(({ code }) => ENDS_RUN.has(code))) throw error;
  return error.diagnostics;
}
