/** Defines 300 domains of all kinds that operators have on a lab's libvirtd, for the host of `Tool`. */
import { parseUuid } from '../../src/libvirt/connection.js';
import { domainXml } from './facts/fact.js';
import type { Lab } from './lab.js';
import type { RemoteConnection } from './tool.js';
import { virsh } from './trial.js';

/** The expected result of a batch for the domains of a fleet. */
export interface Fleet {
  /** Names of domains that are converted, including 30 of the kinds below. */
  readonly convertible: readonly string[];
  readonly running: readonly string[];
  readonly withPassword: readonly string[];
  readonly awkward: readonly string[];
  readonly notOurs: readonly string[];
  readonly misplaced: readonly string[];
}

/** Devices of the captured host that can be behind a vSMMU: each alone in its group. */
const DEVICES = ['12:00.0', '31:10.0', '31:10.2', '31:10.4', '91:00.0', '92:00.0'];

/** Names that libvirt accepts and that are dangerous for a shell, a file system or an option parser. */
const AWKWARD = [
  '12',
  '--help',
  '-',
  'install',
  '$(id)',
  "it's; quit",
  'say "hi"',
  ' two  spaces ',
  'Müller & Söhne',
  '%s \\x',
];

export const PASSWORD = 's3cret';

/** Defines the 300 domains of the fleet; ten of them are running, paused. */
export async function defineFleet(lab: Lab, libvirt: RemoteConnection): Promise<Fleet> {
  const define = async (name: string, devices: string): Promise<string> => {
    const answer = await libvirt.call('define', domainXml({ name, devices }), { validate: false });
    if (answer !== null) throw new Error(JSON.stringify(answer));
    return name;
  };
  const hostdevs = (count: number, from: number): string =>
    Array.from({ length: count }, (_, i) => hostdev(DEVICES[(from + i) % DEVICES.length] ?? '')).join('');

  const ordinary = names(210, 'vm');
  for (const [i, name] of ordinary.entries()) await define(name, hostdevs(1 + (i % 4), i));
  for (const [i, name] of AWKWARD.entries()) await define(name, hostdevs(2, i));
  const withPassword = names(10, 'secret');
  for (const name of withPassword) await define(name, `<graphics type='vnc' passwd='${PASSWORD}'/>${hostdevs(1, 3)}`);
  const running = names(10, 'running');
  for (const name of running) {
    // A domain with a host device does not start here: it gets the device for its next start while it runs.
    await define(name, '');
    const { uuid } = (await libvirt.call('find', name)) as { uuid: string };
    await virsh(lab, ['start', '--paused', uuid]);
    const next = (await virsh(lab, ['dumpxml', '--inactive', uuid])).replace(
      '</devices>',
      `${hostdevs(1, 5)}</devices>`,
    );
    await libvirt.call('define', next, { validate: false });
  }
  const plain = names(20, 'plain');
  for (const name of plain) await define(name, '');
  const foreign = names(20, 'armv7');
  for (const name of foreign) {
    await libvirt.call('define', foreignXml(name), { validate: false });
  }
  const misplaced = names(20, 'elsewhere');
  for (const name of misplaced) await define(name, hostdev('77:00.0'));
  return {
    convertible: [...ordinary, ...AWKWARD, ...withPassword, ...running],
    running,
    withPassword,
    awkward: AWKWARD,
    notOurs: [...plain, ...foreign],
    misplaced,
  };
}

/** Every domain's XML for its next start by its name, as `dumpxml --inactive --security-info` prints it. */
export async function dumpAll(libvirt: RemoteConnection): Promise<Map<string, string>> {
  const dumps = new Map<string, string>();
  for (const { uuid, name } of (await libvirt.call('list')) as { uuid: string; name: string }[]) {
    const xml = await libvirt.call('dumpXml', parseUuid(uuid), { inactive: true, security: true });
    dumps.set(name, String(xml));
  }
  return dumps;
}

function names(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${String(i + 1).padStart(3, '0')}`);
}

export function hostdev(address: string): string {
  const [bus = '', slot = '', fn = ''] = address.split(/[:.]/);
  const source = `<address domain='0x0000' bus='0x${bus}' slot='0x${slot}' function='0x${fn}'/>`;
  return `<hostdev mode='subsystem' type='pci' managed='yes'><source>${source}</source></hostdev>`;
}

function foreignXml(name: string): string {
  return `<domain type='qemu'><name>${name}</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type arch='armv7l' machine='virt'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-aarch64</emulator><controller type='usb' model='none'/></devices></domain>`;
}
