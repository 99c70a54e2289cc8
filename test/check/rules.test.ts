import { describe, expect, it } from 'vitest';
import { check } from '../../src/check/check.js';
import { type Domain, parseDomain, readDomain } from '../../src/domain/domain.js';
import type { SmmuFeatures } from '../../src/generated/topology.js';
import { Host } from '../../src/host/host.js';
import {
  at,
  domainWith,
  expander,
  hostdev,
  hostWith,
  type Known,
  port,
  rng,
  smmuName,
  vsmmu,
} from '../plan/example.js';

/** Cases at the limits of the rules. `samples/broken` has one example of each error. */

const IOMMUFD = "<driver iommufd='yes'/>";

/** The messages with a code, each with its line. */
function found(code: string, domain: Domain, host?: Host): string[] {
  const all = check(domain, host).filter((each) => each.code === code);
  return all.map(({ location, message }) => `${location?.line}: ${message}`);
}

/** An expander bus with a vSMMU, and a port and a host device for each of these buses of the host. */
function behind(index: number, busNr: number, buses: readonly number[], alias = ''): string[] {
  const ports = buses.map((_, slot) => port(index + 1 + slot, at(index, slot)));
  const devices = buses.map((bus, slot) => hostdev(bus, IOMMUFD + at(index + 1 + slot)));
  return [expander(index, busNr, alias), ...ports, ...devices, vsmmu(index)];
}

function hostWithFeatures(features: SmmuFeatures, devices: Readonly<Record<number, Known>>): Host {
  const { topology } = hostWith(2, devices);
  return new Host({ ...topology, smmus: topology.smmus.map((smmu) => ({ ...smmu, features })) });
}

describe('one SMMU with several vSMMUs', () => {
  const host = hostWith(2, { 1: { smmu: 0 }, 2: { smmu: 0 }, 3: { smmu: 0 }, 4: { smmu: 1 } });
  const own = (n: number) => `ua-vsmmu-smmu-c000000-${n}`;
  const split = (...devices: string[]) => found('smmu-split', domainWith(...devices), host);

  it('is reported at the second, with the number of devices', () => {
    const message = `3 devices behind ${smmuName(0)} have 2 vSMMUs instead of one, on PCI controllers 1, 5`;
    expect(split(...behind(1, 200, [1, 2]), ...behind(5, 100, [3]))).toEqual([`14: ${message}`]);
    expect(split(...behind(1, 200, [1, 2], own(1)), ...behind(5, 100, [3]))).toEqual([`14: ${message}`]);
  });

  it('is not reported if vsmmu made them, or if only one has a device', () => {
    expect(split(...behind(1, 200, [1, 2], own(1)), ...behind(5, 100, [3], own(5)))).toEqual([]);
    expect(split(...behind(1, 200, [1, 2]), ...behind(5, 100, []))).toEqual([]);
    expect(split(...behind(1, 200, [1]), ...behind(5, 100, [4]))).toEqual([]);
  });

  it('is not reported for two vSMMUs of one bus, which is an error of its own', () => {
    const domain = domainWith(...behind(1, 200, [1]), vsmmu(1));
    expect(found('smmu-split', domain, host)).toEqual([]);
    expect(found('iommu-conflict', domain, host)).toEqual(['9: two SMMUs name the PCI controller 1']);
  });
});

describe('the SMMU that a vSMMU serves', () => {
  const host = hostWith(2, { 1: { smmu: 0 }, 2: { smmu: 1 }, 3: { smmu: 1 }, 4: { smmu: null } });
  const wrong = (...devices: string[]) => found('device-behind-other-smmu', domainWith(...devices), host);

  it('is the SMMU in its alias if a device of that SMMU is behind it, and otherwise the SMMU of most devices', () => {
    const serves = (n: number) => `and behind the vSMMU of PCI controller 1, which serves ${smmuName(n)}`;
    expect(wrong(...behind(1, 200, [1, 2, 3], 'ua-vsmmu-smmu-c000000-1'))).toEqual([
      `10: 0000:02:00.0 is behind ${smmuName(1)} on the host, ${serves(0)}`,
      `11: 0000:03:00.0 is behind ${smmuName(1)} on the host, ${serves(0)}`,
    ]);
    expect(wrong(...behind(1, 200, [1, 2, 3]))).toEqual([
      `9: 0000:01:00.0 is behind ${smmuName(0)} on the host, ${serves(1)}`,
    ]);
    expect(wrong(...behind(1, 200, [2, 3], 'ua-vsmmu-smmu-c000000-1'))).toEqual([]);
    const misnamed = behind(1, 200, [2], 'ua-vsmmu-smmu-c000000-1');
    const [message, ...more] = found('expander-bus-misnamed', domainWith(...misnamed), host);
    expect(message).toContain('ua-vsmmu-smmu-c000000-1');
    expect(message).toContain(smmuName(1));
    expect(more).toEqual([]);
  });

  it('is unknown if its devices are behind no SMMU', () => {
    expect(wrong(...behind(1, 200, [4]))).toEqual([
      '7: 0000:04:00.0 is behind no SMMU on the host, and behind the vSMMU of PCI controller 1',
    ]);
  });

  it('is not judged on a host without an SMMU', () => {
    const bare = hostWith(0, { 4: { smmu: null } });
    expect(found('device-behind-other-smmu', domainWith(...behind(1, 200, [4])), bare)).toEqual([]);
  });
});

describe('an emulated SMMU', () => {
  const MACHINE = "<iommu model='smmuv3'/>";
  const emulated = (...devices: string[]) =>
    found('device-behind-emulated-smmu', domainWith(...devices)).map((line) => line.replace(/, which .*$/, ''));
  const devices = [port(1), hostdev(1, at(1)), hostdev(2)];
  const elsewhere = [expander(2, 200), port(3, at(2)), hostdev(3, at(3))];

  it('of the machine serves every host device that no other SMMU serves', () => {
    expect(emulated(MACHINE, ...devices)).toEqual([
      "7: 0000:01:00.0 is behind the machine's SMMU",
      "8: 0000:02:00.0 is behind the machine's SMMU",
    ]);
    expect(emulated(MACHINE, ...elsewhere)).toEqual(["8: 0000:03:00.0 is behind the machine's SMMU"]);
    expect(emulated(MACHINE, ...elsewhere, vsmmu(2))).toEqual([]);
  });

  it('of the machine exists only if it is the first <iommu>, and is an SMMU', () => {
    expect(emulated("<iommu model='virtio'/>", MACHINE, ...devices)).toEqual([]);
    expect(emulated("<iommu model='intel'/>", ...devices)).toEqual([]);
  });

  it('of pcie.0 serves the devices of pcie.0, and is not an emulated one if it is accelerated', () => {
    expect(emulated(vsmmu(0, ''), ...devices.slice(0, 2))).toEqual(['7: 0000:01:00.0 is behind the SMMU of pcie.0']);
    expect(emulated(vsmmu(0), ...devices.slice(0, 2))).toEqual([]);
  });

  it('of an expander bus serves only the devices of that bus', () => {
    expect(emulated(...devices, ...elsewhere, vsmmu(2, ''))).toEqual([
      '10: 0000:03:00.0 is behind the vSMMU of PCI controller 2',
    ]);
  });
});

describe('the command queues of vSMMUs', () => {
  const buses = { 1: { smmu: 0 }, 2: { smmu: 1 } };
  const domain = domainWith(...behind(1, 200, [1]), ...behind(5, 100, [2]));
  const short = (given: Domain, host?: Host) => found('cmdqv-small-pages', given, host);

  it('are short if they are mapped into the guest and it has no huge pages', () => {
    const message = 'the command queues of 2 vSMMUs are each at most one page long, and the guest has no huge pages';
    expect(short(domain, hostWithFeatures({ cmdqv: true } as SmmuFeatures, buses))).toEqual([`8: ${message}`]);
  });

  it('are not short if they are emulated, or if the host has none', () => {
    expect(short(domain, hostWithFeatures({ cmdqv: false } as SmmuFeatures, buses))).toEqual([]);
    expect(short(domain, hostWith(2, buses))).toEqual([]);
    expect(short(domain)).toEqual([]);
    const off = domainWith(expander(1, 200), port(2, at(1)), hostdev(1, at(2)), vsmmu(1, "accel='on' cmdqv='off'"));
    expect(short(off, hostWithFeatures({ cmdqv: true } as SmmuFeatures, buses))).toEqual([]);
  });

  it('are short on an unknown host if the vSMMU has cmdqv="on"', () => {
    const on = domainWith(expander(1, 200), port(2, at(1)), hostdev(1, at(2)), vsmmu(1, "accel='on' cmdqv='on'"));
    expect(short(on)).toHaveLength(1);
  });
});

describe('the slots of a domain', () => {
  it('have function 0 without multifunction="off", if they have further functions', () => {
    const off = at(0, 3).replace('/>', " multifunction='off'/>");
    const codes = (...devices: string[]) => found('multifunction-off', domainWith(...devices));
    expect(codes(rng(off), rng(at(0, 3, 1)), rng(at(0, 3, 2)))).toEqual([
      "5: 00:03.0 has multifunction='off', and 00:03.1, 00:03.2 share its slot",
    ]);
    expect(codes(rng(off), rng(at(0, 4, 1)))).toEqual([]);
    const other = at(0, 3, 1).replace('/>', " multifunction='off'/>");
    expect(codes(rng(at(0, 3)), rng(other))).toEqual([]);
    expect(codes(rng(off))).toEqual([]);
    expect(codes(port(1, off), hostdev(1, at(0, 3, 1)))).toHaveLength(1);
  });

  it('have a function 0', () => {
    const codes = (...devices: string[]) => found('slot-without-function-zero', domainWith(...devices));
    expect(codes(rng(at(0, 3, 1)), rng(at(0, 3, 2)))).toEqual([
      '5: nothing is at 00:03.0, so the guest does not see 00:03.1, 00:03.2',
    ]);
    expect(codes(rng(at(0, 3, 1)), rng(at(0, 3)))).toEqual([]);
    expect(codes(rng(at(0, 3)), rng(at(0, 4, 1)))).toHaveLength(1);
  });

  it('of a port are only slot 0', () => {
    const codes = (...devices: string[]) => found('slot-invalid', domainWith(...devices));
    expect(codes(port(1), rng(at(1, 1)))).toHaveLength(1);
    expect(codes(port(1), rng(at(1)), rng(at(0, 7)))).toEqual([]);
    expect(codes(expander(1, 200), port(2, at(1, 3)), hostdev(1, at(2, 1)))).toHaveLength(1);
  });
});

describe('controllers', () => {
  it('have a higher index than the one that they are on', () => {
    const codes = (...devices: string[]) => found('controller-index-order', domainWith(...devices));
    expect(codes(expander(2, 200), port(1, at(2)))).toEqual([
      '6: pcie-root-port 1 is on pcie-expander-bus 2, which has a higher index',
    ]);
    expect(codes(expander(2, 200), port(3, at(2)))).toEqual([]);
    expect(codes(port(1, at(1)))).toEqual([]);
  });

  it('that are ports have one chassis each; others have none', () => {
    const codes = (...devices: string[]) => found('chassis-duplicate', domainWith(...devices));
    const bare = port(3).replace(/<target[^>]*>/, '');
    expect(codes(port(1, at(0, 1), 3), port(2, at(0, 2), 3), bare)).toEqual([
      '6: the ports 1 and 2 have the same chassis, 3',
      '7: the ports 1 and 3 have the same chassis, 3',
    ]);
    expect(codes(expander(1, 200), port(2, at(1), 1))).toEqual([]);
  });

  it('that are expander buses are on pcie.0, and only ports are on them', () => {
    const placed = (...devices: string[]) => found('expander-bus-misplaced', domainWith(...devices));
    expect(placed(port(1), expander(2, 200).replace(at(0, 2), at(1)))).toHaveLength(1);
    expect(placed(port(1), expander(2, 200).replace(at(0, 2), ''))).toEqual([]);
    const directly = (...devices: string[]) => found('device-on-expander-bus', domainWith(...devices));
    expect(directly(expander(1, 200), hostdev(1, at(1)), rng(at(1, 1)), port(2, at(1, 2)))).toEqual([
      '6: 0000:01:00.0 is directly on expander bus 1, not on one of its ports',
      '7: <rng> is directly on expander bus 1, not on one of its ports',
    ]);
    const upstream = `<controller type='pci' index='2' model='pcie-switch-upstream-port'>${at(1, 3)}</controller>`;
    expect(directly(expander(1, 200), upstream)).toEqual([
      '6: pcie-switch-upstream-port 2 is directly on expander bus 1, not on one of its ports',
    ]);
  });
});

describe('aliases', () => {
  it('that begin with ua- are unique', () => {
    const named = (alias: string, address: string) => rng(`<alias name='${alias}'/>${address}`);
    const codes = (...devices: string[]) => found('alias-duplicate', domainWith(...devices));
    expect(codes(named('ua-a', at(0, 3)), named('ua-b', at(0, 4)), named('ua-a', at(0, 5)))).toEqual([
      '7: two devices have the alias ua-a',
    ]);
    expect(codes(named('rng0', at(0, 3)), named('rng0', at(0, 4)))).toEqual([]);
  });
});

describe('the <iommu> elements', () => {
  const conflicts = (...devices: string[]) => found('iommu-conflict', domainWith(...devices));

  it('of the machine and of buses exclude each other', () => {
    expect(conflicts("<iommu model='smmuv3'/>", expander(1, 200), vsmmu(1))).toEqual([
      '5: the domain has a machine-wide SMMU and an SMMU for one bus',
    ]);
    expect(conflicts("<iommu model='smmuv3'/>", expander(1, 200), vsmmu(1), expander(2, 100), vsmmu(2))).toEqual([
      '5: the domain has a machine-wide SMMU and SMMUs for 2 buses',
    ]);
    expect(conflicts("<iommu model='smmuv3'/>")).toEqual([]);
    expect(conflicts("<iommu model='virtio'/>")).toEqual([]);
    expect(conflicts(expander(1, 200), vsmmu(1))).toEqual([]);
  });

  it('of the machine are reported as ignored if they have values, or if they are not the first', () => {
    const ignored = (...devices: string[]) => found('iommu-ignored', domainWith(...devices));
    expect(ignored("<iommu model='smmuv3'/>")).toEqual([]);
    expect(ignored("<iommu model='smmuv3'><driver accel='on'/></iommu>")).toHaveLength(1);
    expect(ignored("<iommu model='smmuv3'/>", "<iommu model='smmuv3'/>")).toHaveLength(1);
    expect(ignored(expander(1, 200), vsmmu(1))).toEqual([]);
  });
});

it('the cell of an expander bus is not judged on an unknown host', () => {
  const { document } = domainWith(...behind(1, 200, [1]));
  const cells = "<cpu><numa><cell id='0' cpus='0' memory='1'/><cell id='1' cpus='1' memory='1'/></numa></cpu>";
  const text = document.text
    .replace('<os>', `${cells}<os>`)
    .replace("busNr='200'/>", "busNr='200'><node>1</node></target>");
  expect(text).toContain('<node>');
  expect(found('numa-cell-differs', readDomain(text))).toEqual([]);
});

describe('features of the machine', () => {
  const withGic = (gic: string, ...devices: string[]) => {
    const { document } = domainWith(...devices);
    return readDomain(document.text.replace('<acpi/>', `<acpi/>${gic}`));
  };
  const accelerated = behind(1, 200, [1]);

  it('include GICv3 or newer for a vSMMU', () => {
    const codes = (gic: string, ...devices: string[]) => found('domain-without-gicv3', withGic(gic, ...devices));
    expect(codes("<gic version='2'/>", ...accelerated)).toHaveLength(1);
    expect(codes("<gic version='2'/>", port(1))).toEqual([]);
    for (const gic of ['', '<gic/>', "<gic version='3'/>", "<gic version='host'/>"]) {
      expect(codes(gic, ...accelerated)).toEqual([]);
    }
  });

  it('include acceleration for a vSMMU only', () => {
    const tcg = (...devices: string[]) =>
      found('domain-without-kvm', parseDomain(domainWith(...devices).document.text.replace("'kvm'", "'qemu'")));
    expect(tcg(...accelerated)).toHaveLength(1);
    expect(tcg(port(1), hostdev(1, at(1)))).toEqual([]);
  });
});
