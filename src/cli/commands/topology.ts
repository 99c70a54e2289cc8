import { InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import { anonymise } from '../../host/anonymise.js';
import { hostLocality } from '../../host/locality.js';
import type { Command } from '../command.js';
import { readHost } from '../host.js';
import { print } from '../io/terminal.js';
import {
  flag,
  HOST_OPTIONS,
  isSet,
  LOCALITY_OPTIONS,
  type OptionValues,
  outputOptions,
  PICTURE_OPTIONS,
  text,
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
    '--json prints a snapshot of the host, which --topology of other commands reads on any machine. With --probe, the snapshot contains the ID registers of an SMMU, which other commands use instead of the kernel log. A snapshot contains no serial numbers, MAC addresses or host names; --anonymise also replaces the names of drivers, for a snapshot that you publish.',
    '--fleet reads the snapshots of many hosts, which are its operands. It prints which devices of each host can be placed behind a vSMMU, and which firmware settings could make more devices placeable. Hosts are named after their files.',
  ],
  options: {
    ...HOST_OPTIONS,
    ...PROBE_OPTIONS,
    ...LOCALITY_OPTIONS,
    anonymise: flag('replace the names of drivers, for a snapshot to publish; plans do not change'),
    fleet: flag('report on several hosts: the operands are their snapshots'),
    html: text('with --fleet: write the report to this file, as an HTML page with a picture of each host', {
      value: 'file',
    }),
    ...PICTURE_OPTIONS,
    ...outputOptions('json'),
  },
  examples: [
    ['$0 topology', 'this host'],
    ['$0 topology --json > host.json', 'a snapshot, for --topology on another machine'],
    ['$0 topology --json --probe 0000:11:00.0 > host.json', "with the registers of that device's SMMU"],
    ['$0 topology --json --anonymise > host.json', 'a snapshot to publish'],
    ['$0 topology --svg host.svg', 'a picture of this host'],
    ['$0 topology --locality', 'also which GPUs and NICs are near each other'],
    ['$0 topology --fleet --html fleet.html hosts/*.json', 'a page about several hosts'],
  ],
  subject: 'vsmmu',
  run,
};

/** The options that apply to one host only. */
const ONE_HOST = ['topology', 'sysfs', 'probe', 'locality', 'svg', 'format'] as const;

/** `vsmmu topology`. */
async function run(operands: readonly string[], options: OptionValues): Promise<number> {
  if (isSet(options, 'fleet')) {
    const other = ONE_HOST.find((name) => options[name] !== undefined);
    if (other !== undefined) throw new InputError(usage.excludes({ option: '--fleet', other: `--${other}` }));
    const { reportFleet } = await import('../fleet.js');
    return await reportFleet(operands, options);
  }
  if (options.html !== undefined) throw new InputError(usage.requires({ option: '--html', other: '--fleet' }));
  const [operand] = operands;
  if (operand !== undefined) {
    const hint = '--topology FILE reads one snapshot, --fleet FILE... reports on several';
    throw new InputError(usage.noOperand({ command: 'topology', operand, hint }));
  }
  checkPicture(options);
  await printHost(options);
  return 0;
}

async function printHost(options: OptionValues): Promise<void> {
  const { host: read } = await probe(readHost(options, { features: true, dataDirect: true }), options);
  const host = isSet(options, 'anonymise') ? anonymise(read) : read;
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
