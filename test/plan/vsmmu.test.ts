import { describe, expect, it } from 'vitest';
import { hasVsmmuValues } from '../../src/domain/iommu.js';
import { DEFAULT_POLICY, setsVsmmuValues } from '../../src/policy/policy.js';
import { domainWith, expander } from './example.js';

describe('the values that are checked against the features of the host', () => {
  it.each(['cmdqv', 'ats', 'ril', 'ssidsize', 'oas'] as const)('include a vSMMU with only %s', (name) => {
    const vsmmu = (values: string) => `<iommu model='smmuv3'><driver pciBus='1' accel='on'${values}/></iommu>`;
    expect(hasVsmmuValues(domainWith(expander(1, 240), vsmmu(` ${name}='on'`)))).toBe(true);
    expect(hasVsmmuValues(domainWith(expander(1, 240), vsmmu('')))).toBe(false);
  });

  it('include a policy with only one value', () => {
    expect(setsVsmmuValues(DEFAULT_POLICY)).toBe(false);
    expect(setsVsmmuValues({ ...DEFAULT_POLICY, oas: 48 })).toBe(true);
  });
});
