import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ECSClient, type TaskOverride } from '@aws-sdk/client-ecs';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { openSqliteRecords, type RecordStore } from '@slipway/storage/records';

import type { ExecFront } from '../../exec/sessions/index.ts';
import type { LogStore } from '../../signals/logs/index.ts';
import { MemoryLogs } from '../../signals/logs/store/testing/index.ts';
import { UsageLedger } from '../../signals/usage/index.ts';
import {
  accountKeys,
  accountPartition,
  arns,
  clusterKeys,
  clusterPartition,
  type InstanceRecord,
  newId,
  type TaskDefinitionRecord,
  type TaskRecord,
  toJson,
} from '../../state/index.ts';
import { taskDraft, type TaskDefinitionBody } from '../../tasks/index.ts';
import { showingSecret } from '../agent/control-plane-client.ts';
import { type Agent, type AgentOptions, createAgent } from '../agent/index.ts';
import type { AgentControl } from '../control/index.ts';
import { account, keysOf, region, silent } from './callers.ts';
import { type BenchOptions, serve, type ServeOptions, type Started } from './serve.ts';

const cluster = 'default';
const partition = clusterPartition(account, cluster);

/** The machine's clock, on which nobody waits for longer than they must: what an agent waits for, it looks at again after each wait. */
const hurried: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 10, signal) };

/** Polls until `read` gives something. */
export async function until<T>(
  read: () => Promise<T | undefined> | T | undefined,
  what: string,
  within = 180_000,
): Promise<T> {
  const deadline = performance.now() + within;
  for (;;) {
    const value = await read();
    if (value !== undefined) return value;
    if (performance.now() > deadline) throw new Error(`did not see within ${within} ms: ${what}`);
    await systemClock.sleep(25);
  }
}

/** A control plane for agents: real records, the real gateway on a free port, and only the operations that agents call. */
export class TestControlPlane implements AsyncDisposable {
  readonly records: RecordStore;
  readonly logs: LogStore;
  readonly folder: string;
  readonly #more: ServeOptions;
  #started: Started;

  private constructor(records: RecordStore, folder: string, started: Started, more: ServeOptions, logs: LogStore) {
    this.records = records;
    this.logs = logs;
    this.#more = more;
    this.folder = folder;
    this.#started = started;
  }

  static async open(more: BenchOptions = {}): Promise<TestControlPlane> {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-agent-test-'));
    const records = await openSqliteRecords({ file: join(folder, 'records.db') }, systemClock);
    await records.commit(partition, {
      put: [
        {
          key: clusterKeys.cluster,
          value: {
            name: cluster,
            status: 'ACTIVE',
            createdAt: Date.now(),
            tags: {},
            settings: [],
            capacityProviders: [],
            defaultCapacityProviderStrategy: [],
          },
        },
      ],
    });
    // Tests share the machine's Docker engine: each is an installation of its own.
    const usage = new UsageLedger(Date.now);
    const own = { credentialIdKey: randomBytes(32), usage, logs: new MemoryLogs(Date.now), ...more };
    return new TestControlPlane(records, folder, await serve(records, 0, own), own, own.logs);
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.#started.port}`;
  }

  get control(): AgentControl {
    return this.#started.control;
  }

  /** The sessions of ECS Exec. */
  get exec(): ExecFront {
    return this.#started.exec;
  }

  /** What agents have said of their tasks. */
  get usage(): UsageLedger {
    return this.#more.usage;
  }

  /** A client with the keys of a principal, on a host with a secret of its own or without one. */
  client(name: 'one' | 'two', secret?: string): ECSClient {
    const client = new ECSClient({ endpoint: this.endpoint, region, credentials: keysOf(name), maxAttempts: 1 });
    return secret === undefined ? client : showingSecret(client, () => secret);
  }

  /** The server goes away, without a word when `abruptly`, and comes back on the same port. */
  async stopServer(): Promise<void> {
    await this.#started.control.close();
    await this.#started.gateway.close(0);
  }

  async startServer(): Promise<void> {
    this.#started = await serve(this.records, this.#started.port, this.#more);
  }

  agent(options: Partial<AgentOptions> & Pick<AgentOptions, 'dataDir'>): Agent {
    return createAgent({
      endpoint: this.endpoint,
      region,
      credentials: () => Promise.resolve(keysOf('one')),
      log: silent,
      pullBehavior: 'prefer-cached',
      bindAddress: '127.0.0.1',
      stopTimeout: 2_000,
      // One agent of a machine can have it.
      taskEndpoint: 'off',
      taskNetwork: 'off',
      clock: hurried,
      ...options,
    });
  }

  /** Starts an agent, and waits until it is connected. @returns the ARN of its instance */
  async join(agent: Agent): Promise<string> {
    const { containerInstanceArn } = await agent.start();
    await this.untilConnected(containerInstanceArn, true);
    return containerInstanceArn;
  }

  async register(body: TaskDefinitionBody): Promise<TaskDefinitionRecord> {
    const family = body.family ?? `family-${newId(randomBytes).slice(0, 8)}`;
    const record: TaskDefinitionRecord = {
      arn: arns.taskDefinition(region, account, family, 1),
      family,
      revision: 1,
      status: 'ACTIVE',
      registeredAt: Date.now(),
      definition: { networkMode: 'bridge', ...body, family },
      requiresAttributes: [],
      tags: {},
    };
    await this.records.commit(accountPartition(account), {
      put: [{ key: accountKeys.taskDefinition(family, 1), value: toJson(record) }],
    });
    return record;
  }

  /** Places a task on an instance, as the scheduler would. */
  async place(
    definition: TaskDefinitionRecord,
    instanceArn: string,
    more: Partial<TaskRecord> & { overrides?: TaskOverride } = {},
  ): Promise<TaskRecord> {
    const draft = taskDraft(definition, {
      region,
      account,
      cluster,
      id: newId(randomBytes),
      now: Date.now(),
      group: `family:${definition.family}`,
      tags: {},
      launchType: 'EC2',
      ...(more.overrides === undefined ? {} : { overrides: more.overrides }),
    });
    const task: TaskRecord = { ...draft, instanceId: instanceArn.slice(instanceArn.lastIndexOf('/') + 1), ...more };
    await this.putTask(task);
    return task;
  }

  async putTask(task: TaskRecord): Promise<void> {
    await this.records.commit(partition, { put: [{ key: clusterKeys.task(task.id), value: toJson(task) }] });
  }

  /** Wants a task stopped, as StopTask does. */
  async stopTask(id: string): Promise<void> {
    const task = await this.task(id);
    const stopping: TaskRecord = {
      ...task,
      desiredStatus: 'STOPPED',
      stopCode: 'UserInitiated',
      stoppedReason: 'Task stopped by user',
      version: task.version + 1,
    };
    await this.putTask(stopping);
  }

  async task(id: string): Promise<TaskRecord> {
    const stored = await this.records.get<TaskRecord>(partition, clusterKeys.task(id));
    if (stored === undefined) throw new Error(`no task ${id}`);
    return stored.value;
  }

  async putInstance(record: InstanceRecord): Promise<void> {
    await this.records.commit(partition, { put: [{ key: clusterKeys.instance(record.id), value: toJson(record) }] });
  }

  async instance(arn: string): Promise<InstanceRecord> {
    const id = arn.slice(arn.lastIndexOf('/') + 1);
    const stored = await this.records.get<InstanceRecord>(partition, clusterKeys.instance(id));
    if (stored === undefined) throw new Error(`no instance ${id}`);
    return stored.value;
  }

  untilTask(id: string, status: TaskRecord['lastStatus'], within?: number): Promise<TaskRecord> {
    return until(
      async () => {
        const task = await this.task(id);
        return task.lastStatus === status ? task : undefined;
      },
      `task ${status}`,
      within,
    );
  }

  untilConnected(arn: string, connected: boolean, within?: number): Promise<InstanceRecord> {
    return until(
      async () => {
        const instance = await this.instance(arn);
        return instance.agentConnected === connected ? instance : undefined;
      },
      `agentConnected ${connected}`,
      within,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stopServer();
    await this.records.close();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Ends what a test has opened, the agent first; where opening failed, some of it is not there. */
export async function endBench(
  agent: Agent | undefined,
  plane: TestControlPlane | undefined,
  engine: AsyncDisposable | undefined,
): Promise<void> {
  await agent?.stop();
  await plane?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
}
