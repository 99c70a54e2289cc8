import { domainGone, readBackDiffers } from '../diagnostics/batch.js';
import type { Diagnostic } from '../diagnostics/diagnostic.js';
import { EnvironmentError } from '../diagnostics/errors.js';
import { domainEdited } from '../diagnostics/libvirt.js';
import { failure } from './conversion.js';
import { digestOf } from './digest.js';
import type { Journal } from './journal.js';

/** Where domains are: a libvirt, or a folder. */
export interface Store {
  /** The whole XML of a domain; undefined if the domain is gone. */
  read(id: string): Promise<string | Uint8Array | undefined>;
  /**
   * Puts another XML in its place, in one step.
   * @param validate whether it must fit libvirt's schema
   * @returns what is wrong although it is written
   */
  write(id: string, xml: string | Uint8Array, validate: boolean): Promise<readonly Diagnostic[]>;
  /** The file of a domain; undefined for a domain of libvirt. */
  fileOf?(id: string): string;
}

/** A change that is about to be made to a domain, whose former XML is kept. */
export interface Change {
  readonly id: string;
  readonly name: string;
  /** The digest of its former XML. */
  readonly before: string;
  /** Where that is kept, as the journal names it. */
  readonly backup: string;
  readonly text: string;
}

/**
 * Changes a domain so that the journal and the stored XML show at any instant how far the change got: first the
 * entry that it begins, on the disk; then, if it is still what the change was made of, the change; then the entry that it
 * is done. Neither libvirt nor a file system can compare and change in one step: a change made in between is lost,
 * in the millisecond that is left for it.
 * @param accepts whether a stored text that differs from the written one is acceptable
 * @returns what is wrong although it is changed: that could not be written down, and is found out when the run is resumed
 * @throws OutsideError `domain-edited`, `domain-gone`, `read-back-differs` (it is then as before), and what the store throws
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
  if (present === undefined) throw gone();
  if (digestOf(present) !== before) {
    throw new EnvironmentError(domainEdited.batch());
  }
  const written = await store.write(id, text, true);
  const stored = await store.read(id);
  if (stored === undefined) throw gone();
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

/** A domain that was there when its turn began. */
export function gone(): EnvironmentError {
  return new EnvironmentError(domainGone());
}
