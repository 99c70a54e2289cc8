import { diagnostic, InputError } from '../diagnostics.js';
import { type Bdf, parseBdf } from '../domain/address.js';
import { type Domain, parseDomain } from '../domain/domain.js';
import { attachedDevice } from '../edit/elements.js';
import type { Host } from '../host/host.js';
import { scanHost } from '../host/scan.js';
import { readTopology } from '../host/snapshot.js';
import { planAttachment } from '../plan/attach.js';
import { printElement } from '../xml/print.js';
import { readTextFile } from './files.js';
import { printMarkup } from './io/terminal.js';
import { isSet, type OptionValues, policyOf, value } from './options.js';
import { sysfsOf } from './place.js';
import { printJson, refuseErrors, withFile } from './report.js';
import { readSource, requireItsHost } from './source.js';

/** `vsmmu attach DOMAIN BDF`. */
export async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const [file, name, ...more] = operands;
  const wrong = (message: string) => new InputError(diagnostic('usage', message));
  if (file === undefined || name === undefined || more.length > 0) {
    throw wrong('attach takes a domain and the address of a host device');
  }
  const bdf = parseBdf(name);
  if (bdf === undefined)
    throw wrong(`${name} is not a PCI address (dddd:bb:ss.f, or pci_dddd_bb_ss_f as libvirt names them)`);
  requireItsHost(options);
  const policy = policyOf(options);
  const source = await readSource(file, options, { live: true });
  const domain = parseDomain(source.input);
  const host = hostFor(domain, bdf, options);
  const { xml } = refuseErrors(withFile(domain, source.name, options), () => {
    const element = attachedDevice(planAttachment(domain, host, bdf, policy));
    return { xml: `${printElement(element, "'", { lineEnd: '\n', indent: '', unit: '  ' })}\n`, diagnostics: [] };
  });
  if (isSet(options, 'json')) printJson({ changed: true, diagnostics: [], xml });
  else printMarkup(xml);
}

function hostFor(domain: Domain, bdf: Bdf, options: OptionValues): Host {
  const file = value(options, 'topology');
  if (file !== undefined) return readTopology(readTextFile(file), file);
  return scanHost(sysfsOf(options), new Set([bdf, ...domain.hostDevices.map((device) => device.bdf)]));
}
