import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { devices } from './devices.js';
import { AccelGuest } from './guest.js';
import type { AccelHost } from './host.js';
import { proves } from './proven.js';
import { openHost, place, vsmmu } from './stage.js';

let host: AccelHost;
beforeAll(async () => {
  host = await openHost();
});
afterAll(async () => await host.disconnect());

const { first, second, twins } = devices;

interface Refusal {
  readonly title: string;
  readonly hostdevs: readonly string[];
  readonly options?: readonly string[];
  /** Makes a valid domain invalid. */
  readonly invalidate: (xml: string) => string;
  /** The message of libvirt at define, or of QEMU at start. */
  readonly message: RegExp;
  /** The diagnostic that predicts it; undefined if the host does not show the reason. */
  readonly code: string | undefined;
}

const value = (text: string) => (xml: string) => xml.replace("accel='on'", `accel='on' ${text}`);
const bus = (index: string | undefined): string => `bus='0x${Number(index).toString(16).padStart(2, '0')}'`;
const port = (xml: string, place: number): string => bus([...xml.matchAll(/ua-vsmmu-port-(\d+)/g)].at(place)?.[1]);
const expanderBus = (xml: string): string => bus(/index='(\d+)' model='pcie-expander-bus'/.exec(xml)?.[1]);

/** A port on `pcie.0` that libvirt added for a device, and that the rewritten domain does not use. */
const left = "bus='0x03'";
const functionZero = "slot='0x00' function='0x0'";

/** Replaces two drives behind one vSMMU by the two functions of one IOMMU group. */
const groupMembers = (xml: string): string =>
  xml
    .replace(`bus='0x11' ${functionZero}`, `bus='0x31' ${functionZero}`)
    .replace(`bus='0x12' ${functionZero}`, "bus='0x31' slot='0x00' function='0x1'");
const membersInOneSlot = (xml: string): string =>
  groupMembers(xml)
    .replace(`${port(xml, 0)} ${functionZero}`, `${port(xml, 0)} ${functionZero} multifunction='on'`)
    .replace(`${port(xml, 1)} ${functionZero}`, `${port(xml, 0)} slot='0x00' function='0x1'`);
const membersApart = (xml: string): string =>
  groupMembers(xml).replace(`${port(xml, 1)} ${functionZero}`, `${left} ${functionZero}`);
const withoutLastIommufd = (xml: string): string =>
  xml.replace(/<driver iommufd='yes'\/>(?![\s\S]*<driver iommufd)/, '');

const refusals: readonly Refusal[] = [
  {
    title: 'an emulated device behind the vSMMU',
    hostdevs: [first],
    options: ['--spare-ports', '1'],
    invalidate: (xml) =>
      xml.replace(/(<rng[\s\S]*?<address type='pci' domain='0x0000' )bus='0x\w+'/, `$1${port(xml, 1)}`),
    message: /Emulated endpoint devices are not allowed/,
    code: 'emulated-behind-vsmmu',
  },
  {
    title: "an emulated device on the vSMMU's expander bus itself",
    hostdevs: [first],
    invalidate: (xml) =>
      xml.replace(
        /(<rng[\s\S]*?<address type='pci' domain='0x0000' )bus='0x\w+' slot='0x00'/,
        `$1${expanderBus(xml)} slot='0x01'`,
      ),
    message: /cannot be plugged into the PCI controller/,
    code: 'emulated-behind-vsmmu',
  },
  {
    title: 'a vSMMU without KVM',
    hostdevs: [first],
    invalidate: (xml) => xml.replace("type='kvm'", "type='qemu'").replace(/<cpu mode='host-passthrough'[^>]*>/, ''),
    message: /accel=on requires KVM/,
    code: 'domain-without-kvm',
  },
  {
    title: 'a vSMMU without ACPI',
    hostdevs: [first],
    invalidate: (xml) => xml.replace('<acpi/>', ''),
    message: /accel=on not supported for DT/,
    code: 'domain-without-acpi',
  },
  {
    title: 'a device behind the vSMMU without iommufd',
    hostdevs: [first],
    invalidate: (xml) => xml.replace(/<driver iommufd='yes'\/>/, ''),
    message: /without an iommufd backend not allowed/,
    code: 'device-without-iommufd',
  },
  {
    title: 'a vSMMU without acceleration',
    hostdevs: [first],
    invalidate: (xml) => xml.replace(" accel='on'", ''),
    message: /requires iommu MAP notifier/,
    code: 'device-behind-emulated-smmu',
  },
  {
    title: 'an emulated SMMU on pcie.0 with a host device there',
    hostdevs: [first, ...twins],
    invalidate: (xml) => xml.replace('</devices>', "<iommu model='smmuv3'><driver pciBus='0'/></iommu></devices>"),
    message: /requires iommu MAP notifier/,
    code: 'device-behind-emulated-smmu',
  },
  {
    title: 'a vSMMU without a device that leaves its values to QEMU',
    hostdevs: [first],
    invalidate: (xml) => xml.replace(/<hostdev[\s\S]*?<\/hostdev>/, ''),
    message: /requires at least one cold-plugged VFIO device/,
    code: 'vsmmu-values-missing',
  },
  {
    title: 'ATS that the host does not support',
    hostdevs: [first],
    invalidate: value("ats='on'"),
    message: /doesn't support Address Translation Services/,
    code: 'vsmmu-value-beyond-host',
  },
  {
    title: 'PASIDs that the host does not support',
    hostdevs: [first],
    invalidate: value("ssidsize='8'"),
    message: /SSIDSIZE not compatible \(host=0, QEMU=8\)/,
    // The kernel does not expose the reason (Linux 7.2).
    code: undefined,
  },
  {
    title: '48-bit addresses that the host does not support',
    hostdevs: [first],
    invalidate: value("oas='48'"),
    message: /supports only 44-bit IPA/,
    code: 'vsmmu-value-beyond-host',
  },
  {
    title: 'command queues that the host does not support',
    hostdevs: [first],
    invalidate: value("cmdqv='on'"),
    message: /CMDQV requested but not supported/,
    code: 'vsmmu-value-beyond-host',
  },
  {
    title: 'addresses of 46 bits',
    hostdevs: [first],
    invalidate: value("oas='46'"),
    message: /'oas' does not accept value '46'/,
    code: 'vsmmu-value-invalid',
  },
  {
    title: 'PASIDs of 21 bits',
    hostdevs: [first],
    invalidate: value("ssidsize='21'"),
    message: /'ssidsize' does not accept value '21'/,
    code: 'vsmmu-value-invalid',
  },
  {
    title: 'two devices of one IOMMU group behind a vSMMU',
    hostdevs: [first, second],
    invalidate: groupMembers,
    message: /error attach hostdev1 .*Invalid argument/,
    code: 'group-behind-vsmmu',
  },
  {
    title: 'two functions of one IOMMU group in one slot behind a vSMMU',
    hostdevs: [first, second],
    invalidate: membersInOneSlot,
    message: /error attach hostdev1 .*Invalid argument/,
    code: 'group-behind-vsmmu',
  },
  {
    title: 'a device behind a vSMMU and the other device of its IOMMU group on pcie.0, with iommufd',
    hostdevs: [first, second],
    invalidate: membersApart,
    message: /error attach hostdev1 .*Invalid argument/,
    code: 'group-behind-vsmmu',
  },
  {
    title: 'a device behind a vSMMU and the other device of its IOMMU group on pcie.0, without iommufd',
    hostdevs: [first, second],
    invalidate: (xml) => withoutLastIommufd(membersApart(xml)),
    message: /Could not open '\/dev\/vfio\/\d+': Device or resource busy/,
    code: 'group-behind-vsmmu',
  },
  {
    title: 'two devices of one IOMMU group on pcie.0, one with iommufd and one without',
    hostdevs: [first, ...twins],
    invalidate: (xml) => xml.replace(/(managed='yes'>)(\s*<source>)/, "$1<driver iommufd='yes'/>$2"),
    message: /Could not open '\/dev\/vfio\/\d+': Device or resource busy/,
    code: 'group-backends-differ',
  },
  {
    title: 'a device of an IOMMU group whose other device is bound to a host driver',
    hostdevs: [first],
    invalidate: groupMembers,
    message: /error bind device .*Operation not permitted/,
    code: 'group-not-viable',
  },
];

/** The valid domains, made once, from which the invalid ones are derived. */
const validDomains = new Map<string, Promise<string>>();
function validDomain(hostdevs: readonly string[], options: readonly string[] = []): Promise<string> {
  const key = [...hostdevs, ...options].join(' ');
  const made =
    validDomains.get(key) ?? place(host, { name: 'refused', hostdevs }, options).then(({ rewritten }) => rewritten);
  validDomains.set(key, made);
  return made;
}

describe('vsmmu check predicts a refusal by libvirt or QEMU:', () => {
  it.for(refusals)('$title', async ({ title, hostdevs, options, invalidate, message, code }, { task }) => {
    const valid = await validDomain(hostdevs, options);
    const guest = new AccelGuest(host, 'refused');
    try {
      const invalid = invalidate(valid);
      expect(invalid, 'it differs').not.toBe(valid);
      const check = await vsmmu(host, ['check', '-'], invalid);
      const refusal = await refused(invalid);
      expect(refusal.message).toMatch(message);
      if (code !== undefined) expect(check.stderr).toContain(`: ${code}: `);
      const before = code === undefined ? 'vsmmu check cannot know' : `vsmmu check reports it beforehand: ${code}`;
      proves(task, `${refusal.by} refuses ${title}; ${before}`);
    } finally {
      await guest.remove();
    }
  });
});

/** Defines and starts a domain. Returns the program that refused, with its message. */
async function refused(xml: string): Promise<{ by: string; message: string }> {
  await host.put('/tmp/refused.xml', xml);
  const defined = await host.run(['virsh', '--quiet', 'define', '--validate', '/tmp/refused.xml']);
  if (defined.code !== 0) return { by: 'libvirt', message: defined.stderr };
  const started = await host.run(['virsh', '--quiet', 'start', 'refused']);
  expect(started.code, 'it does not start').not.toBe(0);
  return { by: 'QEMU', message: started.stderr };
}
