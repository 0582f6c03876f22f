import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** End-to-end files that take more than about a minute, the longest first: most of that they wait, and one that begins last is waited for alone. */
export const longest = [
  'terraform/terraform',
  'balanced-rollouts',
  'push-to-rollout',
  'docker-machines',
  'compose',
  'balanced-hosts',
  'gc',
  'task-logs-kill',
  'shifted-rollouts',
  'codedeploy',
  'service-metrics',
  'task-leaks',
  'scaling',
  'agent-program',
  'version-consistency',
  'fargate',
  'up',
  'readme',
  'supervisor',
  'aws-cli-logs',
].map((name) => `/tools/e2e/${name}.test.ts`);

/** Where a test file stands in a whole run; those of one place keep the order that vitest gives them. */
export function placeOf(file: string): number {
  if (file.endsWith('/simulator/world/world.test.ts')) return 0;
  // Their programs are still being built when the run begins.
  if (file.includes('/e2e/clients/')) return 100;
  const long = longest.findIndex((name) => file.endsWith(name));
  if (long >= 0) return 10 + long;
  if (file.includes('/tools/e2e/')) return 50;
  // Short and busy to the end, so that no processor is left without work while others finish.
  if (file.includes('/scheduler/')) return 90;
  return file.includes('/tools/') ? 60 : 5;
}

/** What waits in the middle of the run, while there is other work to be done meanwhile; what computes at both ends. */
export class TestOrder extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => placeOf(a.moduleId) - placeOf(b.moduleId));
  }
}
