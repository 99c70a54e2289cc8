import { diagnostic, InputError } from '../diagnostics.js';
import { rewrite } from '../rewrite/rewrite.js';
import { backUp, nameOfInput, writeFile } from './files.js';
import { isSet, type OptionValues, soleOperand, value } from './options.js';
import { place } from './place.js';
import { printJson, report } from './report.js';

/** `vsmmu rewrite [DOMAIN]`. */
export async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const file = soleOperand(operands, 'domain');
  const target = outputFile(file, options);
  const { input, domain, plan, diagnostics } = await place(file, options);
  const xml = rewrite(domain, plan);
  const changed = xml !== domain.document.text;
  const name = nameOfInput(file);

  const suffix = value(options, 'backup');
  if (target !== undefined && (changed || target !== file)) {
    if (suffix !== undefined && changed) await backUp(file, input, suffix);
    await writeFile(target, xml);
  }
  report(diagnostics, options);
  if (isSet(options, 'json')) printJson({ changed, diagnostics, xml });
  else if (isSet(options, 'diff')) {
    const { unifiedDiff } = await import('./diff.js');
    process.stdout.write(unifiedDiff(name, domain.document.text, xml));
  } else if (target === undefined) process.stdout.write(xml);
}

/** The file to write, if any. */
function outputFile(file: string, options: OptionValues): string | undefined {
  const output = value(options, 'output');
  const inPlace = isSet(options, 'in-place');
  const wrong = (message: string) => new InputError(diagnostic('usage', message));
  if (inPlace && file === '-') throw wrong('--in-place needs a file; standard input cannot be written back');
  if (inPlace && output !== undefined) throw wrong('--in-place and --output exclude each other');
  if (!inPlace && options.backup !== undefined) throw wrong('--backup goes with --in-place');
  return inPlace ? file : output === '-' ? undefined : output;
}
