import { parseDomain } from '../../domain/domain.js';
import { revert } from '../../edit/undo/revert.js';
import type { Command } from '../command.js';
import {
  DEFINE_OPTIONS,
  domainOperand,
  flag,
  isSet,
  type OptionValues,
  OUTPUT_OPTIONS,
  RESULT_OPTIONS,
} from '../options.js';
import { deliver, outputFile } from '../output.js';
import { refuseErrors, withFile } from '../report.js';
import { readSource } from '../source.js';

export const command: Command = {
  usage: 'revert [DOMAIN]',
  summary: 'print the domain as it was before rewrite changed it',
  details: [
    'If the domain was not edited since, the result is the former text, byte for byte. After other edits, everything that vsmmu added is removed, and the other edits stay. If something that vsmmu added has to stay, a message names it, the result is written anyway, and the exit code is 1.',
    'The record in <metadata> cannot make revert change anything that vsmmu does not manage.',
  ],
  options: {
    ...RESULT_OPTIONS,
    ...DEFINE_OPTIONS,
    force: flag(
      'also remove expander buses with vSMMUs that are not in a record; libvirt then chooses new addresses for their devices',
    ),
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ['virsh dumpxml --inactive --security-info vm | $0 revert > old.xml', 'a domain of libvirt'],
    ['$0 revert --diff vm.xml', 'see what would change'],
    ['$0 revert -i vm.xml', 'change the file'],
  ],
  run,
};

/** `vsmmu revert [DOMAIN]`. */
async function run(operands: readonly string[], options: OptionValues): Promise<number> {
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
