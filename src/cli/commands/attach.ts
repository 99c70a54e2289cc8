import { planAttachment } from '../../attach.js';
import { InputError } from '../../diagnostics/errors.js';
import { usage } from '../../diagnostics/usage.js';
import { parseBdf } from '../../domain/address.js';
import { parseDomain } from '../../domain/domain.js';
import { attachedDevice } from '../../edit/elements.js';
import { printElement } from '../../xml/print.js';
import type { Command } from '../command.js';
import { readHost } from '../host.js';
import { printMarkup } from '../io/terminal.js';
import {
  attachOptions,
  CONNECT_OPTIONS,
  HOST_OPTIONS,
  isSet,
  type OptionValues,
  outputOptions,
  policyOf,
} from '../options.js';
import { printJson, refuseErrors, withFile } from '../report.js';
import { readSource, requireMatchingHost } from '../source.js';

export const command: Command = {
  usage: 'attach DOMAIN BDF',
  summary: 'print the <hostdev> for virsh attach-device, on a free port behind the vSMMU of its SMMU',
  details: [
    'The port must exist when the guest starts: convert the domain with --spare-ports. Each spare port reserves memory for the BARs of a device (--spare-memory). Without that memory, Linux in the guest takes it from neighbouring devices, and those devices stop working.',
  ],
  options: { ...CONNECT_OPTIONS, ...HOST_OPTIONS, ...attachOptions(), ...outputOptions('json') },
  examples: [
    ['virsh dumpxml vm | $0 attach - 0000:31:10.2 > device.xml', 'then: virsh attach-device vm device.xml --live'],
  ],
  run,
};

/** `vsmmu attach DOMAIN BDF`. */
async function run(operands: readonly string[], options: OptionValues): Promise<void> {
  const [file, name, ...more] = operands;
  if (file === undefined || name === undefined || more.length > 0) {
    throw new InputError(usage.takes({ command: 'attach', expected: 'a domain and the address of a host device' }));
  }
  const bdf = parseBdf(name);
  if (bdf === undefined) {
    const expected = 'a PCI address (dddd:bb:ss.f, or pci_dddd_bb_ss_f as libvirt names them)';
    throw new InputError(usage.invalid({ value: name, expected }));
  }
  requireMatchingHost(options);
  const policy = policyOf(options);
  const source = await readSource(file, options, { live: true });
  const domain = parseDomain(source.input);
  const devices = new Set([bdf, ...domain.hostDevices.map((device) => device.bdf)]);
  const host = readHost(options, { devices });
  const { xml } = refuseErrors(withFile(domain, source.name, options), () => {
    const element = attachedDevice(planAttachment(domain, host, bdf, policy));
    return { xml: `${printElement(element, "'", { lineEnd: '\n', indent: '', unit: '  ' })}\n`, diagnostics: [] };
  });
  if (isSet(options, 'json')) printJson({ changed: true, diagnostics: [], xml });
  else printMarkup(xml);
}
