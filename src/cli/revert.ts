import { parseDomain } from '../domain/domain.js';
import { revert } from '../edit/undo/revert.js';
import { domainOperand, isSet, type OptionValues } from './options.js';
import { deliver, outputFile } from './output.js';
import { refuseErrors, withFile } from './report.js';
import { readSource } from './source.js';

/** `vsmmu revert [DOMAIN]`. */
export async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  const file = domainOperand(operands, options);
  const target = outputFile(file, options);
  const source = await readSource(file, options, { security: true });
  const domain = parseDomain(source.input);
  const locate = withFile(domain, source.name, options);
  const { xml, diagnostics, left } = refuseErrors(locate, () => revert(domain, { force: isSet(options, 'force') }));
  const result = { before: domain.document.text, after: xml, diagnostics: [...diagnostics, ...locate(left)] };
  await deliver(target, { source, ...result }, options);
  return left.length > 0 ? 1 : 0;
}
