import { type Target, UPSTREAM } from '../domain/target.js';
import { isRemote } from '../libvirt/uri.js';
import { type OptionValues, value } from './options.js';

/**
 * The libvirt and the QEMU that a result is for, as named by options: a version, `here` for the installed one, or `nvidia`.
 * If both are missing, the target is current upstream.
 */
export interface TargetNames {
  readonly libvirt?: string | null | undefined;
  readonly qemu?: string | null | undefined;
}

/** Reads the target from the options. For a domain of the local libvirt, the default is the installed software. */
export function targetNames(options: OptionValues, uri = value(options, 'connect')): TargetNames {
  const local = uri !== undefined && !isRemote(uri) ? 'here' : undefined;
  return { libvirt: value(options, 'libvirt') ?? local, qemu: value(options, 'qemu') ?? local };
}

/** Returns what a target supports. */
export async function targetOf({ libvirt, qemu }: TargetNames): Promise<Target> {
  if (libvirt == null && qemu == null) return UPSTREAM;
  const { resolveTarget } = await import('../libvirt/installed.js');
  return await resolveTarget({ libvirt: libvirt ?? undefined, qemu: qemu ?? undefined });
}
