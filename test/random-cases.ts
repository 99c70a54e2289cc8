import fc from 'fast-check';

/** The random cases of property tests are the same in every run, so that a run can be repeated; VSMMU_SEED makes others. */
fc.configureGlobal({ seed: Number(process.env.VSMMU_SEED ?? 1) });
