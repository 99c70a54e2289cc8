import type { Diagnostic } from '../../diagnostics/diagnostic.js';
import { addressDropped } from '../../diagnostics/record.js';
import { type Domain, parseDomain, readDomain } from '../../domain/domain.js';
import { formatNodeset } from '../../domain/numa.js';
import { vsmmuControllers } from '../../domain/vsmmu-controllers.js';
import { type FormerVsmmus, formerVsmmus } from '../../plan/stage.js';
import { readRecord } from './record.js';
import { restore } from './restore.js';
import { revert } from './revert.js';
import { applyWithRecord } from './write-record.js';

/** A domain to plan from scratch, with diagnostics. */
export interface Cleared {
  readonly domain: Domain;
  /** The vSMMUs of a user that were removed. */
  readonly former: FormerVsmmus;
  readonly diagnostics: readonly Diagnostic[];
}

/**
 * Returns the domain without any expander bus for a vSMMU, so that it can be planned from scratch. Reverts earlier rewrites,
 * and removes accelerated expander buses that a user made; the record of the result keeps those.
 * @throws RefusedError `metadata-invalid` if there is a record that cannot be read
 */
export function withoutExpanderBuses(domain: Domain): Cleared {
  const found = readRecord(domain);
  const reverted = found.record && revert(domain);
  // The new plan gives host devices an address, so the warning about a dropped address is left out.
  const planned = new Set(domain.hostDevices.map(({ location }) => `${location.line}:${location.column}`));
  const isAnswered = ({ code, location }: Diagnostic) =>
    code === addressDropped.code && location !== undefined && planned.has(`${location.line}:${location.column}`);
  const diagnostics = [...found.diagnostics, ...(reverted?.diagnostics ?? [])].filter((d) => !isAnswered(d));
  const original = reverted ? parseDomain(reverted.xml) : domain;
  const byHand = vsmmuControllers(original);
  if (byHand.length === 0) return { domain: original, former: new Map(), diagnostics };
  const controllers = formatNodeset(byHand.map((c) => c.index));
  const options = { anyAlias: true, relayout: true };
  const cleared = restore(original, { changed: [], added: { controllers }, removed: [] }, options);
  return {
    domain: readDomain(applyWithRecord(cleared.editor).text),
    former: formerVsmmus(original, byHand),
    diagnostics: [...diagnostics, ...cleared.diagnostics],
  };
}
