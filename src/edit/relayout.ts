import type { Diagnostic } from '../diagnostics.js';
import { type Domain, parseDomain } from '../domain/domain.js';
import { readRecord } from './record.js';
import { bridges, reserves, revert } from './revert.js';
import { takeOutBridges } from './take-out.js';

/** A domain to plan from nothing, and what there is to say about how it came to be. */
export interface Cleared {
  readonly domain: Domain;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The domain without any bridge for a vSMMU, so that all of it can be planned anew: as it was before the first rewriting,
 * and without what can be told to be such a bridge. What goes that no record told of, its own record tells.
 */
export function withoutBridges(domain: Domain): Cleared {
  const { record, diagnostics: distrust } = readRecord(domain);
  const before = record ? revert(domain) : { xml: domain.document.text, diagnostics: distrust };
  // Where host devices go, the plan says.
  const planned = domain.hostDevices.map((d) => d.place);
  const isAnswered = ({ code, place }: Diagnostic) =>
    code === 'address-dropped' && planned.some((p) => p.line === place?.line && p.column === place.column);
  const diagnostics = before.diagnostics.filter((d) => !isAnswered(d));
  const original = parseDomain(before.xml);
  const byHand = bridges(original);
  if (byHand.length === 0) return { domain: original, diagnostics };
  const taken = takeOutBridges(original, byHand, reserves(original));
  return { domain: parseDomain(taken.xml), diagnostics: [...diagnostics, ...taken.diagnostics] };
}
