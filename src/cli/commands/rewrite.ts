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
  details: [
    "A domain that is not for aarch64 and QEMU's virt machine, or that has no PCI host device, is printed unchanged. A second run changes nothing: correct expander buses keep their bus numbers, and new devices join them. --relayout plans from scratch.",
    'The result is checked before it is written. If it has an error that the domain did not have before, nothing is written. The changes are recorded in <metadata>, for vsmmu revert.',
    'A file is replaced atomically and keeps its owner, mode, access control list and extended attributes. --backup never overwrites a file: the second backup of vm.xml is vm.xml.orig.~1~. A symbolic link that belongs to another user is followed only to files of that user.',
    'With --define, the diff is shown with passwords masked, and the domain is left unchanged if it was edited in the meantime. If --connect names a remote libvirt, give the topology of its host with --topology.',
    'A domain with an accelerated vSMMU cannot be migrated live, saved, or snapshotted with its memory. Placed devices have new PCI addresses in the guest, so the names of its NICs may change.',
  ],
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
