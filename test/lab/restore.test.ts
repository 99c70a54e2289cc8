import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CapturedHosts, randomCases, sampleCases, titled } from './cases.js';
import { pciAddresses, withEmulatedDevices } from './domain.js';
import { Lab } from './lab.js';
import { define, tryDomain, undefine, virsh } from './trial.js';

const hosts = new CapturedHosts();
const random = await Promise.all(['host-a', 'sixteen-smmus'].map((host) => randomCases(hosts, host, 2)));

let lab: Lab;
beforeAll(async () => {
  lab = await Lab.start();
});
afterAll(async () => {
  hosts[Symbol.dispose]();
  await lab[Symbol.asyncDispose]();
});

const image = '/var/lib/libvirt/qemu/saved';

describe('a rewritten domain keeps its addresses', () => {
  it.for(titled([...sampleCases().slice(0, 1), ...random.flat()]))(
    'through start, save and restore: %s',
    async ([, each], { task }) => {
      const { dump } = await tryDomain(lab, each);
      const uuid = await define(lab, withEmulatedDevices(dump));
      const addresses = pciAddresses(await virsh(lab, ['dumpxml', '--inactive', uuid]));

      await virsh(lab, ['start', '--paused', uuid]);
      expect(pciAddresses(await virsh(lab, ['dumpxml', uuid])), 'started').toEqual(addresses);
      await virsh(lab, ['save', uuid, image]);
      await virsh(lab, ['restore', '--paused', image]);
      expect(pciAddresses(await virsh(lab, ['dumpxml', uuid])), 'restored').toEqual(addresses);
      await virsh(lab, ['destroy', uuid]);
      expect(pciAddresses(await virsh(lab, ['dumpxml', '--inactive', uuid])), 'destroyed').toEqual(addresses);
      await undefine(lab, uuid);
      task.meta.lab = { defined: 1, restored: 1 };
    },
  );
});
