import { describe, expect, it } from 'vitest';
import { validate } from '../../src/generated/profiles.validate.js';
import { DEFAULT_POLICY } from '../../src/plan/policy.js';
import { PROFILES, profileOf } from '../../src/plan/profiles.js';
import data from '../../src/plan/profiles.json' with { type: 'json' };
import { UPSTREAM } from '../../src/plan/target.js';
import { invalidValues, vsmmuValues } from '../../src/plan/vsmmu.js';
import { pciDevice } from './devices.js';

describe('the profiles of known platforms', () => {
  it('fit their schema', () => {
    expect(validate(data), JSON.stringify(validate.errors)).toBe(true);
  });

  it('have each device once', () => {
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

  it('have values that QEMU takes', () => {
    for (const { devices } of PROFILES) {
      const [vendor = '', device = ''] = devices[0]?.split(':') ?? [];
      expect(invalidValues(vsmmuValues([pciDevice({ vendor, device })], DEFAULT_POLICY, UPSTREAM))).toEqual([]);
    }
  });
});

describe('the values of a vSMMU', () => {
  const grace = pciDevice({ vendor: '0x10de', device: '0x2941' });
  const profile = { accel: 'on', ats: 'on', ril: 'off', ssidsize: '20', oas: '48' };

  it('come from the profile of a device behind it', () => {
    expect(vsmmuValues([pciDevice({}), grace], DEFAULT_POLICY, UPSTREAM)).toEqual(profile);
  });

  it('come from the policy before the profile', () => {
    expect(vsmmuValues([grace], { ...DEFAULT_POLICY, ssidsize: 8, cmdqv: 'on' }, UPSTREAM)).toEqual({
      ...profile,
      ssidsize: '8',
      cmdqv: 'on',
    });
  });

  it('come from no profile where the policy says so', () => {
    expect(vsmmuValues([grace], { ...DEFAULT_POLICY, profile: 'none' }, UPSTREAM)).toEqual({ accel: 'on' });
  });

  it.for([
    [{ ssidsize: '20', oas: '44', ats: 'on' }, []],
    [{ ssidsize: '0', oas: '48', cmdqv: 'off' }, []],
    [{ ssidsize: '21' }, ["ssidsize='21'"]],
    [{ oas: '52', ril: 'yes' }, ["ril='yes'", "oas='52'"]],
  ] as const)('of %j QEMU refuses %j', ([values, bad]) => {
    expect(invalidValues(values)).toEqual(bad);
  });
});
