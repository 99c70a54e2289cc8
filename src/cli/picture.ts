import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import { FORMATS } from '../generated/formats.js';
import type { Picture } from '../guest/picture/cards.js';
import { writeFile } from './io/files.js';
import { printMarkup } from './io/terminal.js';
import { isSet, type OptionValues, value } from './options.js';
import { report } from './report.js';

/** Whether a command line asks for a picture of any kind. */
export function wantsPicture(options: OptionValues): boolean {
  return options.svg !== undefined || formatOf(options) !== 'text';
}

function formatOf(options: OptionValues): string {
  return value(options, 'format') ?? 'text';
}

/** Refuses contradictory picture options before anything is read. @throws InputError `usage` */
export function checkPicture(options: OptionValues): void {
  const [svg, format] = [value(options, 'svg'), formatOf(options)];
  if (format !== 'text' && !Object.hasOwn(FORMATS, format)) {
    const expected = `text, ${Object.keys(FORMATS).join(' or ')}`;
    throw new InputError(usage.value({ option: '--format', expected, value: format }));
  }
  if (isSet(options, 'json') && (format !== 'text' || svg === '-')) {
    throw new InputError(usage.excludes({ option: '--json', other: svg === '-' ? '--svg -' : `--format ${format}` }));
  }
  if (svg === '') {
    throw new InputError(usage.value({ option: '--svg', expected: 'a file, or - for standard output', value: "''" }));
  }
  // `--svg vm.xml` is a likely typing error for `--svg vm.svg vm.xml`, and would overwrite the domain.
  if (svg !== undefined && svg !== '-' && isOtherFile(svg, '<svg')) {
    throw new InputError(usage.overwrites({ option: '--svg', file: svg, expected: 'an SVG file' }));
  }
}

/** Whether a file has content that vsmmu did not write. The first 1024 bytes of a file that vsmmu wrote contain `word`. */
export function isOtherFile(file: string, word: string): boolean {
  try {
    if (!statSync(file).isFile()) return false;
    const head = Buffer.alloc(1024);
    const fd = openSync(file, 'r');
    const count = readSync(fd, head);
    closeSync(fd);
    return count > 0 && !head.toString('latin1', 0, count).includes(word);
  } catch {
    return false;
  }
}

/** Writes or prints the picture that a command line asks for. @returns whether there is nothing else to print */
export async function deliverPicture(picture: Picture, options: OptionValues): Promise<boolean> {
  const file = value(options, 'svg');
  const load = FORMATS[file === undefined ? formatOf(options) : 'svg']?.load;
  if (!load) return false;
  const drawn = (await load()).draw(picture);
  if (file === undefined || file === '-') printMarkup(drawn);
  else {
    const written = await writeFile(file, drawn);
    report(
      written.map((d) => ({ file, ...d })),
      options,
    );
  }
  return !isSet(options, 'json');
}
