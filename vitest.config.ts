import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * The longest file comes first, so that no worker is left with it alone in the end: it takes one core for minutes, and nothing else. Tests
 * with registry clients come last: their programs are still being built when the run begins.
 */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const turn = ({ moduleId }: TestSpecification): number =>
      moduleId.endsWith('/simulator/world/world.test.ts') ? 0 : moduleId.includes('/e2e/clients/') ? 2 : 1;
    return (await super.sort(files)).toSorted((a, b) => turn(a) - turn(b));
  }
}

/** A file that is left out: `npm test` runs it beside the others (tools/checks/test-run.ts). */
const without = process.env['SLIPWAY_TEST_WITHOUT'];

/** A cluster of a million tasks takes more memory than Node gives a program by itself; MiB. */
const memory = process.env['SLIPWAY_TEST_SIZE'] === 'release' ? ['--max-old-space-size=16384'] : [];

// One run covers every package; a single package is `npx vitest run --project @slipway/<name>`.
export default defineConfig({
  test: {
    projects: ['storage', 'auth', 'registry', 'scheduler', 'tools'].map((name) => ({
      extends: true as const,
      test: {
        name: `@slipway/${name}`,
        root: name,
        include: ['**/*.test.ts'],
        exclude: ['dist/**', 'node_modules/**', ...(without === undefined ? [] : [`**/${without}`])],
      },
    })),
    globalSetup: [import.meta.dirname + '/tools/testbed/require-runtime.ts'],
    sequence: { sequencer: LongestFirst },
    // Two cores carry the engines, the servers and the clients of the end-to-end tests: more workers only add noise.
    maxWorkers: 2,
    execArgv: memory,
    // A busy machine is slow: what is waited for is waited for long, and what never comes fails all the same.
    expect: { poll: { timeout: 60_000 } },
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
