import type { LibvirtFeatures, QemuFeatures } from '../domain/target.js';
import type { Host } from '../host/host.js';
import type { Machine } from '../host/machine.js';
import type { Probe } from '../host/probe/probe.js';

/** `pass`: as it should be. `warn`: should be checked. `fail`: prevents acceleration on this host. */
export type Grade = 'pass' | 'warn' | 'fail';

/** The result of one check. */
export interface DoctorResult {
  /** The subject: the host, its kernel, QEMU or libvirt. */
  readonly of: 'Domain' | 'Guest' | 'Host' | 'Kernel' | 'QEMU' | 'libvirt';
  /** The title, in words that follow "Checking". */
  readonly title: string;
  readonly grade: Grade;
  /** What was found, or what is wrong, in a sentence or a few words. */
  readonly found: string;
  /** What to do about it. */
  readonly remedy?: string;
  /** The items that were found. */
  readonly details?: readonly string[];
}

/** What the checks know of a machine. `libvirt`, `qemu` and `hook` are undefined if not installed. */
export interface DoctorInput {
  readonly machine: Machine;
  readonly host: Host;
  /** Why the host could not be read. */
  readonly trouble?: string | undefined;
  /** The results of probes, which `host` also contains. */
  readonly probes?: readonly Probe[];
  readonly libvirt: LibvirtFeatures | undefined;
  readonly qemu: QemuFeatures | undefined;
  /** libvirt's hook, if installed, and what prevents it from running. */
  readonly hook?: { readonly file: string; readonly problems: readonly string[] } | undefined;
}
