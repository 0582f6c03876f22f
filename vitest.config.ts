import { defineConfig } from 'vitest/config';

// One run covers every package; a single package is `npx vitest run --project @slipway/<name>`.
export default defineConfig({
  test: {
    projects: ['storage', 'auth', 'registry', 'scheduler', 'tools'].map((name) => ({
      extends: true as const,
      test: {
        name: `@slipway/${name}`,
        root: name,
        include: ['**/*.test.ts'],
        exclude: ['dist/**', 'node_modules/**'],
      },
    })),
    globalSetup: [import.meta.dirname + '/tools/testbed/require-runtime.ts'],
    // Two cores carry the engines, the servers and the clients of the end-to-end tests: more workers only add noise.
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
  },
});
