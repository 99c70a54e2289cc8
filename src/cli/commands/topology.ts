import { InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import { hostLocality } from '../../host/locality.js';
import type { Command } from '../command.js';
import { readHost } from '../host.js';
import { print } from '../io/terminal.js';
import {
  HOST_OPTIONS,
  isSet,
  LOCALITY_OPTIONS,
  type OptionValues,
  OUTPUT_OPTIONS,
  PICTURE_OPTIONS,
} from '../options.js';
import { checkPicture, deliverPicture, wantsPicture } from '../picture.js';
import { PROBE_OPTIONS, probe } from '../probe.js';
import { renderHostLocality } from '../render/locality.js';
import { renderTopology } from '../render/topology.js';
import { printJson } from '../report.js';

export const command: Command = {
  usage: 'topology',
  summary: "print the host's SMMUs and the devices behind each",
  details: [
    '--json prints a snapshot of the host, which --topology of other commands reads on any machine. With --probe, the snapshot contains the ID registers of an SMMU, which other commands prefer to the kernel log.',
  ],
  options: { ...HOST_OPTIONS, ...PROBE_OPTIONS, ...LOCALITY_OPTIONS, ...PICTURE_OPTIONS, ...OUTPUT_OPTIONS },
  examples: [
    ['$0 topology', 'this host'],
    ['$0 topology --json > host.json', 'a snapshot of it, for --topology on another machine'],
    ['$0 topology --json --probe 0000:11:00.0 > host.json', "with the registers of that device's SMMU"],
    ['$0 topology --svg host.svg', 'a picture of it'],
    ['$0 topology --locality', 'also which GPUs and NICs are near each other'],
  ],
  subject: 'vsmmu',
  run,
};

/** `vsmmu topology`. */
async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  if (operands.length > 0) throw new InputError(usage.noOperand({ command: 'topology', operand: operands[0] ?? '' }));
  checkPicture(options);
  const { host } = await probe(readHost(options, { features: true, dataDirect: true }), options);
  if (wantsPicture(options)) {
    const { pictureTopology } = await import('../../guest/topology-picture.js');
    if (await deliverPicture(pictureTopology(host), options)) return;
  }
  const locality = isSet(options, 'locality') ? hostLocality(host) : undefined;
  if (isSet(options, 'json')) {
    printJson({ changed: false, diagnostics: [], topology: host.topology, ...(locality && { locality }) });
    return;
  }
  print(renderTopology(host));
  if (locality) print(renderHostLocality(locality));
}
