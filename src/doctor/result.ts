import type { LibvirtAbility, QemuAbility } from '../domain/target.js';
import type { Host } from '../host/host.js';
import type { Machine } from '../host/machine.js';

/** `pass`: as it should be. `warn`: should be checked. `fail`: prevents acceleration on this host. */
export type Grade = 'pass' | 'warn' | 'fail';

/** What one look at a machine found. */
export interface DoctorResult {
  /** The subject: the host, its kernel, QEMU or libvirt. */
  readonly of: 'Domain' | 'Guest' | 'Host' | 'Kernel' | 'QEMU' | 'libvirt';
  /** In words that follow "Checking". */
  readonly title: string;
  readonly grade: Grade;
  /** What is there, or what is wrong, in a sentence or a few words. */
  readonly found: string;
  /** What to do about it. */
  readonly remedy?: string;
  /** What there is, one by one. */
  readonly details?: readonly string[];
}

/** What is known of a machine; undefined is what is not installed. */
export interface DoctorInput {
  readonly machine: Machine;
  readonly host: Host;
  /** Why nothing could be read of the host. */
  readonly trouble?: string | undefined;
  readonly libvirt: LibvirtAbility | undefined;
  readonly qemu: QemuAbility | undefined;
  /** libvirt's hook, if installed, and what prevents it from running. */
  readonly hook?: { readonly file: string; readonly problems: readonly string[] } | undefined;
}
