import { parseDomain } from '../../domain/domain.js';
import { guestLocality } from '../../guest/locality.js';
import { predictGuest } from '../../guest/predict.js';
import { withDataDirect } from '../../host/data-direct.js';
import type { Host } from '../../host/host.js';
import type { Command } from '../command.js';
import { sysfsOf } from '../host.js';
import { print } from '../io/terminal.js';
import {
  CONNECT_OPTIONS,
  domainOperand,
  flag,
  HOST_OPTIONS,
  isSet,
  LOCALITY_OPTIONS,
  type OptionValues,
  OUTPUT_OPTIONS,
  PICTURE_OPTIONS,
  policyOptions,
  TARGET_OPTIONS,
  value,
} from '../options.js';
import { checkPicture, deliverPicture, wantsPicture } from '../picture.js';
import { place } from '../place.js';
import { renderGuest } from '../render/guest.js';
import { renderGuestLocality } from '../render/locality.js';
import { renderPlan } from '../render/plan.js';
import { printJson, report } from '../report.js';

export const command: Command = {
  usage: 'plan [DOMAIN]',
  summary: 'print where each device would be placed, and why; change nothing',
  options: {
    ...CONNECT_OPTIONS,
    ...HOST_OPTIONS,
    ...policyOptions(),
    ...TARGET_OPTIONS,
    guest: flag('also print what the guest will see: its lspci -tv and the ID ranges of its IORT'),
    ...LOCALITY_OPTIONS,
    ...PICTURE_OPTIONS,
    ...OUTPUT_OPTIONS,
  },
  examples: [
    ['$0 plan vm.xml', 'what would change, and why'],
    ['$0 plan --guest vm.xml', 'also the PCI tree of the guest'],
    ['$0 plan --json vm.xml', 'the plan as data'],
    ['$0 plan --svg vm.svg vm.xml', 'a picture'],
    ['$0 plan --format dot vm.xml | dot -Tpdf > vm.pdf', 'a picture as PDF'],
  ],
  run,
};

/** `vsmmu plan [DOMAIN]`. */
async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const file = domainOperand(operands, options);
  checkPicture(options);
  const { before, host, plan, diagnostics, changed, after } = await place(file, options);
  const guest = predictGuest(after);
  report(diagnostics, options);
  if (wantsPicture(options)) {
    const { picturePlan } = await import('../../guest/picture.js');
    const details = { name: after.name, guest };
    if (await deliverPicture(picturePlan(plan, host, details), options)) return;
  }
  const former = parseDomain(before);
  const view = { name: after.name, host, before: predictGuest(former), after: guest };
  const locality = isSet(options, 'locality')
    ? guestLocality(withRelations(host, options), { domain: former, view: view.before }, { domain: after, view: guest })
    : undefined;
  if (isSet(options, 'json')) {
    printJson({ changed, diagnostics, plan, guest, ...(locality && { locality }) });
    return;
  }
  print(renderPlan(plan, view));
  if (isSet(options, 'guest')) print(renderGuest(guest, after, host));
  if (locality) print(renderGuestLocality(locality));
}

/** Adds the NIC of each DMA function, which a snapshot already contains. */
function withRelations(host: Host, options: OptionValues): Host {
  return value(options, 'topology') === undefined ? withDataDirect(host, sysfsOf(options)) : host;
}
