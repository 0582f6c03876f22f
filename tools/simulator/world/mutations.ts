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
  /** The first seed that is tried, one that is known to notice it; the tests go on from there when it no longer does. */
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
    caughtBy: ['settled', 'repaired'],
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
  {
    name: 'the end of a task counts each time it is looked at',
    file: 'scheduler/deployments/review.ts',
    find: 'pass.changeTask(task.id, { reviewed: true });',
    replace: '',
    caughtBy: ['evidence'],
  },
  {
    name: 'the circuit breaker opens one failure early',
    file: 'scheduler/deployments/breaker.ts',
    find: 'if (failedTasks < threshold) return;',
    replace: 'if (failedTasks + 1 < threshold) return;',
    caughtBy: ['evidence'],
  },
  {
    name: 'what finds no room counts as failed',
    file: 'scheduler/deployments/reconcile.ts',
    find: '    blocked = true;\n',
    replace: '    blocked = true;\n    pass.change(deployment.id, { failedTasks: deployment.failedTasks + 1 });\n',
    caughtBy: ['evidence'],
  },
  {
    name: 'a task that a user stopped counts as failed',
    file: 'scheduler/deployments/failures.ts',
    find: "if (task.stopCode !== undefined && blameless.has(task.stopCode)) return 'none';",
    replace: '',
    caughtBy: ['evidence'],
  },
  {
    name: 'a deployment that completed may still fail',
    file: 'scheduler/deployments/breaker.ts',
    find: "deployment.status !== 'PRIMARY' || deployment.rolloutState !== 'IN_PROGRESS'",
    replace: "deployment.status !== 'PRIMARY'",
    caughtBy: ['verdict'],
  },
  {
    name: 'protection is forgotten',
    file: 'scheduler/deployments/rolling.ts',
    find: 'if (counted.protected && !counted.unhealthy && !deleting) return false;',
    replace: '',
    caughtBy: ['protected'],
  },
  {
    name: 'a drain ignores the minimum',
    file: 'scheduler/deployments/rolling.ts',
    find: "if (counted.host === 'draining' && counted.task.lastStatus !== 'RUNNING') this.#victims.add(counted);",
    replace: "if (counted.host === 'draining') this.#victims.add(counted);",
    caughtBy: ['minimum'],
  },
  {
    name: 'constraints of services are not asked for',
    file: 'scheduler/control/requests.ts',
    find: 'constraints: placementConstraints.map(constraintOf),',
    replace: 'constraints: [],',
    caughtBy: ['constraints'],
  },
  {
    name: 'two placements count on the same room',
    file: 'scheduler/control/commit.ts',
    find: 'require.push(version === undefined ? { key, exists: false } : { key, version });',
    replace: '',
    caughtBy: ['room'],
  },
  {
    name: 'room is free when the order to stop is given',
    file: 'scheduler/control/view.ts',
    find: "if (task.lastStatus === 'STOPPED' || host === undefined || host.status === 'INACTIVE') {",
    replace: "if (task.desiredStatus === 'STOPPED' || host === undefined || host.status === 'INACTIVE') {",
    caughtBy: ['room'],
  },
  {
    name: 'a leader overwrites what a user has just set',
    file: 'scheduler/control/service-pass.ts',
    find: 'const require: Condition[] = [{ key: clusterKeys.service(name), version }];',
    replace: 'const require: Condition[] = [];',
    caughtBy: ['untouched', 'acknowledged', 'verdict', 'evidence'],
  },
  {
    name: 'what is over goes in half its time',
    file: 'scheduler/control/sweep.ts',
    find: 'return age >= (place < retention.newestCount ? retention.newestEnded : retention.ended);',
    replace: 'return age >= retention.ended / 2;',
    caughtBy: ['kept'],
  },
  {
    name: 'what is over never goes',
    file: 'scheduler/control/sweep.ts',
    find: 'return age >= (place < retention.newestCount ? retention.newestEnded : retention.ended);',
    replace: 'return age < 0;',
    caughtBy: ['repaired'],
  },
  {
    name: 'a client token is not looked at',
    file: 'scheduler/tasks/run.ts',
    find: 'const ids = claimed?.ids ?? fresh;\n  if (claimed?.done === true) return',
    replace: 'const ids = fresh;\n  if (claimed === undefined && fresh.length === 0) return',
    caughtBy: ['once'],
  },
  {
    name: 'tasks are told of before they are committed',
    file: 'scheduler/control/placer.ts',
    find: 'const parts = this.#plan(open);',
    replace: 'const parts = this.#plan(open);\n      for (const { job, task } of parts) job.settle(task);',
    caughtBy: ['acknowledged'],
  },
  {
    name: "a revision is made without its family's row",
    file: 'scheduler/tasks/definitions.ts',
    find: 'const revision = (family?.lastRevision ?? 0) + 1;',
    replace: 'const revision = (family?.latestActive ?? 0) + (family === undefined ? 1 : 0);',
    caughtBy: ['revisions'],
  },
  {
    name: 'a lease runs by the wall clock',
    file: 'storage/leases/open-leases.ts',
    find: 'return new RecordLeases(records, clock, random);',
    replace: 'return new RecordLeases(records, { ...clock, monotonic: () => clock.now() }, random);',
    caughtBy: ['one-holder'],
  },
  {
    name: 'a lease counts as renewed before the store has said so',
    file: 'storage/leases/open-leases.ts',
    find: '        const holder = { ...this.#holder, renewals: this.#holder.renewals + 1 };',
    replace:
      '        this.#renewedAt = at;\n        const holder = { ...this.#holder, renewals: this.#holder.renewals + 1 };',
    caughtBy: ['one-holder'],
  },
  {
    name: 'a lease is taken from who holds it',
    file: 'storage/leases/open-leases.ts',
    find: 'silent >= holder.value.ttl',
    replace: 'silent >= holder.value.ttl / 4',
    caughtBy: ['one-holder'],
  },
  {
    name: 'what an agent runs beyond its orders is not noticed',
    file: 'scheduler/hosts/agent/task-engine.ts',
    find: 'return [...live, ...this.#orphans, ...this.#strays.tasks].filter((arn) => !wanted.has(arn));',
    replace: 'return [];',
    caughtBy: ['settled', 'repaired'],
  },
  {
    name: 'nobody compares tags with what runs',
    file: 'scheduler/triggers/triggers.ts',
    find: "await this.#roller.rollAccount(account, { kind: 'push' }).catch(() => {});",
    replace: 'await Promise.resolve(account);',
    caughtBy: ['repaired', 'settled'],
  },
  {
    name: 'a rollback forgets what was pinned',
    file: 'scheduler/deployments/breaker.ts',
    find: "    completedAt: undefined,\n    cause: { kind: 'rollback'",
    replace: "    completedAt: undefined,\n    images: {},\n    cause: { kind: 'rollback'",
    caughtBy: ['pinned'],
  },
  {
    name: 'a container that an engine started late runs on',
    file: 'scheduler/hosts/agent/task-engine.ts',
    find: '    this.#stopLate(found);\n',
    replace: '',
    caughtBy: ['settled', 'repaired'],
  },
  {
    name: 'what the engine has started is started again',
    file: 'scheduler/hosts/agent/task-runner.ts',
    find: "return this.#begun.has(name) && this.#inspected.get(name)?.State.Status === 'created';",
    replace: 'return false;',
    caughtBy: ['started-once'],
  },
  {
    name: 'a container that is gone is made again',
    file: 'scheduler/hosts/agent/task-runner.ts',
    find: 'if (before === undefined && !this.#saved.started.includes(name)) return;',
    replace: 'if (before === undefined) return;',
    caughtBy: ['started-once'],
  },
];
