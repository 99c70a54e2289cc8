import { isSet, type OptionValues, soleOperand } from './options.js';
import { nameOfInput, place } from './place.js';
import { renderPlan } from './plan-table.js';
import { printJson, report } from './report.js';

/** `vsmmu plan [DOMAIN]`. */
export async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const file = soleOperand(operands, 'domain');
  const { plan, diagnostics } = await place(file, options);
  report(diagnostics, nameOfInput(file), options);
  if (isSet(options, 'json')) printJson({ changed: plan.changed, diagnostics, plan });
  else process.stdout.write(renderPlan(plan));
}
