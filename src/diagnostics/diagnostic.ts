/** `error`: nothing is written. `warning`: the result is written and needs attention. `note`: for information. */
export type Severity = 'error' | 'warning' | 'note';

/** A position in a text: line and column count from 1, the column in UTF-16 code units. */
export interface Location {
  readonly line: number;
  readonly column: number;
}

/** One finding, in the form that compilers print: location, severity, code, message, hint. */
export interface Diagnostic {
  /** One of `DiagnosticCode`. */
  readonly code: string;
  readonly severity: Severity;
  /** The problem, with the element or the device; one line, no full stop. */
  readonly message: string;
  /** The recommended action; one line, no full stop. */
  readonly hint?: string;
  /** The file, if it is not the domain's (a policy, a topology). */
  readonly file?: string;
  readonly location?: Location;
}

/** Optional arguments of every diagnostic, besides the arguments of its message. */
export interface Context {
  readonly file?: string | undefined;
  readonly location?: Location | undefined;
  /** Replaces the hint of the definition. */
  readonly hint?: string | undefined;
  /** Replaces the severity of the definition, if it depends on policy or on the command. */
  readonly severity?: Severity | undefined;
}

/** The properties of a code, without its messages. White space in `why` and `remedy` is not significant. */
export interface CodeInfo {
  readonly severity: Severity;
  /** The meaning of the code, for the reference: one line of Markdown, no full stop. */
  readonly meaning: string;
  /** The recommended action, if it is the same in every case: one line, no full stop. */
  readonly hint?: string;
  /** The cause and the consequences. */
  readonly why: string;
  /** The recommended actions, the best one first. */
  readonly remedy: string;
  /** XML or a command line that shows the case or its remedy. */
  readonly example: string;
}

/** A message, with a hint if the hint depends on the arguments. */
export type Text = string | { readonly message: string; readonly hint: string | undefined };

/** Makes a diagnostic from the arguments of its message. */
type Make<Args extends object> = (
  ...args: object extends Args ? [args?: Args & Context] : [args: Args & Context]
) => Diagnostic;

interface Defined<Code extends string> {
  readonly code: Code;
  readonly info: CodeInfo;
}

/** The definition of a code: a function that makes a diagnostic from the arguments of the message. */
export type Definition<Code extends string, Args extends object> = Make<Args> & Defined<Code>;

type Cases = Readonly<Record<string, string | ((args: never) => Text)>>;
type ArgsOf<Case> = Case extends (args: infer Args extends object) => Text ? Args : object;

/** The definition of a code with several messages: one function per message. */
export type CasesDefinition<Code extends string, Messages extends Cases> = Defined<Code> & {
  readonly [Name in keyof Messages]: Make<ArgsOf<Messages[Name]>>;
};

/**
 * Defines a code with one message, which is a fixed text or is made from typed arguments. `explain` prints the other
 * properties.
 */
export function define<const Code extends string, Args extends object = object>(
  code: Code,
  { message, ...info }: CodeInfo & { readonly message: string | ((args: Args) => Text) },
): Definition<Code, Args> {
  return Object.assign(maker(code, info, message), { code, info });
}

/** Defines a code with several messages, by name. */
export function defineCases<const Code extends string, const Messages extends Cases>(
  code: Code,
  { messages, ...info }: CodeInfo & { readonly messages: Messages },
): CasesDefinition<Code, Messages> {
  const makers = Object.entries(messages).map(([name, message]) => [name, maker(code, info, message)]);
  return { ...(Object.fromEntries(makers) as CasesDefinition<Code, Messages>), code, info };
}

function maker(code: string, info: CodeInfo, text: string | ((args: never) => Text)): Make<object> {
  return (args: Context = {}) => {
    const made = typeof text === 'string' ? text : text(args as never);
    const { message, hint: own } = typeof made === 'string' ? { message: made, hint: undefined } : made;
    const { hint = own ?? info.hint, file, location, severity = info.severity } = args;
    return {
      code,
      severity,
      message: shorten(message),
      ...(hint !== undefined && { hint: shorten(hint) }),
      ...(file !== undefined && { file }),
      ...(location !== undefined && { location }),
    };
  };
}

/** Returns diagnostics in which each warning is an error. */
export function warningsAsErrors(diagnostics: readonly Diagnostic[]): readonly Diagnostic[] {
  return diagnostics.map((d) => (d.severity === 'warning' ? { ...d, severity: 'error' } : d));
}

/**
 * The limits of a word and of a text, in characters. Longer words are values of a document, and longer texts are lists of
 * such values: their beginning is enough to identify them.
 */
const MAX_WORD = 500;
const MAX_TEXT = 4000;

function shorten(text: string): string {
  if (text.length <= MAX_WORD) return text;
  const short = text.replace(new RegExp(`(\\S{${MAX_WORD}})\\S+`, 'g'), '$1…');
  return short.length > MAX_TEXT ? `${short.slice(0, MAX_TEXT)}…` : short;
}
