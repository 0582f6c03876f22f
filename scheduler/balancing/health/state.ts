import type { HealthCheckRecord, HealthRecord } from '../records/index.ts';

/** What one check found. */
export type CheckResult =
  | { readonly kind: 'passed' }
  /** An answer with another code than the matcher has. */
  | { readonly kind: 'code'; readonly code: number }
  | { readonly kind: 'timeout' }
  /** `problem` names the address that was tried and the error. */
  | { readonly kind: 'failed'; readonly problem: string };

/** Checks in a row that went the other way than the state. */
export interface Progress {
  readonly passes: number;
  readonly failures: number;
}

export const noProgress: Progress = { passes: 0, failures: 0 };

/**
 * How a target is after a check (ELB user guide, "Health checks for your target groups"): a new one is healthy after one that passed,
 * whatever the threshold; afterwards it takes as many in a row as the thresholds say to change. Pure.
 */
export function afterCheck(
  before: HealthRecord,
  progress: Progress,
  result: CheckResult,
  check: Pick<HealthCheckRecord, 'healthyThreshold' | 'unhealthyThreshold'>,
): { readonly health: HealthRecord; readonly progress: Progress } {
  const passed = before.passed === true ? { passed: true as const } : {};
  if (result.kind === 'passed') {
    const passes = progress.passes + 1;
    const isHealthy = before.state === 'healthy' || before.state === 'initial' || passes >= check.healthyThreshold;
    return isHealthy
      ? { health: { state: 'healthy', passed: true }, progress: noProgress }
      : { health: before, progress: { passes, failures: 0 } };
  }
  const failures = progress.failures + 1;
  const next = { passes: 0, failures };
  if (before.state === 'unhealthy' || failures >= check.unhealthyThreshold)
    return { health: { state: 'unhealthy', ...reasonOf(result), ...passed }, progress: next };
  if (before.state === 'healthy') return { health: before, progress: next };
  return {
    health: {
      state: 'initial',
      reason: 'Elb.InitialHealthChecking',
      description: 'Initial health checks in progress',
    },
    progress: next,
  };
}

function reasonOf(result: Exclude<CheckResult, { kind: 'passed' }>): { reason: string; description: string } {
  switch (result.kind) {
    case 'code':
      return {
        reason: 'Target.ResponseCodeMismatch',
        description: `Health checks failed with these codes: [${result.code}]`,
      };
    case 'timeout':
      return { reason: 'Target.Timeout', description: 'Request timed out' };
    case 'failed':
      return { reason: 'Target.FailedHealthChecks', description: `Health checks failed: ${result.problem}` };
  }
}

/** Whether a code is one of a matcher's: `200`, `200,202`, `200-399`. */
export const matches = (matcher: string, code: number): boolean =>
  matcher.split(',').some((part) => {
    const [from, to = from] = part.split('-').map(Number);
    return from !== undefined && to !== undefined && from <= code && code <= to;
  });
