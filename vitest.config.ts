import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: vitest takes its configuration from there.
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/lab/**', 'test/accel/**', 'test/packages/**'],
    globalSetup: ['test/setup.ts'],
    setupFiles: ['test/random-cases.ts'],
    pool: 'forks',
    // The files of a process share the modules that they import.
    isolate: false,
    maxWorkers: '100%',
    // The libvirt of this machine does not matter.
    env: { VSMMU_LIBVIRT_SCHEMAS: '/nowhere' },
    // Limits for what hangs, not measurements.
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
