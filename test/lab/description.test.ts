import { describe, expect, it } from 'vitest';
import { parseDescription } from './description.js';
import { hostMachine } from './host-machine.js';
import { LabError } from './process.js';

const described = (host: object): string => JSON.stringify({ about: 'a host', complexes: [], ...host });

describe('a described host', () => {
  it.each([
    ['{', /h\.json: /],
    [
      described({ complexes: [{ bus: '1', smmu: true, devices: [] }] }),
      /complexes\[0\]: its bus is not two hexadecimal digits/,
    ],
    [
      described({ complexes: [{ bus: '10', smmu: true, devices: [{ kind: 'gpu' }] }] }),
      /devices\[0\]: its kind is not one of nvme/,
    ],
    [described({ complexes: [{ bus: '10', smmu: true, devices: [], nodes: 1 }] }), /complexes\[0\]: unknown key nodes/],
    [described({ integrated: [{ kind: 'switch', below: {} }] }), /integrated\[0\]\.below is not a list/],
  ])('%s is refused with one line', (text, message) => {
    expect(() => parseDescription(text, 'h.json')).toThrow(LabError);
    expect(() => parseDescription(text, 'h.json')).toThrow(message);
  });

  it('becomes a machine with a slot number per port, and commands that use these numbers', () => {
    const devices = [
      { kind: 'nic', functions: 2, vfio: true },
      { kind: 'sriov-nic', vfs: 3 },
    ];
    const host = parseDescription(described({ complexes: [{ bus: '30', smmu: true, node: 0, devices }] }), 'h.json');
    const { arguments: argv, orders } = hostMachine(host);
    expect(argv.filter((each) => /pxb|smmu|root-port|e1000e|igb/.test(each))).toEqual([
      'pxb-pcie,id=complex0,bus=pcie.0,bus_nr=48,numa_node=0',
      'arm-smmuv3,primary-bus=complex0,id=smmu0',
      'pcie-root-port,id=port1,bus=complex0,chassis=1,slot=1',
      'e1000e,romfile=,id=device0,bus=port1,addr=0.1',
      'e1000e,romfile=,id=device1,bus=port1,addr=0.0,multifunction=on',
      'pcie-root-port,id=port2,bus=complex0,chassis=2,slot=2',
      'igb,romfile=,id=device2,bus=port2,addr=0.0',
    ]);
    expect(orders).toEqual(['vfio 1 0', 'vfio 1 1', 'vfs 2 3']);
  });
});
