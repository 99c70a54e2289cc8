import { domainOperand, type OptionValues } from './options.js';
import { deliver, outputFile } from './output.js';
import { place } from './place.js';

/** `vsmmu rewrite [DOMAIN]`. */
export async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const file = domainOperand(operands, options);
  const target = outputFile(file, options);
  const { source, before, xml, diagnostics } = await place(file, options, { security: true });
  await deliver(target, { source, before, after: xml, diagnostics }, options);
}
