import { parseDomain } from '../domain/domain.js';
import { revert } from '../rewrite/revert.js';
import { readInput } from './files.js';
import { isSet, type OptionValues, soleOperand } from './options.js';
import { deliver, outputFile } from './output.js';
import { located, refuseErrors } from './report.js';

/** `vsmmu revert [DOMAIN]`. */
export async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const file = soleOperand(operands, 'domain');
  const target = outputFile(file, options);
  const input = await readInput(file);
  const domain = parseDomain(input);
  const locate = located(domain, file, options);
  const reverted = refuseErrors(locate, () => revert(domain, { force: isSet(options, 'force') }));
  const { text } = domain.document;
  await deliver(file, target, { input, before: text, after: reverted.xml, diagnostics: reverted.diagnostics }, options);
}
