import { parseDomain } from '../domain/domain.js';
import { predictGuest } from '../guest/predict.js';
import { print } from './io/terminal.js';
import { domainOperand, isSet, type OptionValues } from './options.js';
import { checkPicture, deliverPicture, wantsPicture } from './picture.js';
import { place } from './place.js';
import { renderGuest } from './plan-guest.js';
import { renderPlan } from './plan-table.js';
import { printJson, report } from './report.js';

/** `vsmmu plan [DOMAIN]`. */
export async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const file = domainOperand(operands, options);
  checkPicture(options);
  const { before, host, plan, diagnostics, changed, after } = await place(file, options);
  const guest = predictGuest(after);
  report(diagnostics, options);
  if (wantsPicture(options)) {
    const { drawPlan, planDot } = await import('../guest/picture.js');
    const details = { name: after.name, guest };
    const picture = { dot: () => planDot(plan, host, details), svg: () => drawPlan(plan, host, details) };
    if (await deliverPicture(picture, options)) return;
  }
  if (isSet(options, 'json')) {
    printJson({ changed, diagnostics, plan, guest });
    return;
  }
  const scene = { name: after.name, host, before: predictGuest(parseDomain(before)), after: guest };
  print(renderPlan(plan, scene));
  if (isSet(options, 'guest')) print(renderGuest(guest, after, host));
}
