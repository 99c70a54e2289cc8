import { expect, it } from 'vitest';
import { nicName } from '../../src/guest/nic-names.js';
import { predictGuest } from '../../src/guest/predict.js';
import { at, domainWith, expander, hostdev, hostWith, port } from '../plan/example.js';

const host = hostWith(1, { 49: { smmu: 0 }, 145: { smmu: 0 } });

/** Returns the name that udev gives the host's NIC 0000:31:00.0 in a guest. */
function nameIn(devices: readonly string[], classCode = '0x020000'): string | undefined {
  const [nic] = host.endpoints;
  return nic && nicName({ ...nic, class: classCode }, predictGuest(domainWith(...devices)));
}

const root = "<controller type='pci' index='0' model='pcie-root'/>";

it.each<[title: string, devices: string[], classCode: string | undefined, name: string | undefined]>([
  ['with decimal numbers', [root, expander(1, 249), port(2, at(1), 2), hostdev(0x31, at(2))], undefined, 'enp250s0'],
  ['with its slot', [root, hostdev(0x31, at(0, 17))], undefined, 'enp0s17'],
  [
    'with its function if the slot has several',
    [root, hostdev(0x31, at(0, 3)), hostdev(0x91, at(0, 3, 1))],
    undefined,
    'enp0s3f0',
  ],
  ['as InfiniBand', [root, hostdev(0x31, at(0, 3))], '0x020700', 'ibp0s3'],
  ['not at all if it is not a NIC', [root, hostdev(0x31, at(0, 3))], '0x010802', undefined],
  ['not at all if the guest does not have it', [root], undefined, undefined],
])('predicts the name of a NIC %s', (_, devices, classCode, name) => {
  expect(nameIn(devices, classCode)).toBe(name);
});
