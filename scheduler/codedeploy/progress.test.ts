import { expect, test } from 'vitest';

import type { Historic } from '../services/index.ts';
import type { DeploymentRecord, ServiceRecord, Shifting } from '../state/index.ts';

import { isDone, progressOf } from './progress.ts';
import type { CodeDeployRecord } from './records.ts';

const record = { group: {}, hookEvents: [] } as unknown as CodeDeployRecord;

/** A deployment that goes back since the time 2000, and has not got there. */
function goingBack(
  rolloutState: DeploymentRecord['rolloutState'],
  rollback: Partial<NonNullable<Shifting['rollback']>>,
): Historic {
  const deployment: DeploymentRecord = {
    id: 'ecs-svc/2',
    status: 'PRIMARY',
    taskDefinition: 'web:2',
    rolloutState,
    rolloutStateReason: 'ECS deployment ecs-svc/2 failed: stopped by somebody.',
    failedTasks: 0,
    everRunning: true,
    createdAt: 1000,
    updatedAt: 3000,
    cause: { kind: 'api' },
    shifting: {
      strategy: { type: 'BLUE_GREEN' },
      bakeTimeInMinutes: 60,
      hooks: [],
      stage: 'BAKE_TIME',
      stageSince: 1500,
      step: 0,
      wanted: { production: 100, test: 0 },
      sequence: 2,
      live: { production: 100, test: 0, since: 1500 },
      runs: [],
      stop: { type: 'ROLLBACK', at: 2000, by: 'somebody' },
      rollback: { reason: 'stopped by somebody.', at: 2000, verdict: 'inconclusive', ...rollback },
    },
  };
  const configuration = { maximumPercent: 200, minimumHealthyPercent: 100 };
  return {
    row: { deployment, configuration, desiredCount: 2, seenAt: 1000 },
    service: { status: 'ACTIVE', deployments: [deployment] } as unknown as ServiceRecord,
  };
}

test('a rollback that can never be finished stays one, and has failed', () => {
  const under = progressOf(record, goingBack('IN_PROGRESS', {}), false);
  expect(under).toMatchObject({ status: 'Stopped', rollback: { status: 'InProgress', startedAt: 2000 } });
  expect(isDone(under)).toBe(false);
  const over = progressOf(record, goingBack('FAILED', { impossible: 'cannot pull' }), false);
  expect(over).toMatchObject({ status: 'Stopped', rollback: { status: 'Failed', startedAt: 2000, endedAt: 3000 } });
  expect(isDone(over)).toBe(true);
});
