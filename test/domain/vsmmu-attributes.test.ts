import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  CHOSEN_ATTRIBUTES,
  infoOf,
  invalidValues,
  spellingsOf,
  VSMMU_ATTRIBUTES,
  VSMMU_DIALECTS,
  valuesBeyondHost,
} from '../../src/domain/vsmmu-attributes.js';

describe('the values of a vSMMU', () => {
  it.for([
    [{ ssidsize: '20', oas: '44', ats: 'on' }, []],
    [{ ssidsize: '0', oas: '48', cmdqv: 'off' }, []],
    [{ ssidsize: '21' }, ["ssidsize='21'"]],
    [{ oas: '52', ril: 'yes' }, ["ril='yes'", "oas='52'"]],
  ] as const)('%j: QEMU refuses %j', ([values, bad]) => {
    expect(invalidValues(values)).toEqual(bad);
  });

  it.for([
    [{ ats: 'on', oas: '48', ssidsize: '20' }, undefined, []],
    [{ ats: 'on', oas: '48' }, { oas: 52 }, []],
    [{ ats: 'off', oas: '44' }, { ats: false, oas: 44 }, []],
    [{ ats: 'on' }, { ats: false }, ['no ATS']],
    [
      { ril: 'on', cmdqv: 'on' },
      { ril: false, cmdqv: false },
      ['no command queues for guests', 'no range invalidation'],
    ],
    [{ ssidsize: '8', oas: '48' }, { ssidsize: 0, oas: 44 }, ['0 bits', '44 bits']],
    [{ accel: 'on' }, { nesting: false }, ['no nested translation']],
  ] as const)('%j on a host with %j exceed the host: %j', ([values, features, host]) => {
    expect(valuesBeyondHost(values, features).map((beyond) => beyond.host)).toEqual(host);
  });
});

describe('the schemas have every attribute of the table', () => {
  const schema = (name: string) =>
    JSON.parse(readFileSync(new URL(`../../schemas/${name}.schema.json`, import.meta.url), 'utf8'));
  const keys = (properties: object) => Object.keys(properties);

  it('in the plan, with the dialects', () => {
    const { properties, definitions } = schema('plan');
    expect(keys(definitions.VsmmuValues.properties)).toEqual(VSMMU_ATTRIBUTES);
    expect(properties.dialect.enum).toEqual(VSMMU_DIALECTS);
  });

  it('in the policy and the profiles, the attributes that they can set', () => {
    expect(keys(schema('policy').properties)).toEqual(expect.arrayContaining([...CHOSEN_ATTRIBUTES]));
    const profile = schema('profiles').definitions.Profile;
    expect(keys(profile.properties.values.properties)).toEqual(CHOSEN_ATTRIBUTES);
  });

  it('in the topology, by the features of the host', () => {
    const features = VSMMU_ATTRIBUTES.map((name) => infoOf(name).host.feature);
    expect(keys(schema('topology').definitions.SmmuFeatures.properties)).toEqual(features);
  });

  it('in the record, under every name', () => {
    expect(JSON.stringify(schema('metadata'))).toContain(
      VSMMU_ATTRIBUTES.flatMap(spellingsOf)
        .map((name) => `"${name}":{"$ref":"#/definitions/Value"}`)
        .join(','),
    );
  });
});
