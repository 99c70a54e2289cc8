import type { LibvirtFeatures, QemuFeatures } from '../domain/target.js';
import type { Host } from '../host/host.js';
import type { Machine } from '../host/machine.js';
import type { Probe } from '../host/probe/probe.js';
import type { Grade } from '../verify/check.js';

/** The result of one check. */
export interface DoctorResult {
  /** The subject: the host, its kernel, QEMU or libvirt. */
  readonly of: 'Domain' | 'Guest' | 'Host' | 'Kernel' | 'QEMU' | 'libvirt';
  /** A phrase that follows "Checking". */
  readonly title: string;
  readonly grade: Grade;
  /** The finding, in a sentence or a few words. */
  readonly found: string;
  /** What to do about it. */
  readonly remedy?: string;
  /** The items that were found. */
  readonly details?: readonly string[];
}

/** The input of the checks. `libvirt`, `qemu` and `hook` are undefined if not installed. */
export interface DoctorInput {
  readonly machine: Machine;
  readonly host: Host;
  /** Why the host could not be read. */
  readonly hostProblem?: string | undefined;
  /** The results of probes, which `host` also contains. */
  readonly probes?: readonly Probe[];
  readonly libvirt: LibvirtFeatures | undefined;
  readonly qemu: QemuFeatures | undefined;
  /** libvirt's hook, if installed, and what prevents it from running. */
  readonly hook?: { readonly file: string; readonly problems: readonly string[] } | undefined;
}
