import { InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';

/** The host that a libvirt URI is of, as ssh takes it. */
export interface SshTarget {
  readonly host: string;
  readonly user: string | undefined;
  readonly port: string | undefined;
}

/** Whether the libvirt of a URI is on another machine, so that the local sysfs does not show its devices. */
export function isRemote(uri: string): boolean {
  return authority(uri) !== '';
}

/**
 * Whom to ask by ssh about the host of a libvirt URI. Only what a name, an address, a user or a port can be is taken, so
 * that no part of it can be taken for an option of ssh.
 * @throws InputError `usage`
 */
export function sshTarget(uri: string): SshTarget {
  const [, user, name, address, port] =
    /^(?:([\w.][\w.-]*)@)?(?:([A-Za-z0-9][A-Za-z0-9._-]*)|\[([0-9A-Fa-f:.]+)\])(?::(\d{1,5}))?$/.exec(authority(uri)) ??
    [];
  const host = name ?? address;
  if (host !== undefined) return { host, user, port };
  throw new InputError(usage.problem({ problem: `--ssh-topology: ${uri} names no host to ask` }));
}

/** `user@host:port` of `driver+transport://user@host:port/path`. */
function authority(uri: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(uri)?.[1] ?? '';
}
