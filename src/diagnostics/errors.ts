import type { Diagnostic } from './diagnostic.js';

/**
 * An error that the user, a domain or the environment caused, with its diagnostics; never a bug in vsmmu. It has exactly
 * three subclasses; `src/cli` gives each its exit code.
 */
export abstract class DiagnosedError extends Error {
  readonly diagnostics: readonly Diagnostic[];

  constructor(diagnostics: Diagnostic | readonly Diagnostic[]) {
    const list = Array.isArray(diagnostics) ? diagnostics : [diagnostics];
    super(list.map((d) => d.message).join('; '));
    this.name = new.target.name;
    this.diagnostics = list;
  }
}

/** The domain cannot be placed on this host. Exit code 1. */
export class RefusedError extends DiagnosedError {}

/** The input or the command line is wrong. Exit code 2. */
export class InputError extends DiagnosedError {}

/** A file, sysfs, libvirt or another program failed. Exit code 3. */
export class EnvironmentError extends DiagnosedError {}
