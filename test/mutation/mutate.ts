/** Small changes to a source text, each of which a test should notice. */

export interface Mutant {
  readonly line: number;
  readonly before: string;
  readonly after: string;
  /** The whole text with the change. */
  readonly text: string;
}

/** What is replaced by what, where it stands in code. */
const OPERATORS: readonly (readonly [pattern: RegExp, replacement: string])[] = [
  [/ === /g, ' !== '],
  [/ !== /g, ' === '],
  [/ && /g, ' || '],
  [/ \|\| /g, ' && '],
  [/ < /g, ' <= '],
  [/ > /g, ' >= '],
  [/ <= /g, ' < '],
  [/ >= /g, ' > '],
  [/ \+ /g, ' - '],
  [/ - /g, ' + '],
  [/\+\+/g, '--'],
  [/ \+= /g, ' -= '],
  [/\btrue\b/g, 'false'],
  [/\bfalse\b/g, 'true'],
  [/\b0\b/g, '1'],
  [/\b1\b/g, '2'],
  [/ \?\? /g, ' && '],
  [/\bif \(/g, 'if (!('],
  [/\.some\(/g, '.every('],
  [/\.every\(/g, '.some('],
  [/\.filter\(/g, '.map('],
  [/\breturn (?=[^;]*;)/g, 'return void '],
  [
    /^(\s*)(?=(?:await |void )?[\w.#?]+(?:\([^;]*\))?;$)(?!.*\b(?:return|break|continue|import|export)\b)/gm,
    '$1void 0; //',
  ],
];

/** Blanks out comments, types of imports and strings, so that only code is left at its place. */
function codeOf(text: string): string {
  return text.replaceAll(
    /\/\*[\s\S]*?\*\/|\/\/.*|^(?:import|export (?:type|interface)) [^;]*?;$|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|\$\{[^}]*\}|[^`\\$])*`/gm,
    (part) => part.replaceAll(/[^\n]/g, '_'),
  );
}

/** All mutants of a source text. */
export function mutantsOf(text: string): Mutant[] {
  const code = codeOf(text);
  const mutants: Mutant[] = [];
  for (const [pattern, replacement] of OPERATORS) {
    for (const match of code.matchAll(pattern)) {
      const end = match.index + match[0].length;
      let tail = text.slice(end);
      if (replacement.endsWith('(!(')) {
        const close = closingOf(code, end);
        tail = `${text.slice(end, close)})${text.slice(close)}`;
      }
      const original = text.slice(match.index, end);
      const mutated =
        text.slice(0, match.index) + original.replace(new RegExp(pattern.source, 'm'), replacement) + tail;
      const line = text.slice(0, match.index).split('\n').length;
      const [before = '', after = ''] = [text, mutated].map((each) => each.split('\n')[line - 1]?.trim());
      if (mutated !== text) mutants.push({ line, before, after, text: mutated });
    }
  }
  return mutants;
}

/** The offset of the parenthesis that closes the one before `start`. */
function closingOf(code: string, start: number): number {
  let depth = 1;
  for (let i = start; i < code.length; i++) {
    if (code[i] === '(') depth++;
    if (code[i] === ')' && --depth === 0) return i;
  }
  return start;
}
