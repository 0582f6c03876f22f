import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { sharingFiles } from './tools/checks/testing/shared-processes.ts';
import { TestOrder } from './tools/checks/testing/test-order.ts';

/** A file that is left out: `npm test` runs it beside the others (tools/checks/test-run.ts). */
const without = process.env['SLIPWAY_TEST_WITHOUT'];
const never = ['dist/**', 'node_modules/**', ...(without === undefined ? [] : [`**/${without}`])];

/** A cluster of a million tasks takes more memory than Node gives a program by itself; MiB. */
const memory = process.env['SLIPWAY_TEST_SIZE'] === 'release' ? ['--max-old-space-size=16384'] : [];

const seeded = join(import.meta.dirname, 'tools/checks/testing/fast-check.ts');

// One run covers every package; a single package is `npx vitest run --project '@slipway/<name>*'`.
export default defineConfig({
  plugins: [
    {
      name: 'seeded-properties',
      enforce: 'pre',
      resolveId: (id, importer) => (id === 'fast-check' && importer !== seeded ? seeded : undefined),
    },
  ],
  test: {
    projects: ['storage', 'auth', 'registry', 'scheduler', 'tools'].flatMap((root) => {
      const sharing = sharingFiles(join(import.meta.dirname, root), root);
      const alone = {
        extends: true as const,
        test: { name: `@slipway/${root}`, root, include: ['**/*.test.ts'], exclude: [...never, ...sharing] },
      };
      if (sharing.length === 0) return [alone];
      return [
        alone,
        {
          extends: true as const,
          test: { name: `@slipway/${root}-shared`, root, include: sharing, exclude: never, isolate: false },
        },
      ];
    }),
    globalSetup: [import.meta.dirname + '/tools/testbed/require-runtime.ts'],
    sequence: { sequencer: TestOrder },
    // Two cores carry the engines, the servers and the clients of the end-to-end tests: more workers only add noise.
    maxWorkers: 2,
    execArgv: memory,
    // A busy machine is slow: what is waited for is waited for long, and what never comes fails all the same.
    expect: { poll: { timeout: 180_000 } },
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
