import type { Invariant } from './invariants.ts';

/** A mistake that somebody could make in the control plane or the agent, and what must notice it. */
export interface Mutation {
  readonly name: string;
  /** From the repository's root. */
  readonly file: string;
  /** Stands exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** What may notice it. */
  readonly caughtBy: readonly Invariant[];
  /** The first seed that is tried; later than 1 for what only a rare day shows. */
  readonly from?: number;
}

/** Each is made in memory, for one process, and must be caught: a simulation that finds nothing wrong with these finds nothing. */
export const mutations: readonly Mutation[] = [
  {
    name: 'a leader commits without its epoch',
    file: 'scheduler/control/commit.ts',
    find: '...(fence === undefined ? {} : { fence })',
    replace: '',
    caughtBy: ['one-leader'],
  },
  {
    name: 'one task more than the maximum',
    file: 'scheduler/deployments/bounds.ts',
    find: 'Math.floor((desired * maximumPercent) / 100)',
    replace: 'Math.floor((desired * maximumPercent) / 100) + 1',
    caughtBy: ['maximum'],
  },
  {
    name: 'one healthy task fewer than the minimum',
    file: 'scheduler/deployments/bounds.ts',
    find: 'Math.ceil((desired * minimumHealthyPercent) / 100)',
    replace: 'Math.ceil((desired * minimumHealthyPercent) / 100) - 1',
    caughtBy: ['minimum'],
  },
  {
    name: 'tasks that are stopping take no place under the maximum',
    file: 'scheduler/deployments/census.ts',
    find: 'occupying: [...all, ...stopping]',
    replace: 'occupying: [...all]',
    caughtBy: ['maximum'],
  },
  {
    name: 'healthy tasks are stopped without counting them',
    file: 'scheduler/deployments/rolling.ts',
    find: 'return !counted.healthy || this.#allowance > 0;',
    replace: 'return true;',
    caughtBy: ['minimum'],
  },
  {
    name: 'agents are sent the tag, not the digest that was pinned',
    file: 'scheduler/hosts/control/render.ts',
    find: 'task.containers.find((container) => container.name === name)?.image ?? image',
    replace: 'image',
    caughtBy: ['pinned'],
  },
  {
    name: 'a late report may bring a stopped task back',
    file: 'scheduler/hosts/control/transitions.ts',
    find: "if (task.lastStatus === 'STOPPED') return undefined;\n  const status = rank(change.status) > rank(task.lastStatus) ? change.status : task.lastStatus;",
    replace: 'const status = change.status;',
    caughtBy: ['no-return'],
    from: 130,
  },
  {
    name: 'a report that fails is dropped',
    file: 'scheduler/hosts/agent/report.ts',
    find: "log.warn({ task: arn, status: report.status, err: error }, 'could not report a state change; trying again');",
    replace: 'queue.shift();',
    caughtBy: ['settled', 'repaired', 'no-orphan'],
  },
  {
    name: 'a restarted agent forgets that a task was over',
    file: 'scheduler/hosts/agent/task-runner.ts',
    find: "if (saved.stoppedAt !== undefined) this.#status = 'STOPPED';",
    replace: '',
    caughtBy: ['settled', 'repaired'],
  },
  {
    name: 'health is only noticed by events of the engine',
    file: 'scheduler/hosts/agent/task-engine.ts',
    find: "return State.Status === 'running' && healthIn(now.Status) !== (State.Health?.Status ?? 'none');",
    replace: 'return false;',
    caughtBy: ['settled', 'repaired'],
  },
  {
    name: 'a daemon is started where one runs',
    file: 'scheduler/deployments/daemon.ts',
    find: 'const vacant = [...eligible].filter((id) => !occupied.has(id));',
    replace: 'const vacant = [...eligible].filter((id) => !occupied.has(id) || census.stopping.length > 0);',
    caughtBy: ['one-daemon', 'maximum'],
  },
  {
    name: 'the order to stop is never repeated',
    file: 'scheduler/hosts/control/control-session.ts',
    find: 'if (sent?.desired !== task.desiredStatus) return -Infinity;',
    replace:
      "if (sent?.desired !== task.desiredStatus) return sent === undefined || task.desiredStatus === 'RUNNING' ? -Infinity : Infinity;",
    caughtBy: ['settled', 'repaired'],
  },
  {
    name: 'containers of an unknown task are left running',
    file: 'scheduler/hosts/control/control-session.ts',
    find: 'const tasks = [...watch.tasks(ref.id)];',
    replace: "const tasks = [...watch.tasks(ref.id)].filter((task) => task.desiredStatus === 'RUNNING');",
    caughtBy: ['settled', 'repaired'],
  },
  {
    name: 'a store that lost commits is not noticed',
    file: 'scheduler/control/view.ts',
    find: 'if (listed === undefined || older || (listed.version === held && !same)) this.#forget(key);',
    replace: 'if (listed === undefined && held <= version) this.#forget(key);',
    caughtBy: ['settled', 'repaired'],
    from: 115,
  },
  {
    name: 'what could not be written down counts',
    file: 'scheduler/hosts/agent/task-runner.ts',
    find: 'await this.#ports.save(changed);\n      this.#saved = changed;',
    replace: 'this.#saved = changed;\n      await this.#ports.save(changed);',
    caughtBy: ['settled', 'repaired'],
    from: 185,
  },
  {
    name: "what an agent left when its data was lost is nobody's",
    file: 'scheduler/hosts/agent/task-engine.ts',
    find: 'return [...live, ...this.#orphans, ...this.#strays.tasks].filter((arn) => !wanted.has(arn));',
    replace: 'return [...live, ...this.#orphans].filter((arn) => !wanted.has(arn));',
    caughtBy: ['settled', 'repaired'],
  },
];
