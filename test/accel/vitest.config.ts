import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: vitest takes its configuration from there.
export default defineConfig({
  test: {
    include: ['test/accel/**/*.test.ts'],
    globalSetup: ['test/accel/setup.ts'],
    // One host for all of it, with one line to it.
    pool: 'forks',
    fileParallelism: false,
    // Limits for what hangs, not measurements.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
