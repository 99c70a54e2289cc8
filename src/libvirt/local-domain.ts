import { DiagnosedError } from '../diagnostics/errors.js';
import { openLibvirt } from './connection.js';

/** The time limit in seconds: a hint is not worth a longer wait. */
const LIMIT_SECONDS = 2;

/** Whether the libvirt at a URI has a domain with this name or UUID; false if it does not answer soon. */
export async function hasDomain(uri: string, name: string): Promise<boolean> {
  const connection = openLibvirt(uri, { limitSeconds: LIMIT_SECONDS, restartSeconds: 0 });
  try {
    await connection.find(name);
    return true;
  } catch (error) {
    if (error instanceof DiagnosedError) return false;
    throw error;
  } finally {
    await connection.close();
  }
}
