import { systemClock } from '@slipway/storage/clock';

import { type AgentContainer, type AgentTask, type ContainerLogs, taskSchema } from '../../../wire/index.ts';
import type { EngineLogs } from '../engine.ts';
import { LogShipping } from '../shipping.ts';
import { FakeContainerLog, FakeEngineLogs } from './fake-engine-logs.ts';
import { FakeLogServer } from './fake-log-server.ts';

/** The machine's clock, on which nobody waits for long. */
const hurried = {
  ...systemClock,
  monotonic: () => systemClock.monotonic() * 50,
  sleep: (ms: number, signal?: AbortSignal) => systemClock.sleep(ms / 50, signal),
};

/** A task of containers whose lines are shipped. */
export function shippedTask(
  names: readonly string[],
  logs: Partial<ContainerLogs> = {},
  id = '1',
): AgentTask & { readonly container: (name: string) => AgentContainer } {
  const task = taskSchema.parse({
    arn: `arn:aws:ecs:us-east-1:000000000000:task/default/${id}`,
    desiredStatus: 'RUNNING',
    containers: names.map((name) => ({ name, image: 'i', logs })),
  });
  return { ...task, container: (name) => task.containers.find((one) => one.name === name)! };
}

/** A host with an engine, a control plane, and agents that come and go. */
export class ShippingBench implements AsyncDisposable {
  readonly engine = new FakeEngineLogs();
  readonly server = new FakeLogServer();
  readonly told: string[] = [];
  readonly #real: EngineLogs | undefined;
  agent: LogShipping;

  /** @param real an engine instead of the one in memory */
  constructor(real?: EngineLogs) {
    this.#real = real;
    this.agent = this.#agent();
  }

  #agent(): LogShipping {
    const log = { info: () => {}, warn: (_: object, text: string) => this.told.push(text), error: () => {} };
    return new LogShipping({
      engine: this.#real ?? this.engine,
      clock: hurried,
      log: log as never,
      nameOf: (_task, name) => name,
    });
  }

  /** A container starts for the first time. */
  start(task: AgentTask, container: AgentContainer, terminal = false): FakeContainerLog {
    const log = new FakeContainerLog(terminal);
    this.engine.containers.set(container.name, log);
    this.agent.follow(task, container, true);
    return log;
  }

  /** SIGKILL of the agent, and another one that finds the containers. */
  kill(task: AgentTask): void {
    this.server.end();
    void this.agent.stop().catch(() => undefined);
    this.agent = this.#agent();
    for (const container of task.containers) this.agent.follow(task, container, false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.server.end();
    await this.agent.stop();
  }
}

/** Waits for what a test asserts next. */
export async function until(what: () => boolean, name: string): Promise<void> {
  const deadline = performance.now() + 180_000;
  while (!what()) {
    if (performance.now() > deadline) throw new Error(`did not see: ${name}`);
    await systemClock.sleep(2);
  }
}
