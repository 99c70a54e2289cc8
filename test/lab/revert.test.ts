import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseDomain } from '../../src/domain/domain.js';
import { CapturedHosts, type Case, randomCases, sampleCases, titled } from './cases.js';
import { Lab } from './lab.js';
import { definedAs } from './trial.js';
import { revert, rewrite } from './vsmmu.js';

const hosts = new CapturedHosts();
const random = [...(await randomCases(hosts, 'host-a', 4)), ...(await randomCases(hosts, 'multifunction', 4))];

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(async () => {
  hosts[Symbol.dispose]();
  await lab[Symbol.asyncDispose]();
});

describe('a rewritten domain as libvirt stores and prints it', () => {
  const plain = titled([...sampleCases(), ...random, ...sampleCases().slice(0, 2).map(withMachineSmmu)]);

  it.for(plain)('is reverted to the former output of libvirt: %s', async ([, each], { task }) => {
    const original = await definedAs(lab, each.xml, !each.asCreated);
    const rewritten = await rewrite(original, each.options);
    expect(await revert(rewritten), 'without libvirt').toBe(original);
    const dump = await definedAs(lab, rewritten);
    task.meta.lab = { defined: 2 };
    expect(dump, 'our record is written as libvirt prints it').toBe(rewritten);
    expect(await revert(dump)).toBe(original);
  });

  it.for(titled(sampleCases()))(
    'is reverted to equivalent XML if the original was written differently: %s',
    async ([, each], { task }) => {
      const original = await definedAs(lab, each.xml, !each.asCreated);
      const dump = await definedAs(lab, await rewrite(reformatted(original), each.options));
      task.meta.lab = { defined: 3 };
      expect(await definedAs(lab, await revert(dump))).toBe(original);
    },
  );

  it.for(titled(sampleCases()))(
    'is reverted to a domain that libvirt does not change, if devices were added in between: %s',
    async ([, each], { task }) => {
      const original = await definedAs(lab, each.xml, !each.asCreated);
      const more = Array.from(
        { length: 12 },
        () => "<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>",
      );
      const rewritten = await rewrite(original, each.options);
      const dump = await definedAs(lab, rewritten.replace('</devices>', `${more.join('')}</devices>`));
      const reverted = await revert(dump);
      task.meta.lab = { defined: 3 };
      expect(reverted).not.toMatch(/vsmmu/);
      // If a new device has the former address of a host device, libvirt chooses a new address, on another port if necessary.
      const awaiting = parseDomain(reverted).hostDevices.filter((device) => device.awaitsAddress).length;
      const added = controllers(await definedAs(lab, reverted)).length - controllers(reverted).length;
      expect(added, 'libvirt fills no gap').toBeLessThanOrEqual(awaiting);
    },
  );

  it.for(titled(sampleCases()))(
    'is reverted to the hand-made expander buses that --relayout replaced: %s',
    async ([, each], { task }) => {
      const original = await definedAs(lab, await withHandMadeExpanderBuses(each), !each.asCreated);
      const options = [...each.options, '--relayout'];
      const relaid = await rewrite(original, options);
      expect(await revert(relaid), 'without libvirt').toBe(original);
      const dump = await definedAs(lab, relaid);
      expect(await revert(dump)).toBe(original);
      // Written differently and with fewer attributes, and with a device that gets its address from libvirt.
      const [, bus, slot, func] =
        /<source>\s*<address [^>]*bus='0x(..)' slot='0x(..)' function='0x(.)'/.exec(original) ?? [];
      const bypassing = [...options, '--bypass', `0000:${bus}:${slot}.${func}`];
      const byHand = reformatted(withoutDefaults(original));
      const foreign = await definedAs(lab, await rewrite(byHand, bypassing));
      task.meta.lab = { defined: 6 };
      expect(await definedAs(lab, await revert(foreign))).toBe(await definedAs(lab, byHand));
    },
  );

  it('is reverted to a domain that libvirt accepts, if the original had no addresses', async ({ task }) => {
    const { xml, options } = sampleCases()[0] as Case;
    const bare = xml
      .replace(/ *<address type='pci'[^>]*\/>\n/g, '')
      .replace(/ *<controller type='pci'(?:[^>]*\/>|[^>]*[^/]>[\s\S]*?<\/controller>)\n/g, '');
    const withSource = bare.replace(/<interface type='hostdev'[\s\S]*?<\/interface>\n/, '');
    const dump = await definedAs(lab, await rewrite(withSource, options));
    const reverted = await revert(dump);
    task.meta.lab = { defined: 2 };
    expect(reverted).not.toMatch(/vsmmu|iommu/);
    await definedAs(lab, reverted);
  });
});

describe('a domain that a user changed after a rewrite', () => {
  const [{ xml, options }] = sampleCases() as [Case];
  /** A virtual function next to one that the sample has. */
  const more = `<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x31' slot='0x10' function='0x4'/></source></hostdev>`;

  it('gets a second expander bus if one is full, and a single one after --relayout, and libvirt accepts both', async ({
    task,
  }) => {
    const narrow = [...options, '--bus-window', '2'];
    const joined = (await rewrite(await definedAs(lab, xml), narrow)).replace('</devices>', `${more}</devices>`);
    for (const [further, buses] of [
      [[], 3],
      [['--relayout'], 2],
    ] as const) {
      const result = await rewrite(joined, [...options, ...further]);
      const dump = await definedAs(lab, result);
      expect(controllers(dump), 'libvirt adds none').toEqual(controllers(result));
      expect(await rewrite(dump, options), 'the second run changes nothing').toBe(dump);
      expect(dump.match(/<controller type='pci' index='\d+' model='pcie-expander-bus'/g)).toHaveLength(buses);
    }
    task.meta.lab = { defined: 3 };
  });

  it('is reverted with --force to one that libvirt accepts, if the record was removed', async ({ task }) => {
    const spare = [...options, '--spare-ports', '1'];
    const dump = await definedAs(lab, await rewrite(await definedAs(lab, xml), spare));
    const foreign = dump.replace(/ *<vsmmu:placement[\s\S]*<\/vsmmu:placement>\n/, '');
    await expect(revert(foreign)).rejects.toThrow('revert-unrecorded');
    const forced = await revert(foreign, ['--force']);
    expect(forced).not.toMatch(/vsmmu|iommu|override/);
    const after = await definedAs(lab, forced);
    task.meta.lab = { defined: 3 };
    expect(controllers(after), 'libvirt adds none').toEqual(controllers(forced));
  });
});

/** A case whose domain has an emulated SMMU for the whole machine. */
function withMachineSmmu({ title, xml, options }: Case): Case {
  return {
    title: `${title}, an SMMU for the whole machine`,
    xml: xml.replace('  </devices>', "    <iommu model='smmuv3'/>\n  </devices>"),
    options: [...options, '--emulated-iommu', 'drop'],
  };
}

/** The domain of a case with hand-made expander buses, one of which has an emulated device, which QEMU refuses. */
async function withHandMadeExpanderBuses({ xml, options }: Case): Promise<string> {
  const rewritten = await rewrite(xml, [...options, '--spare-ports', '1']);
  const hasExpanderBus = rewritten
    .replace(/\s*<vsmmu:placement[\s\S]*<\/vsmmu:placement>/, '')
    .replace(/\s*<qemu:override>[\s\S]*<\/qemu:override>/, '')
    .replace(/\s*<alias name='ua-vsmmu-[^>]*>/g, '');
  const ports = [...hasExpanderBus.matchAll(/index='(\d+)' model='pcie-(root|switch-downstream)-port'/g)].map(
    ([, index]) => Number(index),
  );
  const isFree = (port: number) => !hasExpanderBus.includes(` bus='0x${port.toString(16).padStart(2, '0')}' slot`);
  const spare = ports.findLast(isFree);
  return hasExpanderBus.replace(/(<rng [\s\S]*?<address [^>]*bus=')[^']*/, `$1${spare}`);
}

/** The same domain without the attributes of ports and expander buses that libvirt adds itself. */
function withoutDefaults(xml: string): string {
  return xml
    .replace(/\s*<model name='(pxb-pcie|pcie-root-port|x3130-upstream|xio3130-downstream)'\/>/g, '')
    .replace(/( index='(\d+)' model='[a-z-]*'>)\s*<target chassis='\2' port='[^']*'\/>/g, '$1');
}

/** The PCI controllers by index and model. */
function controllers(xml: string): string[] {
  return [...xml.matchAll(/<controller type='pci' index='(\d+)' model='([^']*)'/g)]
    .map(([, index, model]) => `${index} ${model}`)
    .sort();
}

/** The same domain in a form that libvirt does not print. */
function reformatted(xml: string): string {
  return xml
    .replaceAll("'", '"')
    .replace(/ (domain|function)="0x0+"/g, '')
    .replace(/ slot="0x00"/g, ' slot="0"')
    .replace(/ bus="0x([0-9a-f]{2})"/g, (_all, digits: string) => ` bus="${Number.parseInt(digits, 16)}"`)
    .replaceAll('/>', ' />')
    .replaceAll('\n', '\r\n')
    .replaceAll('  ', '\t');
}
