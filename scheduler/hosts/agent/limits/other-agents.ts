import type { Clock } from '@slipway/storage/clock';

import type { GroupFiles } from './group-files.ts';
import { groupNames } from './limits.ts';

/**
 * A group of another agent that is seen for so long, and that nothing is in, is one of a task that is gone: a group is made again before
 * each start of a container in it. Milliseconds.
 */
const longUnused = 3_600_000;

const agentNames = /^[0-9a-f]{12}$/;

/**
 * What agents of this machine left that were killed and whose data is lost: nobody else looks for it. The kernel does not tell how old
 * a group is, so that it counts from when this agent saw it first.
 */
export class OtherAgents {
  readonly #clock: Pick<Clock, 'now'>;
  /** Groups, and since when they have been seen. */
  #seen: ReadonlyMap<string, number> = new Map();

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** Removes what has been there for long and is in no use. @param top the group of all agents; @param own the name of this one's in it */
  async sweep(files: Pick<GroupFiles, 'below' | 'remove'>, top: string, own: string): Promise<void> {
    const now = this.#clock.now();
    const seen = new Map<string, number>();
    for (const agent of await files.below(top)) {
      if (!agentNames.test(agent) || agent === own) continue;
      const above = `${top}/${agent}`;
      const groups = [...(await files.below(above))].filter((group) => groupNames.test(group));
      for (const path of [...groups.map((group) => `${above}/${group}`), above]) {
        const since = this.#seen.get(path) ?? now;
        if (now - since < longUnused || !(await files.remove(path))) seen.set(path, since);
      }
    }
    this.#seen = seen;
  }
}
