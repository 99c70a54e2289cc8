/** Facts about what libvirt accepts, refuses, adds and drops. */
import { pciAddresses } from '../domain.js';
import type { Lab } from '../lab.js';
import { commandLine, define, undefine, virsh } from '../trial.js';
import { all, domainXml, dumpOf, expanderBusXml, type Fact, type Parts } from './fact.js';

const hostdev = (inner = ''): string =>
  `<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0x11' slot='0' function='0'/></source>${inner}</hostdev>`;
const port = (index: number, attributes = ''): string =>
  `<controller type='pci' index='${index}' model='pcie-root-port'${attributes}/>`;
const slot = (bus: string, rest = "slot='0x00' function='0x0'"): string =>
  `<address type='pci' domain='0x0000' bus='${bus}' ${rest}/>`;
const rng = (address = ''): string =>
  `<rng model='virtio'><backend model='random'>/dev/urandom</backend>${address}</rng>`;

/** Returns `accepted`, or the message of libvirt's refusal. */
async function defines(lab: Lab, xml: string, options: readonly string[] = ['--validate']): Promise<string> {
  const { code, stderr } = await lab.virsh(['define', ...options, '/dev/stdin'], { input: xml });
  if (code !== 0) return stderr.trim().split('\n').at(-1) ?? '';
  const name = /<name>([^<]*)</.exec(xml)?.[1] ?? '';
  await lab.virsh(['undefine', '--nvram', '--domain', name]);
  return 'accepted';
}

/** The `-device` options of one driver in the command line, as `key=value` for these keys. */
async function devicesOf(lab: Lab, parts: Parts, driver: string, keys: readonly string[]): Promise<string> {
  const { options } = await commandLine(lab, domainXml(parts));
  return options
    .filter(({ value }) => value?.includes(`"driver":"${driver}"`))
    .map(({ value = '' }) => JSON.parse(value) as Record<string, unknown>)
    .map((device) => keys.map((key) => `${key}=${String(device[key])}`).join(' '))
    .join(', ');
}

const secret = "<graphics type='vnc' passwd='geheim'/>";

export const libvirtFacts: readonly Fact[] = [
  {
    title: 'the schema has accel and ssidsize, not ssidSize',
    see: async (lab) => {
      const schema = await lab.jail.output(['cat', '/usr/share/libvirt/schemas/domaincommon.rng']);
      return ['accel', 'ssidsize', 'ssidSize']
        .filter((name) => schema.includes(`<attribute name="${name}">`))
        .join(' ');
    },
    expected: 'accel ssidsize',
  },
  {
    title: 'ats without accel is refused at define',
    see: (lab) => defines(lab, domainXml({ devices: expanderBusXml(1, 250, " ats='on'") })),
    expected: /^(?!accepted)/,
  },
  {
    title: 'ssidsize and oas are not checked',
    see: (lab) => defines(lab, domainXml({ devices: expanderBusXml(1, 250, " accel='on' ssidsize='21' oas='52'") })),
    expected: 'accepted',
  },
  {
    title: 'ssidSize is refused by the schema',
    see: (lab) => defines(lab, domainXml({ devices: expanderBusXml(1, 250, " accel='on' ssidSize='20'") })),
    expected: /^(?!accepted)/,
  },
  {
    title: 'ssidSize is dropped without a message if the schema is not checked',
    see: async (lab) => {
      const xml = domainXml({ devices: expanderBusXml(1, 250, " accel='on' ssidSize='20'") });
      await virsh(lab, ['define', '/dev/stdin'], xml);
      const dump = await virsh(lab, ['dumpxml', '--inactive', 'fact']);
      await virsh(lab, ['undefine', '--nvram', 'fact']);
      return dump.includes('ssid') ? 'kept' : 'dropped';
    },
    expected: 'dropped',
  },
  {
    title: 'pciBus is a controller index; a missing controller is an error only when the command line is made',
    see: async (lab) => {
      const devices = "<iommu model='smmuv3'><driver pciBus='9'/></iommu>";
      return await commandLine(lab, domainXml({ devices })).then(
        () => 'accepted',
        (error: Error) => error.message,
      );
    },
    expected: /Could not find a suitable controller/,
  },
  {
    title: 'a machine-wide SMMU after those of buses is ignored',
    see: async (lab) => {
      const { options } = await commandLine(
        lab,
        domainXml({ devices: `${expanderBusXml(1, 250)}<iommu model='smmuv3'/>` }),
      );
      return options.find(({ name }) => name === '-machine')?.value?.includes('iommu=') ? 'in force' : 'ignored';
    },
    expected: 'ignored',
  },
  {
    title: 'SMMUs are made in the order of the document',
    see: (lab) =>
      devicesOf(lab, { devices: expanderBusXml(2, 250) + expanderBusXml(1, 240) }, 'arm-smmuv3', ['id', 'primary-bus']),
    expected: 'id=iommu0 primary-bus=pci.2, id=iommu1 primary-bus=pci.1',
  },
  {
    title: 'a missing busNr is the lowest one minus 2',
    see: async (lab) => {
      const expander = (index: number, target = ''): string =>
        `<controller type='pci' index='${index}' model='pcie-expander-bus'>${target}</controller>`;
      return all(await dumpOf(lab, { devices: expander(1, "<target busNr='200'/>") + expander(2) }), /busNr='(\d+)'/g);
    },
    expected: '200, 198',
  },
  {
    title: 'busNr is 1 to 254',
    see: async (lab) => {
      const results = await Promise.all(
        [0, 1, 254, 255].map((busNr, index) =>
          defines(lab, domainXml({ name: `bus${index}`, devices: expanderBusXml(1, busNr) })),
        ),
      );
      return results.map((result) => (result === 'accepted' ? 'yes' : 'no')).join(' ');
    },
    expected: 'no yes yes no',
  },
  {
    title: 'a root port’s target and address are filled in',
    see: async (lab) => {
      const dump = await dumpOf(lab, { devices: port(1) });
      return /index='1'[\s\S]*?<target chassis='1' port='0x8'\/>\s*(<address[^>]*>)/.exec(dump)?.[1] ?? dump;
    },
    expected: /^<address type='pci' domain='0x0000' bus='0x00' slot='0x01'/,
  },
  {
    title: 'a device without an address gets the free port with the lowest index, even below an expander bus',
    see: async (lab) => {
      const below = `<controller type='pci' index='2' model='pcie-root-port'>${slot('0x01')}</controller>`;
      const dump = await dumpOf(lab, { devices: expanderBusXml(1, 250) + below + port(3) + rng() });
      return /<rng[\s\S]*?bus='(0x\d+)'/.exec(dump)?.[1] ?? dump;
    },
    expected: '0x02',
  },
  {
    title: 'gaps in the indexes are filled with root ports: eighteen for the indexes 10 and 20',
    see: async (lab) => {
      const dump = await dumpOf(lab, { devices: port(10) + port(20) });
      return `${[...dump.matchAll(/model='pcie-root-port'/g)].length - 2} more`;
    },
    expected: '18 more',
  },
  {
    title: 'an address on a missing controller adds this controller and all before it',
    see: async (lab) => all(await dumpOf(lab, { devices: rng(slot('0x03')) }), /index='(\d+)' model='pcie-root-port'/g),
    expected: /^1, 2, 3/,
  },
  {
    title: 'numbers in addresses are read as strtoul does with base 0, and the PCI domain may be missing',
    see: async (lab) => {
      const devices = `${hostdev("<address type='pci' bus='1' slot='010' function='00'/>")}<controller type='pci' index='1' model='dmi-to-pci-bridge'/>`;
      const dump = await dumpOf(lab, { devices: devices.replace('dmi-to-pci-bridge', 'pcie-to-pci-bridge') });
      return (
        pciAddresses(dump.slice(dump.indexOf('<hostdev')))
          .at(0)
          ?.slice(3) ?? dump
      );
    },
    expected: "domain='0x0000' bus='0x01' slot='0x08' function='0x0'",
  },
  {
    title: 'a hostdev whose address is unassigned is not given to the guest',
    see: (lab) => devicesOf(lab, { devices: hostdev("<address type='unassigned'/>") }, 'vfio-pci', ['id']),
    expected: '',
  },
  {
    title: 'domxml-to-native converts a PCI hostdev without the hardware',
    see: (lab) => devicesOf(lab, { devices: hostdev() }, 'vfio-pci', ['host', 'bus']),
    expected: 'host=0000:11:00.0 bus=pci.1',
  },
  {
    title: 'domxml-to-native fails for an interface that is a host device',
    see: async (lab) => {
      const source = "<source><address type='pci' domain='0' bus='0x11' slot='0' function='0'/></source>";
      return await commandLineError(lab, `<interface type='hostdev' managed='yes'>${source}</interface>`);
    },
    expected: /argument key 'driver' must not have null value/,
  },
  {
    title: 'domxml-to-native drops the address of any other interface, which gets the lowest free port',
    see: async (lab) => {
      const card = `<interface type='user'><model type='virtio'/>${slot('0x03')}</interface>`;
      const xml = domainXml({ devices: port(1) + port(2) + port(3) + card });
      const argv = await virsh(lab, ['domxml-to-native', 'qemu-argv', '/dev/stdin'], xml);
      return /"virtio-net-pci"[^}]*"bus":"([^"]*)"/.exec(argv)?.[1] ?? argv;
    },
    expected: 'pci.1',
  },
  {
    title: 'pcihole64 becomes highmem-mmio-size',
    see: async (lab) => {
      const devices =
        "<controller type='pci' index='0' model='pcie-root'><pcihole64 unit='KiB'>1073741824</pcihole64></controller>";
      const { options } = await commandLine(lab, domainXml({ devices }));
      return (
        /highmem-mmio-size=\w+/.exec(options.find(({ name }) => name === '-machine')?.value ?? '')?.[0] ?? 'nothing'
      );
    },
    expected: /^highmem-mmio-size=1099511627776|^highmem-mmio-size=1073741824[kK]/,
  },
  {
    title:
      'metadata keeps one element per namespace, with double quotes and libvirt’s indentation, and stays the same in later dumps',
    see: async (lab) => {
      const metadata =
        "<a:x xmlns:a='urn:a' k='v'><a:e></a:e></a:x><a:y xmlns:a='urn:a'/><!-- c --><b:x xmlns:b='urn:b'> t<!-- c --><![CDATA[<]]></b:x>";
      const kept = (dump: string): string => /<metadata>([\s\S]*?)<\/metadata>/.exec(dump)?.[1] ?? '';
      const once = kept(await dumpOf(lab, { metadata }));
      const twice = kept(await dumpOf(lab, { metadata: once }));
      return `${once === twice ? 'stable' : 'not stable'}:${once.replace(/\n */g, '|')}`;
    },
    expected:
      /^stable:\|<a:x xmlns:a="urn:a" k="v">\|<a:e\/>\|<\/a:x>\|(<!-- c -->\|)?<b:x xmlns:b="urn:b"> t<!-- c --><!\[CDATA\[<\]\]><\/b:x>\|$/,
  },
  {
    title: 'passwords are only in a dump with --security-info',
    see: async (lab) => {
      const uuid = await define(lab, domainXml({ devices: secret }));
      const dumps = await Promise.all(
        [[], ['--security-info']].map((each) => virsh(lab, ['dumpxml', '--inactive', ...each, uuid])),
      );
      await undefine(lab, uuid);
      return dumps.map((dump) => (dump.includes('geheim') ? 'there' : 'not there')).join(', ');
    },
    expected: 'not there, there',
  },
  {
    title: 'a domain may be called install, --help, -, 12 or $(id)',
    see: async (lab) => {
      const names = ['install', '--help', '-', '12', '$(id)'];
      const results: string[] = [];
      for (const name of names) results.push(await defines(lab, domainXml({ name })));
      return [...new Set(results)].join(', ');
    },
    expected: 'accepted',
  },
];

/** The error of libvirt when it makes a command line for a device. */
async function commandLineError(lab: Lab, device: string): Promise<string> {
  const { code, stderr } = await lab.virsh(['domxml-to-native', 'qemu-argv', '/dev/stdin'], {
    input: domainXml({ devices: device }),
  });
  return code === 0 ? 'it is made' : stderr.trim();
}
