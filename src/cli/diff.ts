import { createTwoFilesPatch, FILE_HEADERS_ONLY } from 'diff';
import pc from 'picocolors';

/** A unified diff of two texts, in colour where standard output is a terminal; passwords in it are masked. Empty where they are equal. */
export function unifiedDiff(file: string, before: string, after: string): string {
  if (before === after) return '';
  const patch = createTwoFilesPatch(file, file, before, after, undefined, undefined, {
    context: 3,
    headerOptions: FILE_HEADERS_ONLY,
  });
  const masked = patch.replace(/\b(passwd\s*=\s*)("[^"]*"|'[^']*')/g, (_, name: string) => `${name}'***'`);
  // picocolors takes CI for a terminal; a patch that is kept in a file is no place for colour.
  return process.stdout.isTTY && pc.isColorSupported ? masked.split('\n').map(colour).join('\n') : masked;
}

function colour(line: string): string {
  if (line.startsWith('---') || line.startsWith('+++')) return pc.bold(line);
  if (line.startsWith('@@')) return pc.cyan(line);
  if (line.startsWith('+')) return pc.green(line);
  if (line.startsWith('-')) return pc.red(line);
  return line;
}
