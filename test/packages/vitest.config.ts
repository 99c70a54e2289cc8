import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: vitest takes its configuration from there.
export default defineConfig({
  test: {
    include: ['test/packages/**/*.test.ts'],
    globalSetup: ['test/packages/setup.ts'],
    maxWorkers: 2,
    // These limits only end tests that hang.
    testTimeout: 300_000,
    hookTimeout: 600_000,
  },
});
