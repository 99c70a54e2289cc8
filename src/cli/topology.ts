import { diagnostic, InputError } from '../diagnostics.js';
import { renderTopology } from '../host/render.js';
import { scanHost } from '../host/scan.js';
import { readTopology } from '../host/snapshot.js';
import { readTextFile } from './files.js';
import { print } from './io/terminal.js';
import { isSet, type OptionValues, value } from './options.js';
import { checkPicture, deliverPicture, wantsPicture } from './picture.js';
import { kernelLogOf, sysfsOf } from './place.js';
import { printJson } from './report.js';

/** `vsmmu topology`. */
export async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  if (operands.length > 0) throw new InputError(diagnostic('usage', `topology takes no operand: ${operands[0]}`));
  checkPicture(options);
  const file = value(options, 'topology');
  const host =
    file === undefined
      ? scanHost(sysfsOf(options), undefined, kernelLogOf(options))
      : readTopology(readTextFile(file), file);
  if (wantsPicture(options)) {
    const { drawTopology, topologyDot } = await import('../guest/topology-picture.js');
    if (await deliverPicture({ dot: () => topologyDot(host), svg: () => drawTopology(host) }, options)) return;
  }
  if (isSet(options, 'json')) printJson({ changed: false, diagnostics: [], topology: host.topology });
  else print(renderTopology(host));
}
