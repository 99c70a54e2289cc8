import { domainGone, readBackDiffers } from '../diagnostics/batch.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { domainEdited } from '../diagnostics/libvirt.js';
import { failure } from './conversion.js';
import { digestOf } from './digest.js';
import { type DomainResult, isChangedInPlace, whyOf } from './item.js';
import type { Journal } from './journal.js';

/** A storage of domains: libvirt or a folder. */
export interface Store {
  /** Returns the whole XML of a domain; undefined if the domain no longer exists. */
  read(id: string): Promise<string | Uint8Array | undefined>;
  /**
   * Replaces the XML of a domain in one step.
   * @param validate whether the XML must fit libvirt's schema
   * @returns diagnostics of a successful write
   */
  write(id: string, xml: string | Uint8Array, validate: boolean): Promise<readonly Diagnostic[]>;
  /** Returns the file of a domain; undefined for a domain of libvirt. */
  fileOf?(id: string): string;
}

/** A change to be made to a domain. Its former XML is already backed up. */
export interface Change {
  readonly id: string;
  readonly name: string;
  /** The digest of its former XML. */
  readonly before: string;
  /** The backup of that XML, by its name in the journal. */
  readonly backup: string;
  readonly text: string;
}

/**
 * Changes a domain so that the journal and the stored XML always show how far the change got: appends `begin` to the
 * journal on disk; checks that the XML is still the one that was converted, and replaces it; then appends `done`.
 * Neither libvirt nor a file system can compare and replace in one step. So an edit by another program between the
 * check and the replacement, about a millisecond, is lost.
 * @param accepts whether a stored text that differs from the written one is acceptable
 * @returns diagnostics of a change that was made, such as a failure to append `done`; a resumed run appends it then
 * @throws EnvironmentError `domain-edited`, `domain-gone`, `read-back-differs` (the former XML is restored then), and
 * errors of the store
 */
export async function change(
  store: Store,
  journal: Journal,
  { id, name, before, backup, text }: Change,
  accepts: (stored: string | Uint8Array) => boolean,
): Promise<readonly Diagnostic[]> {
  const after = digestOf(text);
  await journal.append({ event: 'begin', at: new Date().toISOString(), id, name, before, after, backup });
  const present = await store.read(id);
  if (present === undefined) throw domainGoneError();
  if (digestOf(present) !== before) {
    throw new EnvironmentError(domainEdited.batch());
  }
  const written = await store.write(id, text, true);
  const stored = await store.read(id);
  if (stored === undefined) throw domainGoneError();
  if (digestOf(stored) !== after && !accepts(stored)) {
    await store.write(id, present, false);
    throw new EnvironmentError(readBackDiffers.converted());
  }
  try {
    await journal.append({ event: 'done', id, stored: digestOf(stored) });
    return written;
  } catch (error) {
    return [...written, ...failure(error)];
  }
}

/**
 * Records the result of a domain in the journal, unless the domain was changed in place: `change` has recorded that. If
 * the result cannot be recorded, the domain has failed.
 * @param journal undefined for a dry run
 */
export async function settle(journal: Journal | undefined, item: DomainResult): Promise<DomainResult> {
  const { id, name, verdict, why } = item;
  if (!journal || isChangedInPlace(verdict)) return item;
  try {
    await journal.append({ event: 'settled', id, name, verdict, ...(why !== undefined && { why }) }, { sync: false });
    return item;
  } catch (error) {
    const diagnostics = failure(error);
    return { ...item, verdict: 'failed', why: whyOf(diagnostics), diagnostics, loses: [], devices: undefined };
  }
}

/** Returns the error for a domain that no longer exists. */
export function domainGoneError(): EnvironmentError {
  return new EnvironmentError(domainGone());
}
