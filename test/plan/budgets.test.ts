import { describe, expect, it } from 'vitest';
import type { Policy } from '../../src/policy/policy.js';
import { type DeviceSpec, domainXml, hostdev, hostOf, refusals } from './build.js';

const VALUES: Partial<Policy> = { ats: 'off', ril: 'on', ssidsize: 0, oas: 44, cmdqv: 'off' };

/** `count` devices, each in its own slot of the host, distributed over the SMMUs in turn. */
function devices(count: number, smmus: number): DeviceSpec[] {
  return Array.from({ length: count }, (_, n) => ({
    bdf: `0000:${(1 + n).toString(16).padStart(2, '0')}:00.0`,
    smmu: n % smmus,
  }));
}

function refused(smmus: number, specs: readonly DeviceSpec[], policy: Partial<Policy>, before = '') {
  const xml = domainXml(before + specs.map(({ bdf }) => hostdev(bdf)).join(''));
  return refusals(xml, hostOf(smmus, specs), policy);
}

const rootPorts = (count: number, first = 1): string =>
  Array.from({ length: count }, (_, n) => {
    const [slot, func] = [1 + (n >> 3), n & 7];
    return `    <controller type='pci' index='${first + n}' model='pcie-root-port'><address type='pci' bus='0' slot='${slot}' function='${func}'/></controller>\n`;
  }).join('');

describe('the message about an exhausted resource lists the total, the consumers and what would help, for', () => {
  it('bus numbers used by spare ports: the largest number of spare ports that fits', () => {
    const found = refused(8, devices(8, 8), { sparePorts: 31 });
    expect(found.find(({ code }) => code === 'bus-numbers-exhausted')).toMatchObject({
      code: 'bus-numbers-exhausted',
      message: expect.stringMatching(
        /^269 of 256 PCI bus numbers are needed: 1 pcie\.0 itself, 4 in reserve, 33 the expander bus/,
      ),
      hint: '--spare-ports 29 saves 16, which is enough',
    });
  });

  it('bus numbers used by wide windows: the widest window that fits', () => {
    const [only] = refused(4, devices(4, 4), { busWindow: 70 });
    expect(only).toMatchObject({ code: 'bus-numbers-exhausted', hint: '--bus-window 62 saves 32, which is enough' });
  });

  it('bus numbers used by one expander bus per device: how many one expander bus per SMMU saves, enough or not', () => {
    const hints = refused(4, devices(126, 4), { grouping: 'device' }).map(({ code, hint }) => [code, hint]);
    expect(hints).toContainEqual(['bus-numbers-exhausted', '--grouping smmu saves 122, which is enough']);
    expect(hints).toContainEqual(['slots-exhausted', '--grouping smmu saves 122, which is enough']);
    expect(hints).toContainEqual(['vsmmus-exhausted', '--grouping smmu saves 122, which is enough']);
  });

  it('bus numbers used by functions of one host device: how many a shared guest slot saves', () => {
    const specs = devices(16, 16).flatMap(({ bdf, smmu = 0 }) =>
      Array.from({ length: 8 }, (_, f) => ({ bdf: bdf.replace(/0$/, String(f)), smmu })),
    );
    const [only] = refused(16, specs, {}, rootPorts(120));
    expect(only).toMatchObject({
      code: 'bus-numbers-exhausted',
      hint: expect.stringMatching(/^one guest slot per host slot \(0000:01:00\.\*, .*\) saves 112, which is enough$/),
    });
  });

  it('controller indexes, if the domain has a controller with a high index', () => {
    const controller = rootPorts(1, 250);
    const found = refused(3, devices(3, 3), { sparePorts: 1 }, controller).find(({ code }) => code.includes('index'));
    expect(found).toMatchObject({
      code: 'controller-indexes-exhausted',
      message:
        '259 of 255 PCI controller indexes are needed: 250 up to the highest in use, 3 new expander buses, 6 new ports on expander buses',
      hint: '--spare-ports 0 saves 3',
    });
  });

  it('slots of pcie.0', () => {
    const endpoints = Array.from(
      { length: 29 },
      (_, n) => `    <rng model='virtio'><address type='pci' bus='0' slot='${n + 1}'/></rng>\n`,
    ).join('');
    expect(refused(3, devices(3, 3), {}, endpoints)).toMatchObject([
      {
        code: 'slots-exhausted',
        message: '32 of 31 slots of pcie.0 are needed: 29 in use, 3 new expander buses',
        hint: 'put devices on the --bypass list, or remove some from the domain',
      },
    ]);
  });

  it('vSMMUs', () => {
    expect(refused(17, devices(2, 17), { expanderBuses: 'all', ...VALUES })).toMatchObject([
      {
        code: 'vsmmus-exhausted',
        message: '17 of 16 vSMMUs are needed: 17 for expander buses',
        hint: '--expander-buses used saves 15, which is enough',
      },
    ]);
  });

  it('controller indexes used by functions: only the host slots for which a shared guest slot would save indexes', () => {
    const pairs = devices(2, 2).flatMap(({ bdf, smmu = 0 }) => [
      { bdf, smmu },
      { bdf: bdf.replace(/0$/, '1'), smmu },
    ]);
    const alone = { bdf: '0000:09:00.0', smmu: 0 };
    const found = refused(2, [...pairs, alone], {}, rootPorts(1, 249)).find(({ code }) => code.includes('index'));
    expect(found?.message).toContain('256 of 255 PCI controller indexes are needed');
    expect(found?.hint).toMatch(/^one guest slot per host slot \(0000:01:00\.\*, 0000:02:00\.\*\) saves 2/);
  });

  it('no resource, if every resource suffices', () => {
    expect(refused(16, devices(40, 16), { sparePorts: 1 })).toEqual([]);
  });
});
