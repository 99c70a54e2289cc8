import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: vitest takes its configuration from there.
export default defineConfig({
  test: {
    include: ['test/accel/**/*.test.ts'],
    globalSetup: ['test/accel/setup.ts'],
    // All tests use one host, and one connection to it.
    pool: 'forks',
    fileParallelism: false,
    // These limits only end tests that hang.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
