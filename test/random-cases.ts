import fc from 'fast-check';

/** Property tests have the same random cases in every run, so that a run can be repeated; VSMMU_SEED sets others. */
fc.configureGlobal({ seed: Number(process.env.VSMMU_SEED ?? 1) });
