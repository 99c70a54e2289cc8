import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { InputError } from '../diagnostics/errors.js';
import { usage } from '../diagnostics/usage.js';
import { writeFile } from './io/files.js';
import { printMarkup } from './io/terminal.js';
import { isSet, type OptionValues, value } from './options.js';
import { report } from './report.js';

/** A picture, drawn on demand. */
export interface Picture {
  dot(): string;
  svg(): string;
}

/** Whether a command line asks for a picture of any kind. */
export function wantsPicture(options: OptionValues): boolean {
  return options.svg !== undefined || value(options, 'format') === 'dot';
}

/** Refuses contradictory picture options before anything is read. @throws InputError `usage` */
export function checkPicture(options: OptionValues): void {
  const [svg, format = 'text'] = [value(options, 'svg'), value(options, 'format')];
  if (format !== 'text' && format !== 'dot') {
    throw new InputError(usage.value({ option: '--format', expected: 'text or dot', value: format }));
  }
  if (isSet(options, 'json') && (format === 'dot' || svg === '-')) {
    throw new InputError(usage.excludes({ option: '--json', other: svg === '-' ? '--svg -' : '--format dot' }));
  }
  const file = { option: '--svg', expected: 'a file, or - for standard output' };
  if (svg === '') throw new InputError(usage.value({ ...file, value: "''" }));
  // `--svg vm.xml` is a likely typing error for `--svg vm.svg vm.xml`, and would overwrite the domain.
  if (svg !== undefined && svg !== '-' && isOtherFile(svg)) {
    const value = `${svg}, which exists and is not a picture`;
    throw new InputError(usage.value({ ...file, value, hint: 'give another file, or remove that one' }));
  }
}

/** Whether the file exists and contains something other than a picture. */
function isOtherFile(file: string): boolean {
  try {
    if (!statSync(file).isFile()) return false;
    const head = Buffer.alloc(1024);
    const fd = openSync(file, 'r');
    const count = readSync(fd, head);
    closeSync(fd);
    return count > 0 && !head.toString('latin1', 0, count).includes('<svg');
  } catch {
    return false;
  }
}

/** Writes or prints the picture that a command line asks for. @returns whether there is nothing else to print */
export async function deliverPicture(picture: Picture, options: OptionValues): Promise<boolean> {
  const file = value(options, 'svg');
  if (file === undefined) {
    if (!wantsPicture(options)) return false;
    printMarkup(picture.dot());
    return true;
  }
  const svg = picture.svg();
  if (file === '-') printMarkup(svg);
  else {
    const written = await writeFile(file, svg);
    report(
      written.map((d) => ({ file, ...d })),
      options,
    );
  }
  return !isSet(options, 'json');
}
