import type { Severity } from './diagnostics.js';

/** What there is to know about a code. */
export interface CodeInfo {
  readonly severity: Severity;
  /** What it means, for the table of the documentation; one line of Markdown, no full stop. */
  readonly meaning: string;
  /** What to do about it, where that does not depend on the case; one line, no full stop. */
  readonly hint?: string;
}

const codes = {
  // The document
  'xml-syntax': { severity: 'error', meaning: 'the text is not well-formed XML' },
  'xml-doctype': {
    severity: 'error',
    meaning: 'the document has a DOCTYPE; entities are never expanded, so none is accepted',
    hint: 'remove the <!DOCTYPE …>',
  },
  'xml-encoding': {
    severity: 'error',
    meaning: 'the text is not UTF-8, or declares another encoding',
    hint: 'convert it to UTF-8 (iconv -t UTF-8) and mend the declaration',
  },
  'xml-too-large': { severity: 'error', meaning: 'the document has more than 16 MiB' },

  // The host
  'topology-invalid': { severity: 'error', meaning: 'the host snapshot is no JSON, or does not fit its schema' },
  'sysfs-invalid': {
    severity: 'error',
    meaning: 'the folder given with `--sysfs` is not a /sys',
    hint: 'give the folder that has bus/pci below it',
  },
  'sysfs-unreadable': { severity: 'error', meaning: 'a file of sysfs could not be read' },
} as const satisfies Record<string, CodeInfo>;

/** The name of a kind of finding: never renamed, never given another meaning. */
export type DiagnosticCode = keyof typeof codes;

/** Every code there is. The README's table is made from it. */
export const CODES: Readonly<Record<DiagnosticCode, CodeInfo>> = codes;
