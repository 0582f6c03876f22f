import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { type AgentContainer, taskSchema } from '../wire/index.ts';
import { pauseName } from './pause.ts';
import { type ContainerView, plan } from './plan.ts';

function containers(...given: (Partial<AgentContainer> & { name: string })[]): AgentContainer[] {
  const task = taskSchema.parse({
    arn: 'arn',
    desiredStatus: 'RUNNING',
    containers: given.map((container) => ({ image: 'web', ...container })),
  });
  return task.containers;
}

const view = (phase: ContainerView['phase'], more: Partial<ContainerView> = {}): ContainerView => ({
  phase,
  pulled: phase !== 'absent',
  busy: false,
  ...more,
});

const actionsOf = (result: ReturnType<typeof plan>): string[] =>
  result.actions.map(({ kind, container }) => `${kind} ${container}`);

/** What Docker would make of an action; `exits` says which containers end by themselves, and how. */
function carryOut(
  views: Map<string, ContainerView>,
  kind: string,
  name: string,
  exits: ReadonlyMap<string, number>,
): void {
  const before = views.get(name) ?? view('absent');
  if (kind === 'pull') views.set(name, { ...before, pulled: true });
  else if (kind === 'create') views.set(name, view('created'));
  else if (kind === 'stop') views.set(name, view('stopped', { exitCode: 143 }));
  else {
    const exitCode = exits.get(name);
    views.set(
      name,
      exitCode === undefined
        ? view('running', { startedAt: 0 })
        : view('stopped', { exitCode, startedAt: 0, finishedAt: 0 }),
    );
  }
}

describe('a plan', () => {
  test('pulls, creates and starts one after the other', () => {
    const [main] = containers({ name: 'main' });
    const all = main === undefined ? [] : [main];
    const views = new Map<string, ContainerView>();
    expect(actionsOf(plan(all, views, 'RUNNING', 0))).toEqual(['pull main']);
    views.set('main', view('absent', { pulled: true }));
    expect(actionsOf(plan(all, views, 'RUNNING', 0))).toEqual(['create main']);
    views.set('main', view('created'));
    expect(plan(all, views, 'RUNNING', 0)).toMatchObject({ status: 'PENDING', actions: [{ kind: 'start' }] });
    views.set('main', view('running'));
    expect(plan(all, views, 'RUNNING', 0)).toMatchObject({ status: 'RUNNING', actions: [] });
  });

  test('makes what shares namespaces while the container that holds them starts, and starts it after that', () => {
    const after = { containerName: pauseName, condition: 'START' as const };
    const all = containers(
      { name: pauseName },
      { name: 'db', dependsOn: [after] },
      { name: 'web', dependsOn: [after, { containerName: 'db', condition: 'START' }] },
    );
    const views = new Map(all.map(({ name }) => [name, view('absent', { pulled: true })]));
    const actions = (): string[] => actionsOf(plan(all, views, 'RUNNING', 0));
    expect(actions()).toEqual([`create ${pauseName}`]);
    views.set(pauseName, view('created'));
    // Only what that container alone is missing for: an order among the task's own goes for making them too.
    expect(actions()).toEqual([`start ${pauseName}`, 'create db']);
    views.set('db', view('created'));
    views.set(pauseName, view('running', { unfinished: true, busy: true }));
    expect(actions()).toEqual([]);
    views.set(pauseName, view('running'));
    expect(actions()).toEqual(['start db']);
    // One that never starts takes the others with it, and makes none of them.
    views.set('db', view('absent', { pulled: true }));
    views.set(pauseName, view('created', { failure: 'no room' }));
    expect(plan(all, views, 'RUNNING', 0)).toMatchObject({ actions: [], status: 'STOPPED' });
  });

  test('stops what failed and was started after all, and lets the others run', () => {
    const all = containers({ name: 'main' }, { name: 'helper', essential: false });
    const failed = (phase: ContainerView['phase'], busy = false): ContainerView =>
      view(phase, { failure: 'the engine said nothing', busy });
    const planOf = (helper: ContainerView): ReturnType<typeof plan> =>
      plan(
        all,
        new Map([
          ['main', view('running')],
          ['helper', helper],
        ]),
        'RUNNING',
        0,
      );
    expect(planOf(failed('running'))).toMatchObject({
      actions: [{ kind: 'stop', container: 'helper' }],
      status: 'RUNNING',
    });
    for (const helper of [failed('created'), failed('running', true), failed('stopped')])
      expect(planOf(helper)).toMatchObject({ actions: [], status: 'RUNNING' });
  });

  test('stops in the reverse order of starting', () => {
    const all = containers({ name: 'db' }, { name: 'web', dependsOn: [{ containerName: 'db', condition: 'START' }] });
    const views = new Map([
      ['db', view('running')],
      ['web', view('running')],
    ]);
    expect(actionsOf(plan(all, views, 'STOPPED', 0))).toEqual(['stop web']);
    views.set('web', view('stopped', { exitCode: 0 }));
    expect(actionsOf(plan(all, views, 'STOPPED', 0))).toEqual(['stop db']);
    views.set('db', view('stopped', { exitCode: 0 }));
    expect(plan(all, views, 'STOPPED', 0).status).toBe('STOPPED');
  });

  test('waits for health, and gives up after the start timeout of the dependency', () => {
    const all = containers(
      { name: 'db', startTimeout: 10 },
      { name: 'web', dependsOn: [{ containerName: 'db', condition: 'HEALTHY' }] },
    );
    const views = new Map([
      ['db', view('running', { startedAt: 1_000, health: 'starting' })],
      ['web', view('absent', { pulled: true })],
    ]);
    expect(plan(all, views, 'RUNNING', 2_000)).toMatchObject({ actions: [], failures: [], wakeAt: 11_000 });
    expect(plan(all, views, 'RUNNING', 11_000).failures[0]?.reason).toMatch(/db did not reach HEALTHY within 10 s/);
    views.set('db', view('running', { startedAt: 1_000, health: 'healthy' }));
    expect(actionsOf(plan(all, views, 'RUNNING', 2_000))).toEqual(['create web']);
  });

  test('restarts in place only what its policy covers', () => {
    const policy = { enabled: true, ignoredExitCodes: [2], restartAttemptPeriod: 60 };
    const all = containers({ name: 'main', restartPolicy: policy });
    const exited = (exitCode: number, seconds: number): Map<string, ContainerView> =>
      new Map([['main', view('stopped', { exitCode, startedAt: 1_000, finishedAt: 1_000 + seconds * 1000 })]]);
    expect(actionsOf(plan(all, exited(1, 60), 'RUNNING', 0))).toEqual(['restart main']);
    expect(plan(all, exited(1, 59), 'RUNNING', 0)).toMatchObject({ status: 'STOPPED', actions: [] });
    expect(plan(all, exited(2, 90), 'RUNNING', 0)).toMatchObject({ status: 'STOPPED', actions: [] });
    expect(plan(all, exited(1, 90), 'STOPPED', 0)).toMatchObject({ status: 'STOPPED', actions: [] });
  });

  test('does not call a task stopped while something may still start', () => {
    const all = containers({ name: 'main' });
    expect(plan(all, new Map([['main', view('created', { busy: true })]]), 'STOPPED', 0).status).not.toBe('STOPPED');
    const pulling = view('absent', { busy: true, pulled: false });
    expect(plan(all, new Map([['main', pulling]]), 'STOPPED', 0).status).toBe('STOPPED');
  });

  test('carried out step by step, every task comes to rest, and a stopped one has nothing running', () => {
    const condition = fc.constantFrom('START', 'COMPLETE', 'SUCCESS', 'HEALTHY');
    const shape = fc.array(
      fc.record({
        essential: fc.boolean(),
        exit: fc.option(fc.nat(2)),
        after: fc.option(fc.tuple(fc.nat(4), condition)),
      }),
      { minLength: 1, maxLength: 5 },
    );
    fc.assert(
      fc.property(shape, fc.nat(30), (given, stopAt) => {
        const exits = new Map<string, number>();
        const all = containers(
          ...given.map(({ essential, exit, after }, index) => {
            if (exit !== null) exits.set(`c${index}`, exit);
            const earlier = after === null || index === 0 ? undefined : `c${after[0] % index}`;
            return {
              name: `c${index}`,
              essential: essential || index === 0,
              dependsOn: earlier === undefined ? [] : [{ containerName: earlier, condition: after?.[1] as 'START' }],
            };
          }),
        );
        const views = new Map<string, ContainerView>();
        let resting = 0;
        for (let step = 0; step < 100 && resting < 2; step++) {
          const desired = step >= stopAt ? 'STOPPED' : 'RUNNING';
          const planned = plan(all, views, desired, 0);
          for (const { container, reason } of planned.failures) {
            views.set(container, { ...(views.get(container) ?? view('absent')), failure: reason });
          }
          for (const { kind, container } of planned.actions) carryOut(views, kind, container, exits);
          const idle = planned.actions.length === 0 && planned.failures.length === 0;
          if (idle && step < stopAt && planned.status !== 'STOPPED') step = stopAt - 1;
          const running = [...views.values()].some(({ phase }) => phase === 'running');
          expect(planned.status === 'STOPPED' && (running || planned.actions.length > 0)).toBe(false);
          if (idle) resting += 1;
        }
        expect(plan(all, views, 'STOPPED', 0)).toMatchObject({ status: 'STOPPED', actions: [] });
      }),
    );
  });
});
