import type { Command } from '../command.js';
import {
  DEFINE_OPTIONS,
  domainOperand,
  HOST_OPTIONS,
  type OptionValues,
  OUTPUT_OPTIONS,
  policyOptions,
  RESULT_OPTIONS,
  TARGET_OPTIONS,
} from '../options.js';
import { deliver, outputFile } from '../output.js';
import { place } from '../place.js';

export const command: Command = {
  usage: 'rewrite [DOMAIN]',
  summary: 'print the converted domain: each host device behind the vSMMU of its SMMU',
  options: {
    ...RESULT_OPTIONS,
    ...DEFINE_OPTIONS,
    ...HOST_OPTIONS,
    ...policyOptions(),
    ...TARGET_OPTIONS,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ['virsh dumpxml --inactive vm | $0 rewrite > new.xml', 'for this host'],
    ['$0 rewrite --diff vm.xml', 'see what would change'],
    ['$0 rewrite -i --backup .orig vm.xml', 'change the file, keep the old one'],
    ['$0 rewrite --topology host.json vm.xml', 'for another host'],
    ['$0 rewrite --connect qemu:///system --define vm', 'a domain of libvirt, for its next start'],
  ],
  run,
};

/** `vsmmu rewrite [DOMAIN]`. */
async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const file = domainOperand(operands, options);
  const target = outputFile(file, options);
  const { source, before, xml, diagnostics } = await place(file, options, { security: true });
  await deliver(target, { source, before, after: xml, diagnostics }, options);
}
