import { createHash } from 'node:crypto';

/** Returns the SHA-256 digest of a domain's XML, in hex. */
export function digestOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * Returns the name of a backup, as stored in the journal. It differs for every domain and every version of its XML, so
 * that no backup replaces another.
 * @param key identifies the domain: hexadecimal digits and dashes
 */
export function backupName(key: string, before: string): string {
  return `backup/${key}-${before.slice(0, 16)}.xml`;
}
