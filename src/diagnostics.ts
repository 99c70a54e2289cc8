import { CODES, type DiagnosticCode } from './codes.js';

export type { DiagnosticCode } from './codes.js';

/** How bad it is. `error`: nothing is written. `warning`: written, but look. `note`: for information. */
export type Severity = 'error' | 'warning' | 'note';

/** A place in a text: line and column count from 1, the column in UTF-16 code units. */
export interface Location {
  readonly line: number;
  readonly column: number;
}

/** One finding, in the form that compilers print: where, how bad, which code, what is wrong, what to do. */
export interface Diagnostic {
  readonly code: DiagnosticCode;
  readonly severity: Severity;
  /** What is wrong, naming the element or the device; one line, no full stop. */
  readonly message: string;
  /** What to do about it; one line, no full stop. */
  readonly hint?: string;
  /** The file it is in, where that is not the domain's (a policy, a topology). */
  readonly file?: string;
  readonly location?: Location;
}

/** What a finding may say beyond its code and message. */
export interface DiagnosticDetails {
  readonly hint?: string | undefined;
  readonly file?: string | undefined;
  readonly location?: Location | undefined;
  /** Only where policy makes a finding worse or milder than its code says. */
  readonly severity?: Severity | undefined;
}

/** Makes a finding of a code of the table in `codes.ts`, with that code's severity and hint unless told otherwise. */
export function diagnostic(code: DiagnosticCode, message: string, details: DiagnosticDetails = {}): Diagnostic {
  const { hint = CODES[code].hint, file, location, severity = CODES[code].severity } = details;
  return {
    code,
    severity,
    message: shorten(message),
    ...(hint !== undefined && { hint: shorten(hint) }),
    ...(file !== undefined && { file }),
    ...(location !== undefined && { location }),
  };
}

/** Diagnostics with each warning made an error. */
export function warningsAsErrors(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.map((d) => (d.severity === 'warning' ? { ...d, severity: 'error' } : d));
}

/** Longer words are values of a document, and longer texts are lists of them: the beginning shows which. */
const MAX_WORD = 500;
const MAX_TEXT = 4000;

function shorten(text: string): string {
  if (text.length <= MAX_WORD) return text;
  const short = text.replace(new RegExp(`(\\S{${MAX_WORD}})\\S+`, 'g'), '$1…');
  return short.length > MAX_TEXT ? `${short.slice(0, MAX_TEXT)}…` : short;
}

/**
 * What a user, a domain or the outside did wrong, as findings; never a bug of ours.
 * The three subclasses are all there are; `src/cli` gives each its exit code.
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

/** The answer is no: this domain cannot be placed on this host. Exit code 1. */
export class RefusedError extends DiagnosedError {}

/** The input or the command line is wrong. Exit code 2. */
export class InputError extends DiagnosedError {}

/** The outside failed: a file, sysfs, libvirt. Exit code 3. */
export class EnvironmentError extends DiagnosedError {}
