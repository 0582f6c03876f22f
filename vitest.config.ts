import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Tests with registry clients come last: their programs are still being built when the run begins. */
class ClientsLast extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const late = ({ moduleId }: TestSpecification): boolean => moduleId.includes('/e2e/clients/');
    return [...sorted.filter((file) => !late(file)), ...sorted.filter(late)];
  }
}

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
    sequence: { sequencer: ClientsLast },
    // Two cores carry the engines, the servers and the clients of the end-to-end tests: more workers only add noise.
    maxWorkers: 2,
    // A busy machine is slow: what is waited for is waited for long, and what never comes fails all the same.
    expect: { poll: { timeout: 60_000 } },
    testTimeout: 180_000,
    hookTimeout: 180_000,
  },
});
