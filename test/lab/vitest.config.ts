import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: vitest takes its configuration from there.
export default defineConfig({
  test: {
    include: ['test/lab/**/*.test.ts'],
    globalSetup: ['test/lab/setup.ts'],
    // One process per test file, so that everything that a file started ends with it.
    pool: 'forks',
    maxWorkers: 2,
    maxConcurrency: 2,
    // These limits only end tests that hang: a guest boots in 5 s on an idle computer.
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
