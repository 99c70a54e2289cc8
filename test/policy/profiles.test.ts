import { describe, expect, it } from 'vitest';
import { UPSTREAM } from '../../src/domain/target.js';
import { invalidValues } from '../../src/domain/vsmmu-attributes.js';
import { validate } from '../../src/generated/profiles.validate.js';
import { planVsmmu, type ValueRequest, type VsmmuPlan } from '../../src/plan/vsmmu.js';
import { DEFAULT_POLICY, type Policy } from '../../src/policy/policy.js';
import { PROFILES, profileOf } from '../../src/policy/profiles.js';
import data from '../../src/policy/profiles.json' with { type: 'json' };
import { pciDevice } from '../plan/devices.js';

/** The values of a vSMMU with these devices, for today's upstream libvirt and QEMU. */
function valuesFor(
  devices: ValueRequest['devices'],
  policy: Partial<Policy> = {},
  features?: ValueRequest['features'],
): VsmmuPlan['values'] {
  const request = { smmu: 'smmu3.0x1', devices, hasDevices: true, target: UPSTREAM, features };
  return planVsmmu({ ...request, policy: { ...DEFAULT_POLICY, ...policy } }).values;
}

describe('the profiles of known platforms', () => {
  it('conform to their schema', () => {
    expect(validate(data), JSON.stringify(validate.errors)).toBe(true);
  });

  it('contain each device once', () => {
    const devices = PROFILES.flatMap((profile) => profile.devices);
    expect(new Set(devices).size).toBe(devices.length);
  });

  it.for([
    ['0x2342', 'grace'],
    ['0x2345', 'grace'],
    ['0x2348', 'grace'],
    ['0x2941', 'grace'],
    ['0x31c2', 'grace-gb300'],
    ['0x20b5', undefined],
  ])('an NVIDIA device %s has the profile %s', ([device, name]) => {
    expect(profileOf(pciDevice({ vendor: '0x10de', device: device ?? '' }))?.name).toBe(name);
  });

  it('have values that QEMU accepts', () => {
    for (const { devices } of PROFILES) {
      const [vendor = '', device = ''] = devices[0]?.split(':') ?? [];
      expect(invalidValues(valuesFor([pciDevice({ vendor, device })]))).toEqual([]);
    }
  });
});

describe('the values of a vSMMU', () => {
  const grace = pciDevice({ vendor: '0x10de', device: '0x2941' });
  const profile = { accel: 'on', ats: 'on', ril: 'off', ssidsize: '20', oas: '48' };

  it('come from the profile of a device behind it', () => {
    expect(valuesFor([pciDevice({}), grace])).toEqual(profile);
  });

  it('come from the policy rather than the profile', () => {
    expect(valuesFor([grace], { ssidsize: 8, cmdqv: 'on' })).toEqual({
      ...profile,
      ssidsize: '8',
      cmdqv: 'on',
    });
  });

  it('come from no profile if the policy has profile: "none"', () => {
    expect(valuesFor([grace], { profile: 'none' })).toEqual({ accel: 'on' });
  });

  it('leave out features of a profile that the host is known to lack, but not features that the policy names', () => {
    const features = { ats: false, oas: 44, ssidsize: 20 };
    expect(valuesFor([grace], {}, features)).toEqual({ accel: 'on', ril: 'off', ssidsize: '20' });
    expect(valuesFor([grace], { ats: 'on' }, features)).toEqual({ accel: 'on', ats: 'on', ril: 'off', ssidsize: '20' });
  });
});
