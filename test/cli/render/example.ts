import { parseDomain } from '../../../src/domain/domain.js';
import { rewrite } from '../../../src/edit/rewrite.js';
import { predictGuest } from '../../../src/guest/predict.js';
import { plan } from '../../../src/plan/plan.js';
import { DEFAULT_POLICY } from '../../../src/policy/policy.js';
import { at, domainWith, hostdev, hostWith, port, rng } from '../../plan/example.js';

/** A domain, its plan and its host, for tests of what is shown. */
const ROOT = "<controller type='pci' index='0' model='pcie-root'/>";
export const host = hostWith(2, { 1: { smmu: 0 }, 2: { smmu: 1 }, 3: { smmu: 1 } });
export const domain = domainWith(ROOT, port(1), port(2), rng(at(1)), hostdev(1, at(2)), hostdev(2), hostdev(3));
export const { plan: planned } = plan(domain, host, { ...DEFAULT_POLICY, profile: 'none' });
export const view = {
  name: 'vm',
  host,
  before: predictGuest(domain),
  after: predictGuest(parseDomain(rewrite(domain, planned))),
};
