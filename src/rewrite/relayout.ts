import { type Diagnostic, diagnostic } from '../diagnostics.js';
import { type Domain, parseDomain } from '../domain/domain.js';
import { readRecord } from './record.js';
import { revert } from './revert.js';

/** A domain to plan from nothing, and what there is to say about how it came to be. */
export interface Cleared {
  readonly domain: Domain;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * The domain without any bridge for a vSMMU, so that all of it can be planned anew: as it was before the first rewriting,
 * or, where no record tells, without what can be told to be such a bridge.
 */
export function withoutBridges(domain: Domain): Cleared {
  const { xml, diagnostics } = revert(domain, { force: true });
  // Where host devices go, the plan says.
  const planned = domain.hostDevices.map((d) => d.place);
  const isAnswered = ({ code, place }: Diagnostic) =>
    code === 'revert-nothing' ||
    (code === 'address-dropped' && planned.some((p) => p.line === place?.line && p.column === place.column));
  const found = diagnostics.filter((d) => !isAnswered(d));
  if (xml !== domain.document.text && readRecord(domain).record === undefined) {
    found.push(
      diagnostic('relayout-unrecorded', 'bridges go that no record tells of: revert will not bring them back'),
    );
  }
  return { domain: parseDomain(xml), diagnostics: found };
}
