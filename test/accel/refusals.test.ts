import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { devices } from './devices.js';
import type { AccelHost } from './host.js';
import { proves } from './proven.js';
import { define, openHost, place, vsmmu } from './stage.js';

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
  /** What makes a right domain wrong. */
  readonly spoil: (xml: string) => string;
  /** What QEMU says at start. */
  readonly says: RegExp;
  /** The diagnostic that tells of it before; undefined where nothing that can be read on the host does. */
  readonly code: string | undefined;
}

const value = (text: string) => (xml: string) => xml.replace("accel='on'", `accel='on' ${text}`);
const port = (xml: string, place: number): string => {
  const index = Number([...xml.matchAll(/ua-vsmmu-port-(\d+)/g)].at(place)?.[1]);
  return `bus='0x${index.toString(16).padStart(2, '0')}'`;
};

const refusals: readonly Refusal[] = [
  {
    title: 'an emulated device behind the vSMMU',
    hostdevs: [first],
    options: ['--spare-ports', '1'],
    spoil: (xml) => xml.replace(/(<rng[\s\S]*?<address type='pci' domain='0x0000' )bus='0x\w+'/, `$1${port(xml, 1)}`),
    says: /Emulated endpoint devices are not allowed/,
    code: 'emulated-behind-vsmmu',
  },
  {
    title: 'a device behind the vSMMU without iommufd',
    hostdevs: [first],
    spoil: (xml) => xml.replace(/<driver iommufd='yes'\/>/, ''),
    says: /without an iommufd backend not allowed/,
    code: 'device-without-iommufd',
  },
  {
    title: 'a vSMMU without acceleration',
    hostdevs: [first],
    spoil: (xml) => xml.replace(" accel='on'", ''),
    says: /requires iommu MAP notifier/,
    code: 'device-behind-emulated-smmu',
  },
  {
    title: 'an emulated SMMU on pcie.0 with a host device there',
    hostdevs: [first, ...twins],
    spoil: (xml) => xml.replace('</devices>', "<iommu model='smmuv3'><driver pciBus='0'/></iommu></devices>"),
    says: /requires iommu MAP notifier/,
    code: 'device-behind-emulated-smmu',
  },
  {
    title: 'a vSMMU without a device that leaves its values to QEMU',
    hostdevs: [first],
    spoil: (xml) => xml.replace(/<hostdev[\s\S]*?<\/hostdev>/, ''),
    says: /requires at least one cold-plugged VFIO device/,
    code: 'vsmmu-values-missing',
  },
  {
    title: 'ATS that the host does not have',
    hostdevs: [first],
    spoil: value("ats='on'"),
    says: /doesn't support Address Translation Services/,
    code: 'vsmmu-value-beyond-host',
  },
  {
    title: 'PASIDs that the host does not have',
    hostdevs: [first],
    spoil: value("ssidsize='8'"),
    says: /SSIDSIZE not compatible \(host=0, QEMU=8\)/,
    // The kernel keeps it to itself (Linux 7.2).
    code: undefined,
  },
  {
    title: '48-bit addresses that the host does not have',
    hostdevs: [first],
    spoil: value("oas='48'"),
    says: /supports only 44-bit IPA/,
    code: 'vsmmu-value-beyond-host',
  },
  {
    title: 'command queues that the host does not have',
    hostdevs: [first],
    spoil: value("cmdqv='on'"),
    says: /CMDQV requested but not supported/,
    code: 'vsmmu-value-beyond-host',
  },
  {
    title: 'two devices of one IOMMU group behind a vSMMU',
    hostdevs: [first, second],
    spoil: (xml) =>
      xml
        .replace("bus='0x11' slot='0x00' function='0x0'", "bus='0x31' slot='0x00' function='0x0'")
        .replace("bus='0x12' slot='0x00' function='0x0'", "bus='0x31' slot='0x00' function='0x1'"),
    says: /Invalid argument|busy/,
    code: 'group-behind-vsmmu',
  },
  {
    title: "a device whose group's other one a driver of the host holds",
    hostdevs: [first],
    spoil: (xml) => xml.replace("bus='0x11' slot='0x00' function='0x0'", "bus='0x31' slot='0x00' function='0x0'"),
    says: /not permitted|viable/,
    code: 'group-not-viable',
  },
];

describe('what QEMU refuses at start, vsmmu check says before', () => {
  it.for(refusals)('$title', async ({ title, hostdevs, options, spoil, says, code }, { task }) => {
    const { rewritten, guest } = await place(host, { name: 'refused', hostdevs }, options);
    try {
      const spoilt = spoil(rewritten);
      const check = await vsmmu(host, ['check', '-'], spoilt);
      await define(host, spoilt);
      const start = await host.run(['virsh', '--quiet', 'start', 'refused']);
      expect(start.code, 'it does not start').not.toBe(0);
      expect(start.stderr).toMatch(says);
      if (code !== undefined) expect(check.stderr).toContain(`: ${code}: `);
      const before = code === undefined ? 'vsmmu check cannot know' : `vsmmu check says before: ${code}`;
      proves(task, `QEMU refuses ${title}; ${before}`);
    } finally {
      await guest.remove();
    }
  });
});
