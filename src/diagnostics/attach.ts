import { defineCases } from './diagnostic.js';
import { acsHint } from './groups.js';
import { type NamedFunction, nameFunctions } from './words.js';

const refused = (device: string, why: string): string => `${device} cannot be plugged in: ${why}`;

export const attachImpossible = defineCases('attach-impossible', {
  severity: 'error',
  messages: {
    /** `why` is the message of `rewrite` for a domain that it leaves unchanged. */
    notApplicable: (a: { device: string; why: string }) => refused(a.device, a.why),
    present: (a: { device: string }) => refused(a.device, 'the domain already has it'),
    bridge: (a: { device: string }) => refused(a.device, 'it is a PCI bridge and cannot be assigned'),
    bypassed: (a: { device: string }) => refused(a.device, 'it is on the bypass list of the policy'),
    directRegion: (a: { device: string; group: number; region: string }) =>
      refused(a.device, `its IOMMU group ${a.group} has a reserved region of type direct, ${a.region}`),
    groupShared: (a: {
      device: string;
      group: number;
      others: readonly NamedFunction[];
      portsWithoutAcs: readonly string[];
    }) => ({
      message: refused(a.device, `its IOMMU group ${a.group} also has ${nameFunctions(a.others)}`),
      hint: acsHint(a.portsWithoutAcs),
    }),
    withoutSmmu: (a: { device: string }) => ({
      message: refused(a.device, 'it is behind no SMMU'),
      hint: 'attach it without an address: virsh attach-device then puts it on pcie.0',
    }),
    otherMemory: (a: { device: string; needed: number; available: string }) => ({
      message: refused(a.device, `it needs ${a.needed} bytes of 32-bit memory, and an empty port has ${a.available}`),
      hint: 'add it to the domain before the guest starts',
    }),
    noVsmmu: (a: { device: string; smmu: string; spareMemory: string; values: readonly string[] }) => ({
      message: refused(a.device, `the domain has no accelerated vSMMU for ${a.smmu}`),
      hint: `rewrite the domain with --expander-buses all --spare-ports 1 --spare-memory ${a.spareMemory}, with values for ${a.values.map((name) => `--${name}`).join(' ')}, and restart it`,
    }),
    queuesFull: (a: { device: string; smmu: string; limit: number }) => ({
      message: refused(a.device, `the vSMMU of ${a.smmu} has ${a.limit} devices, as many as its command queues take`),
      hint: 'add it to the domain, rewrite it and restart it: it then gets a further vSMMU',
    }),
    noPort: (a: { device: string; smmu: string; options: string }) => ({
      message: refused(a.device, `the expander bus of ${a.smmu} has no free port`),
      hint: restartWith(a.options),
    }),
    /** `largest` is undefined if no free port reserves any memory. */
    noMemory: (a: { device: string; needed: string; largest: string | undefined; options: string }) => {
      const has =
        a.largest === undefined ? 'no free port reserves any' : `no free port reserves more than ${a.largest}`;
      return {
        message: refused(a.device, `it needs ${a.needed} of 64-bit prefetchable memory, and ${has}`),
        hint: restartWith(a.options),
      };
    },
  },
  meaning: 'a device cannot be plugged into the domain as it is; the message gives the reason',
  why: `A device can be plugged in only behind the vSMMU of its own SMMU, on a free port with room for its BARs: firmware gave
    each expander bus its memory window at boot. On a port that reserves no memory, a Linux guest would take memory from
    neighbouring devices, and those devices would stop working. QEMU accepts a device of another SMMU without an error, but
    the device does not work.`,
  remedy: `Give the expander buses spare ports before the domain starts, with memory reserved for large BARs.`,
  example: `vsmmu rewrite -i --spare-ports 2 --spare-memory 128G vm.xml
vsmmu attach vm.xml 0009:01:00.0 > device.xml`,
});

const restartWith = (options: string): string => `rewrite the domain with ${options} and restart it`;
