import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import { maskSecrets } from '../../domain/secrets.js';
import { escapeControls, printable } from '../../escape.js';
import { colours } from './typeset.js';

/**
 * Returns a unified diff of two domains with secrets masked, coloured if standard output is a terminal; empty if they
 * are equal.
 */
export function unifiedDiff(name: string, before: string, after: string): string {
  if (before === after) return '';
  const file = printable(name);
  const texts = [maskSecrets(before), maskSecrets(after)] as const;
  const patch = createTwoFilesPatch(file, file, ...texts, undefined, undefined, {
    context: 3,
    headerOptions: FILE_HEADERS_ONLY,
  });
  return process.stdout.isTTY ? patch.split('\n').map(paint).join('\n') : patch;
}

function paint(line: string): string {
  const { bold, cyan, green, red } = colours();
  const text = escapeControls(line.replace(/\r$/, ''));
  if (text.startsWith('---') || text.startsWith('+++')) return bold(text);
  if (text.startsWith('@@')) return cyan(text);
  if (text.startsWith('+')) return green(text);
  if (text.startsWith('-')) return red(text);
  return text;
}
