/** Small changes to a source text, each of which a test should detect. */
import { transformSync } from 'esbuild';

export interface Mutant {
  readonly line: number;
  readonly before: string;
  readonly after: string;
  /** The whole text with the change. */
  readonly text: string;
}

/** Patterns in code, each with its replacement. */
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
  [/\breturn (?!undefined;|void )(?=[^;]*;)/g, 'return void '],
  [
    /^(\s*)(?=(?:await |void )?[\w.#?]+(?:\([^;]*\))?;$)(?!.*\b(?:return|break|continue|import|export)\b)/gm,
    '$1void 0; //',
  ],
];

const COMMENT_OR_STRING = /\/\*[\s\S]*?\*\/|\/\/.*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/y;
const REGULAR_EXPRESSION = /\/(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[a-z]*/y;
/** The code before a regular expression. A division has a value before it. */
const BEFORE_EXPRESSION = /(?:^|[(,=:[!&|?{};>]|\breturn|\bcase)\s*$/;
/** The text of a template up to an expression or its end. */
const TEMPLATE_TEXT = /(?:\\[\s\S]|\$(?!\{)|[^`\\$])*(?:`|\$\{)/y;

/** Blanks out comments, strings and regular expressions. Code keeps its offsets. */
function codeOf(text: string): string {
  let code = '';
  /** The open braces of each template expression around the current offset. */
  const braces: number[] = [];
  const blank = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = code.length;
    const part = pattern.exec(text)?.[0];
    if (part !== undefined) code += part.replaceAll(/[^\n]/g, '_');
    return part;
  };
  const blankTemplate = (): void => {
    if (blank(TEMPLATE_TEXT)?.endsWith('{')) braces.push(0);
  };
  while (code.length < text.length) {
    if (blank(COMMENT_OR_STRING) !== undefined) continue;
    const character = text[code.length] ?? '';
    if (character === '/' && BEFORE_EXPRESSION.test(code.slice(-20)) && blank(REGULAR_EXPRESSION)) continue;
    code += character;
    const open = braces.length - 1;
    if (character === '`') blankTemplate();
    else if (character === '{' && open >= 0) braces[open] = (braces[open] ?? 0) + 1;
    else if (character === '}' && open >= 0) {
      if (braces[open]) braces[open] -= 1;
      else {
        braces.pop();
        blankTemplate();
      }
    }
  }
  return code;
}

/** Returns the JavaScript of a source text; undefined for a text that is not TypeScript. */
function compile(text: string): string | undefined {
  try {
    return transformSync(text, { loader: 'ts', minifySyntax: true, logLevel: 'silent' }).code;
  } catch {
    return undefined;
  }
}

/**
 * Returns whether a mutant is another program. It is not if only types change, or if the compiler refuses it, because then its
 * failure shows nothing about the tests.
 */
export function changesProgram(original: string, { text }: Mutant): boolean {
  const program = compile(text);
  return program !== undefined && program !== compile(original);
}

/** All mutants of a source text, including those that are not another program. */
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
      const mutated = text.slice(0, match.index) + replacement.replace('$1', match[1] ?? '') + tail;
      const line = text.slice(0, match.index).split('\n').length;
      const [before = '', after = ''] = [text, mutated].map((each) => each.split('\n')[line - 1]?.trim());
      mutants.push({ line, before, after, text: mutated });
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
