import { describe, expect, it } from 'vitest';
import { check } from '../../src/check/check.js';
import { newDiagnostics, resultDiagnostics } from '../../src/check/result.js';
import { plan } from '../../src/plan/plan.js';
import { DEFAULT_POLICY } from '../../src/policy/policy.js';
import { at, domainWith, expander, hostdev, hostWith, port, rng, vsmmu } from '../plan/example.js';

const HOST = hostWith(1, { 1: { smmu: 0 } });
const HIDDEN = rng("<address type='pci' domain='0x0000' bus='0x01' slot='0x00' function='0x1'/>");
const said = (found: ReturnType<typeof resultDiagnostics>) => found.map(({ severity, code }) => `${severity} ${code}`);

describe('an error that a check finds in the result of a conversion', () => {
  it('is a warning if the input had it already, at its location in the input', () => {
    const before = domainWith(port(1), hostdev(1), HIDDEN);
    const after = domainWith(port(1), port(2, at(0, 2)), hostdev(1, at(2)), HIDDEN);
    const found = resultDiagnostics(before, after, HOST);
    expect(said(found)).toEqual(['warning slot-without-function-zero']);
    expect(found[0]?.location).toEqual(check(before, HOST)[0]?.location);
  });

  it('is an error without a location if only the result has it', () => {
    const before = domainWith(hostdev(1));
    const after = domainWith(expander(1, 250), port(2, at(1)), hostdev(1, at(2)), vsmmu(1));
    const found = resultDiagnostics(before, after, HOST);
    expect(said(found)).toEqual(['error device-without-iommufd']);
    expect(found[0]?.location).toBeUndefined();
  });

  it('is left out if the plan reports it', () => {
    const host = hostWith(1, { 1: { smmu: null, group: null } });
    const domain = domainWith(hostdev(1));
    const { diagnostics } = plan(domain, host, DEFAULT_POLICY);
    expect(diagnostics.map(({ code, severity }) => `${severity} ${code}`)).toEqual(['warning device-without-group']);
    expect(resultDiagnostics(domain, domain, host, {}, diagnostics)).toEqual([]);
    expect(check(domain, host).map(({ code, severity }) => `${severity} ${code}`)).toEqual([
      'error device-without-group',
    ]);
  });
});

describe('the diagnostics of an edited domain', () => {
  it('are its new errors, and all its warnings and notes', () => {
    const accelerated = [expander(1, 250), port(2, at(1)), port(3, at(1, 1)), port(4, at(1, 2)), vsmmu(1)];
    const host = hostWith(1, { 1: { smmu: 0 }, 2: { smmu: 0 } });
    const before = domainWith(...accelerated, hostdev(1, at(2)));
    const after = domainWith(...accelerated, hostdev(1, at(2)), hostdev(2, at(3)));
    expect(said([...check(before, host)])).toEqual(['warning spare-port-unguarded', 'error device-without-iommufd']);
    const found = newDiagnostics(before, after, host);
    expect(said(found)).toEqual(['warning spare-port-unguarded', 'error device-without-iommufd']);
    expect(found[1]?.message).toContain('0000:02:00.0');
  });
});
