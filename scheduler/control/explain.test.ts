import { expect, test } from 'vitest';

import { World } from '../deployments/testing/world.ts';
import { explainService } from './explain.ts';

test('which containers of a starting task do not run yet is said, and how those stand that they can wait for', () => {
  const world = new World({ desired: 1 });
  world.pass();
  const [task] = world.live();
  const [app] = task!.containers;
  const waits = (): readonly string[] =>
    explainService(world.service, [...world.tasks.values()], [], world.now, world.options).waitsFor;
  const sentence = expect.stringContaining('not started yet');
  expect(waits()).not.toContainEqual(sentence);
  const db = { ...app!, name: 'db', lastStatus: 'RUNNING', healthStatus: 'UNHEALTHY' } as const;
  const init = { ...app!, name: 'init', lastStatus: 'STOPPED', essential: false } as const;
  world.report(task!.id, { containers: [init, db, app!] });
  expect(waits()).toContain(`Task ${task!.id}: app not started yet; init is STOPPED, db is RUNNING and UNHEALTHY.`);
  world.running(task!.id);
  expect(waits()).not.toContainEqual(sentence);
});
