import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../src/plan/policy.js';
import { hasValues, namesValues } from '../../src/plan/vsmmu.js';
import { domainWith, expander } from './example.js';

describe('what is held against what the host has', () => {
  it.each(['cmdqv', 'ats', 'ril', 'ssidsize', 'oas'] as const)('is a vSMMU with %s alone', (name) => {
    const vsmmu = (values: string) => `<iommu model='smmuv3'><driver pciBus='1' accel='on'${values}/></iommu>`;
    expect(hasValues(domainWith(expander(1, 240), vsmmu(` ${name}='on'`)))).toBe(true);
    expect(hasValues(domainWith(expander(1, 240), vsmmu('')))).toBe(false);
  });

  it('is a policy with one value alone', () => {
    expect(namesValues(DEFAULT_POLICY)).toBe(false);
    expect(namesValues({ ...DEFAULT_POLICY, oas: 48 })).toBe(true);
  });
});
