import * as fc from 'fast-check';

import type { TaskRecord } from '../../state/index.ts';

import { isHealthy } from '../index.ts';
import type { Revision, World } from './world.ts';

export const revision: fc.Arbitrary<Revision> = fc.record({
  behaviour: fc.constantFrom('good', 'good', 'good', 'fails to start', 'crashes', 'never healthy', 'cannot be placed'),
  checks: fc.boolean(),
});

export type Deed =
  | { readonly do: 'pass' }
  | { readonly do: 'step' | 'kill' | 'sicken' | 'stop by hand'; readonly task: number }
  | { readonly do: 'deploy'; readonly revision: Revision }
  | { readonly do: 'scale'; readonly desired: number }
  | { readonly do: 'host'; readonly host: number; readonly condition: 'ready' | 'draining' | 'lost' }
  | { readonly do: 'reclaim'; readonly host: number; readonly within: number }
  | { readonly do: 'room'; readonly host: number; readonly room: number }
  | { readonly do: 'wait'; readonly ms: number };

const task = fc.nat(1000);
export const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 8, arbitrary: fc.constant({ do: 'pass' } as const) },
  { weight: 12, arbitrary: fc.record({ do: fc.constant('step' as const), task }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('kill' as const, 'sicken' as const, 'stop by hand' as const), task }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('deploy' as const), revision }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('scale' as const), desired: fc.nat(6) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('host' as const),
      host: fc.nat(2),
      condition: fc.constantFrom('ready' as const, 'draining' as const, 'lost' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('reclaim' as const),
      host: fc.nat(2),
      within: fc.constantFrom(0, 30_000, 90_000),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('room' as const), host: fc.nat(2), room: fc.nat(6) }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.constantFrom(1, 1_000, 40_000, 600_000) }),
  },
);

/** Wanted tasks that count for the minimum. */
export const healthyTasks = (world: World): TaskRecord[] =>
  world
    .wanted()
    .filter(
      (one) =>
        isHealthy(one, world.now, world.options) &&
        world.hosts.find(({ id }) => id === one.instanceId)?.condition !== 'lost',
    );

/** Does it; `pass` is how a pass is made. */
export function act(world: World, action: Deed, pass: (world: World) => void): void {
  const pick = (index: number) => world.live()[index % Math.max(1, world.live().length)];
  switch (action.do) {
    case 'pass':
      pass(world);
      return;
    case 'step':
      world.step(pick(action.task)?.id ?? '');
      return;
    case 'kill': {
      const victim = pick(action.task);
      if (victim?.lastStatus === 'RUNNING') world.stopped(victim.id, 'EssentialContainerExited', 'killed');
      return;
    }
    case 'sicken': {
      const victim = pick(action.task);
      if (victim?.lastStatus === 'RUNNING') world.check(victim.id, 'UNHEALTHY');
      return;
    }
    case 'stop by hand': {
      const victim = pick(action.task);
      if (victim !== undefined)
        world.report(victim.id, { desiredStatus: 'STOPPED', stopCode: 'UserInitiated', stoppedReason: 'by hand' });
      return;
    }
    case 'deploy':
      world.deploy(action.revision);
      return;
    case 'scale':
      world.service = { ...world.service, desiredCount: action.desired };
      return;
    case 'host':
      spare(world.hosts[action.host]!);
      world.hosts[action.host]!.condition = action.condition;
      return;
    case 'reclaim':
      Object.assign(world.hosts[action.host]!, { condition: 'draining', interruptedAt: world.now + action.within });
      return;
    case 'room':
      world.hosts[action.host]!.room = action.room;
      return;
    case 'wait':
      world.now += action.ms;
      return;
  }
}

/** The host is not taken back any more. */
export const spare = (host: World['hosts'][number]): void => {
  delete host.interruptedAt;
};

/** When the host of a task interrupts it; never, where it stays. */
export const interruptedAt = (world: World, { instanceId }: { readonly instanceId?: string }): number =>
  world.hosts.find(({ id }) => id === instanceId)?.interruptedAt ?? Infinity;
