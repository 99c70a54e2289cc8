import { InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';

/** The host of a libvirt URI, in the parts that ssh takes. */
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
 * Returns the host of a libvirt URI for ssh. Only valid names, addresses, users and ports are accepted, so that ssh
 * cannot take any part for an option.
 * @throws InputError `usage`
 */
export function sshTarget(uri: string): SshTarget {
  const [, user, name, address, port] =
    /^(?:([\w.][\w.-]*)@)?(?:([A-Za-z0-9][A-Za-z0-9._-]*)|\[([0-9A-Fa-f:.]+)\])(?::(\d{1,5}))?$/.exec(authority(uri)) ??
    [];
  const host = name ?? address;
  if (host !== undefined) return { host, user, port };
  throw new InputError(usage.invalid({ value: uri, expected: 'a URI with a host, which --ssh-topology needs' }));
}

/** Returns `user@host:port` of `driver+transport://user@host:port/path`. */
function authority(uri: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)/i.exec(uri)?.[1] ?? '';
}
