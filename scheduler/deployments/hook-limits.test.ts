import { describe, expect, test } from 'vitest';

import type { LifecycleHook } from '../state/index.ts';

import { verdictOf } from './index.ts';
import { World } from './testing/world.ts';

const minute = 60_000;

/** A service whose second deployment waits for a hook that has ten minutes. */
function waiting(onTimeout: LifecycleHook['onTimeout']): World {
  const hook: LifecycleHook = {
    targetArn: 'https://hooks.example.com/check',
    target: { type: 'webhook', url: 'https://hooks.example.com/check' },
    stages: ['POST_SCALE_UP'],
    timeoutInMinutes: 10,
    onTimeout,
  };
  const world = new World({
    desired: 2,
    configuration: { strategy: { type: 'BLUE_GREEN' }, bakeTimeInMinutes: 0, lifecycleHooks: [hook] },
  });
  // The first deployment asks it, too.
  answerAll(world, 'SUCCEEDED');
  world.calm();
  expect(world.primary().rolloutState).toBe('COMPLETED');
  world.deploy({ behaviour: 'good', checks: true });
  answerAll(world, 'IN_PROGRESS');
  return world;
}

/** Plays until a hook is asked, and answers. */
function answerAll(world: World, status: 'SUCCEEDED' | 'IN_PROGRESS'): void {
  for (let round = 0; round < 100; round++) {
    world.pass();
    const open = world.shifting().runs.find((run) => run.status === 'IN_PROGRESS');
    if (open !== undefined) {
      world.answer(open.id, status);
      world.pass();
      return;
    }
    for (const task of world.live()) world.step(task.id);
    world.acknowledge();
    world.now += 1000;
  }
  throw new Error('no hook was asked');
}

describe('a hook that answers IN_PROGRESS for ever', () => {
  test.each([
    ['ROLLBACK', 'inconclusive', 0, 'No answer within 10 minutes.'],
    ['CONTINUE', 'succeeded', 1, 'completed.'],
  ] as const)('has its time and no more: %s', (onTimeout, verdict, revision, evidence) => {
    const world = waiting(onTimeout);
    const [asked] = world.shifting().runs;
    const since = asked?.startedAt ?? 0;
    while (world.now + minute < since + 10 * minute) {
      world.now += minute;
      world.answer(asked?.id ?? '', 'IN_PROGRESS');
      expect(world.pass().wakeAt).toBeLessThanOrEqual(since + 10 * minute);
      expect(world.shifting()).toMatchObject({
        stage: 'POST_SCALE_UP',
        runs: [{ id: asked?.id, status: 'IN_PROGRESS' }],
      });
    }
    world.now = since + 10 * minute;
    world.answer(asked?.id ?? '', 'IN_PROGRESS');
    world.calm();
    expect(verdictOf(world.service)?.verdict).toBe(verdict);
    const revisions = new Set(world.wanted().map(({ taskDefinition }) => Number(taskDefinition.split(':').at(-1))));
    expect(revisions).toEqual(new Set([revision]));
    expect(verdictOf(world.service)?.evidence).toContain(evidence);
  });

  test('an answer after its time changes nothing', () => {
    const world = waiting('ROLLBACK');
    const [asked] = world.shifting().runs;
    world.now = (asked?.startedAt ?? 0) + 10 * minute;
    world.pass();
    world.answer(asked?.id ?? '', 'SUCCEEDED');
    world.calm();
    expect(verdictOf(world.service)?.verdict).toBe('inconclusive');
  });
});
