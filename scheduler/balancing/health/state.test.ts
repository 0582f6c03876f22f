import { describe, expect, test } from 'vitest';

import type { HealthRecord } from '../records/index.ts';

import { afterCheck, type CheckResult, matches, noProgress } from './state.ts';

const thresholds = { healthyThreshold: 3, unhealthyThreshold: 2 };
const passed: CheckResult = { kind: 'passed' };
const failed: CheckResult = { kind: 'failed', problem: '10.0.0.1:80: ECONNREFUSED' };

/** How a target is after each of some checks. */
function states(begin: HealthRecord, ...results: readonly CheckResult[]): string[] {
  let now = { health: begin, progress: noProgress };
  return results.map((result) => {
    now = afterCheck(now.health, now.progress, result, thresholds);
    return now.health.state;
  });
}

describe('health', () => {
  test('a new target is healthy after one check that passed, whatever the threshold', () => {
    expect(states({ state: 'initial' }, passed)).toEqual(['healthy']);
    expect(states({ state: 'initial' }, failed, passed)).toEqual(['initial', 'healthy']);
  });

  test('and unhealthy after as many as the threshold says that failed', () => {
    expect(states({ state: 'initial' }, failed, failed)).toEqual(['initial', 'unhealthy']);
  });

  test('afterwards thresholds count, in a row', () => {
    const healthy: HealthRecord = { state: 'healthy', passed: true };
    expect(states(healthy, failed, passed, failed, failed)).toEqual(['healthy', 'healthy', 'healthy', 'unhealthy']);
    const unhealthy: HealthRecord = { state: 'unhealthy' };
    expect(states(unhealthy, passed, passed, failed, passed, passed, passed)).toEqual([
      'unhealthy',
      'unhealthy',
      'unhealthy',
      'unhealthy',
      'unhealthy',
      'healthy',
    ]);
  });

  test.each<[CheckResult, string, string]>([
    [{ kind: 'code', code: 503 }, 'Target.ResponseCodeMismatch', 'Health checks failed with these codes: [503]'],
    [{ kind: 'timeout' }, 'Target.Timeout', 'Request timed out'],
    [failed, 'Target.FailedHealthChecks', 'Health checks failed: 10.0.0.1:80: ECONNREFUSED'],
  ])('%j is told as %s', (result, reason, description) => {
    const before: HealthRecord = { state: 'unhealthy', reason: 'Target.Timeout', passed: true };
    expect(afterCheck(before, noProgress, result, thresholds).health).toEqual({
      state: 'unhealthy',
      reason,
      description,
      passed: true,
    });
  });

  test('a target that failed its first check is being checked', () => {
    expect(afterCheck({ state: 'initial' }, noProgress, failed, thresholds).health).toEqual({
      state: 'initial',
      reason: 'Elb.InitialHealthChecking',
      description: 'Initial health checks in progress',
    });
  });

  test('that it passed once is remembered', () => {
    const { health } = afterCheck({ state: 'initial' }, noProgress, passed, thresholds);
    const { health: after } = afterCheck(health, { passes: 0, failures: 1 }, failed, thresholds);
    expect(after).toMatchObject({ state: 'unhealthy', passed: true });
    const never = afterCheck({ state: 'initial' }, { passes: 0, failures: 1 }, failed, thresholds).health;
    expect(never).not.toHaveProperty('passed');
  });

  test.each([
    ['200', 200, true],
    ['200', 204, false],
    ['200,204', 204, true],
    ['200-399', 302, true],
    ['200-299,404', 404, true],
    ['200-299', 300, false],
    ['12', 12, true],
    ['0-99', 0, true],
  ])('%s has %d: %s', (matcher, code, expected) => {
    expect(matches(matcher, code)).toBe(expected);
  });
});
