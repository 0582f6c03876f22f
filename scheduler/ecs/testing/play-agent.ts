import { ListTasksCommand } from '@aws-sdk/client-ecs';

import type { TestApi } from './open-api.ts';

/**
 * Plays the agent for a service's tasks until disposed: wanted tasks run (or, with `broken`, end before they ran) and
 * unwanted ones stop.
 */
export function playAgent(
  api: TestApi,
  cluster: string,
  service: string,
  broken: (task: string) => boolean = () => false,
): Disposable {
  const stop = new AbortController();
  const list = async (desiredStatus: 'RUNNING' | 'STOPPED'): Promise<string[]> =>
    (await api.ecs.send(new ListTasksCommand({ cluster, serviceName: service, desiredStatus }))).taskArns ?? [];
  const play = async (): Promise<void> => {
    const done = new Set<string>();
    while (!stop.signal.aborted) {
      for (const desired of ['RUNNING', 'STOPPED'] as const) {
        for (const task of await list(desired)) {
          // What was asked for before may be answered after: a task that began since then is not this agent's.
          if (stop.signal.aborted) return;
          if (done.has(`${task} ${desired}`)) continue;
          done.add(`${task} ${desired}`);
          if (desired === 'STOPPED') await api.report(task, 'STOPPED', 0);
          else await api.report(task, broken(task) ? 'STOPPED' : 'RUNNING', broken(task) ? 1 : undefined);
        }
      }
      await api.ports.clock.sleep(20);
    }
  };
  // The server may close first; what the test waits for decides whether it passed.
  play().catch(() => undefined);
  return { [Symbol.dispose]: () => stop.abort() };
}
