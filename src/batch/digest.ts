import { createHash } from 'node:crypto';

/** SHA-256 of a domain's XML, in hex. */
export function digestOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex');
}

/**
 * The name of a domain's backup, as the journal has it: other for every domain and every XML of it, so that none takes the
 * place of another.
 * @param key hexadecimal digits and dashes
 */
export function backupName(key: string, before: string): string {
  return `backup/${key}-${before.slice(0, 16)}.xml`;
}
