import { parseDomain } from '../domain/domain.js';
import { revert } from '../edit/revert.js';
import { domainOperand, isSet, type OptionValues } from './options.js';
import { deliver, outputFile } from './output.js';
import { located, refuseErrors } from './report.js';
import { readSource } from './source.js';

/** `vsmmu revert [DOMAIN]`. */
export async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const file = domainOperand(operands, options);
  const target = outputFile(file, options);
  const source = await readSource(file, options, { security: true });
  const domain = parseDomain(source.input);
  const locate = located(domain, source.name, options);
  const reverted = refuseErrors(locate, () => revert(domain, { force: isSet(options, 'force') }));
  const { text } = domain.document;
  const { xml: after, diagnostics } = reverted;
  await deliver(target, { source, before: text, after, diagnostics }, options);
}
