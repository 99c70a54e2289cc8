import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { type Domain, parseDomain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import { readRecord } from './record.js';
import { restore } from './restore.js';
import { expanderBuses, revert } from './revert.js';
import { applyWithRecord } from './write-record.js';

/** A domain to plan from nothing, with diagnostics. */
export interface Cleared {
  readonly domain: Domain;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Returns the domain without any expander bus for a vSMMU, so that it can be planned from scratch: as it was before the first
 * rewrite, and without accelerated buses made by hand, which the record of the result keeps.
 * @throws RefusedError `metadata-invalid` where there is a record that cannot be read
 */
export function withoutExpanderBuses(domain: Domain): Cleared {
  const found = readRecord(domain);
  const reverted = found.record && revert(domain);
  // The plan that follows says where host devices go.
  const planned = new Set(domain.hostDevices.map(({ location }) => `${location.line}:${location.column}`));
  const isAnswered = ({ code, location }: Diagnostic) =>
    code === 'address-dropped' && location !== undefined && planned.has(`${location.line}:${location.column}`);
  const diagnostics = [...found.diagnostics, ...(reverted?.diagnostics ?? [])].filter((d) => !isAnswered(d));
  const original = reverted ? parseDomain(reverted.xml) : domain;
  const byHand = expanderBuses(original);
  if (byHand.length === 0) return { domain: original, diagnostics };
  const controllers = formatNodeset(byHand.map((c) => c.index));
  const options = { anyAlias: true, relayout: true };
  const cleared = restore(original, { changed: [], added: { controllers }, removed: [] }, options);
  const xml = applyWithRecord(original, cleared.editor);
  return { domain: parseDomain(xml), diagnostics: [...diagnostics, ...cleared.diagnostics] };
}
