import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sampleCases } from './cases.js';
import { withEmulatedDevices } from './domain.js';
import { Lab } from './lab.js';
import { define, definedAs, undefine, virsh } from './trial.js';
import { attach, rewrite } from './vsmmu.js';

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(() => lab[Symbol.asyncDispose]());

const [ml] = sampleCases();
if (!ml) throw new Error('there is no sample');

/** A virtual function of host-a that the sample domain lacks; the domain has an expander bus for its SMMU. */
const NEW = '0000:31:10.4';
const spare = ['--spare-ports', '2', '--spare-memory', '128G'];

describe('spare ports that reserve memory', () => {
  it('are accepted by libvirt unchanged, and reach QEMU', async ({ task }) => {
    const dump = await definedAs(lab, await rewrite(await definedAs(lab, ml.xml), [...ml.options, ...spare]));
    expect(await rewrite(dump, [...ml.options, ...spare]), 'the second run changes nothing').toBe(dump);
    const ports = [...dump.matchAll(/<qemu:device alias='(ua-vsmmu-port-\d+)'>/g)].map(([, alias]) => alias);
    expect(ports).toHaveLength(4);
    const argv = await virsh(lab, ['domxml-to-native', 'qemu-argv', '/dev/stdin'], withEmulatedDevices(dump));
    for (const alias of ports) {
      expect(argv).toMatch(
        new RegExp(`"driver":"pcie-root-port"[^}]*"id":"${alias}"[^}]*"pref64-reserve":${2 ** 37}}`),
      );
    }
    task.meta.lab = { defined: 1, compared: 1 };
  });
});

describe('a device to be plugged in', () => {
  it('is accepted by virsh attach-device and detach-device for the next start, at the address from vsmmu attach', async ({
    task,
  }) => {
    const uuid = await define(lab, await rewrite(await definedAs(lab, ml.xml), [...ml.options, ...spare]));
    const before = await virsh(lab, ['dumpxml', '--inactive', uuid]);
    const device = await attach(before, NEW, ml.options);
    await virsh(lab, ['attach-device', uuid, '/dev/stdin', '--config'], device);
    const after = await virsh(lab, ['dumpxml', '--inactive', uuid]);
    const [address] = /<address type='pci'[^>]*>/.exec(device) ?? [];
    expect(before).not.toContain(address);
    expect(after).toContain(address);
    expect(await rewrite(after, [...ml.options, '--spare-ports', '1', '--spare-memory', '128G'])).toBe(after);

    await virsh(lab, ['detach-device', uuid, '/dev/stdin', '--config'], device);
    expect(await virsh(lab, ['dumpxml', '--inactive', uuid])).toBe(before);
    await undefine(lab, uuid);
    task.meta.lab = { defined: 1 };
  });

  it('has a free port in the running guest: an emulated device at its address is attached and detached', async ({
    task,
  }) => {
    const rewritten = await definedAs(lab, await rewrite(await definedAs(lab, ml.xml), [...ml.options, ...spare]));
    const [address] = /<address type='pci'[^>]*>/.exec(await attach(rewritten, NEW, ml.options)) ?? [];
    const uuid = await define(lab, withEmulatedDevices(rewritten));
    await virsh(lab, ['start', '--paused', uuid]);
    const mac = '52:54:00:00:00:99';
    const device = `<interface type='user'><mac address='${mac}'/><model type='e1000e'/>${address}</interface>`;
    await virsh(lab, ['attach-device', uuid, '/dev/stdin', '--live'], device);
    const dump = await virsh(lab, ['dumpxml', uuid]);
    expect(dump.slice(dump.indexOf(mac))).toContain(address);
    await virsh(lab, ['detach-device', uuid, '/dev/stdin', '--live'], device);
    await virsh(lab, ['destroy', uuid]);
    await undefine(lab, uuid);
    task.meta.lab = { defined: 1 };
  });
});

it('does not leave its port to a disk when it is detached: the disk gets a port of pcie.0', async ({ task }) => {
  const original = await definedAs(lab, ml.xml);
  const uuid = await define(lab, await rewrite(original, ml.options));
  const before = await virsh(lab, ['dumpxml', '--inactive', uuid]);
  const [device = ''] = /<hostdev(?:(?!<\/hostdev>)[\s\S])*bus='0x91'[\s\S]*?<\/hostdev>/.exec(before) ?? [];
  await virsh(lab, ['detach-device', uuid, '/dev/stdin', '--config'], device);
  await virsh(lab, ['attach-disk', uuid, '/tmp/guarded.img', 'vdy', '--targetbus', 'virtio', '--config']);
  const after = await virsh(lab, ['dumpxml', '--inactive', uuid]);
  const [, bus] = /<target dev='vdy'[\s\S]*?<address type='pci' domain='0x0000' bus='(0x\w+)'/.exec(after) ?? [];
  expect(bus).toBeDefined();
  expect(after).not.toMatch(new RegExp(`index='${Number(bus)}'(?:(?!</controller>)[\\s\\S])*ua-vsmmu-port`));
  await undefine(lab, uuid);
  task.meta.lab = { defined: 1 };
});
