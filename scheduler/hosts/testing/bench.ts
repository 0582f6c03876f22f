import { serverReach } from '../../reach/index.ts';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import * as ecr from '@aws-sdk/client-ecr';
import * as ecs from '@aws-sdk/client-ecs';
import type { ContainerDefinition, TaskOverride } from '@aws-sdk/client-ecs';
import { Registry } from '@prometheus-io/client';
import {
  type AccessRequest,
  AwsError,
  awsJson,
  type Decision,
  defineService,
  type Log,
  type Principal,
} from '@slipway/auth/contract';
import { createGateway } from '@slipway/auth/gateway';
import { unwatched } from '@slipway/auth/gateway/testing';
import { TokenService } from '@slipway/auth/tokens';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { openSqliteRecords, type RecordStore } from '@slipway/storage/records';
import Docker from 'dockerode';

import { ExecFront } from '../../exec/sessions/index.ts';
import {
  type AgentControl,
  type AgentControlOptions,
  createAgentControl,
  type HostNetworks,
  noHostNetworks,
} from '../control/index.ts';
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
import { type LogStore, TaskLogs } from '../../signals/logs/index.ts';
import { MemoryLogs } from '../../signals/logs/store/testing/index.ts';
import { taskDraft, type TaskDefinitionBody } from '../../tasks/index.ts';
import { UsageLedger } from '../../signals/usage/index.ts';
import { ClusterViews } from '../../views/index.ts';

import { showingSecret } from '../agent/control-plane-client.ts';
import { labels } from '../agent/docker.ts';
import { type Agent, type AgentOptions, createAgent } from '../agent/index.ts';
import { TaskNetwork } from '../agent/network/index.ts';
import type { TestRegistry } from './registry.ts';

export const region = 'us-east-1';
export const account = '000000000000';
const cluster = 'default';
const partition = clusterPartition(account, cluster);

/** Two callers; the second one is for trying to act for the first. */
const principals: Readonly<Record<string, Principal>> = {
  AKIAAGENTONE00000001: { type: 'user', account, arn: `arn:aws:iam::${account}:user/one`, id: 'AIDAONE' },
  AKIAAGENTTWO00000002: { type: 'user', account, arn: `arn:aws:iam::${account}:user/two`, id: 'AIDATWO' },
};

export const keysOf = (name: 'one' | 'two'): { accessKeyId: string; secretAccessKey: string } => ({
  accessKeyId: name === 'one' ? 'AKIAAGENTONE00000001' : 'AKIAAGENTTWO00000002',
  secretAccessKey: `secret of ${name}`,
});

/** Whom the keys are of. */
export const principalOf = (name: 'one' | 'two'): Principal => principals[keysOf(name).accessKeyId]!;

export const silent: Log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** The machine's clock, on which nobody waits for longer than they must: what an agent waits for, it looks at again after each wait. */
const hurried: Clock = { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms / 10, signal) };

/** Polls until `read` gives something. */
export async function until<T>(
  read: () => Promise<T | undefined> | T | undefined,
  what: string,
  within = 60_000,
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
  #control: AgentControl;
  #exec: ExecFront;
  #gateway: { close(deadlineMs?: number): Promise<void> };
  #port: number;

  readonly #more: ServeOptions;

  private constructor(records: RecordStore, folder: string, started: Started, more: ServeOptions, logs: LogStore) {
    this.records = records;
    this.logs = logs;
    this.#more = more;
    this.folder = folder;
    this.#control = started.control;
    this.#exec = started.exec;
    this.#gateway = started.gateway;
    this.#port = started.port;
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
    return `http://127.0.0.1:${this.#port}`;
  }

  get control(): AgentControl {
    return this.#control;
  }

  /** The sessions of ECS Exec. */
  get exec(): ExecFront {
    return this.#exec;
  }

  /** What agents have said of their tasks. */
  get usage(): UsageLedger {
    return this.#more.usage;
  }

  /** A client with the keys of a principal, on a host with a secret of its own or without one. */
  client(name: 'one' | 'two', secret?: string): ecs.ECSClient {
    const client = new ecs.ECSClient({ endpoint: this.endpoint, region, credentials: keysOf(name), maxAttempts: 1 });
    return secret === undefined ? client : showingSecret(client, () => secret);
  }

  /** The server goes away, without a word when `abruptly`, and comes back on the same port. */
  async stopServer(): Promise<void> {
    await this.#control.close();
    await this.#gateway.close(0);
  }

  async startServer(): Promise<void> {
    const started = await serve(this.records, this.#port, this.#more);
    this.#control = started.control;
    this.#exec = started.exec;
    this.#gateway = started.gateway;
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

interface Started {
  readonly control: AgentControl;
  readonly exec: ExecFront;
  readonly gateway: { close(deadlineMs?: number): Promise<void> };
  readonly port: number;
}

/** What a test adds to its control plane. */
export interface BenchOptions extends Partial<
  Pick<
    AgentControlOptions,
    'taskCredentials' | 'taskSecrets' | 'revokeTaskCredentials' | 'credentialIdKey' | 'abandonAfter'
  >
> {
  readonly registry?: TestRegistry;
  readonly networks?: HostNetworks;
  /** Asked before GetAuthorizationToken is answered; what it throws is the answer. */
  readonly authorize?: (principal: Principal) => Promise<void>;
  /** Where the output of containers goes. */
  readonly logs?: LogStore;
  /** What the roles that it is written with may. */
  readonly mayLog?: (principal: Principal, access: AccessRequest) => Decision;
  /** What connections of agents are timed by. */
  readonly clock?: Clock;
}

interface ServeOptions extends BenchOptions {
  readonly usage: UsageLedger;
}
const allowed = (): Decision => ({ allowed: true, reason: 'the test allows everything' });

async function serve(
  records: RecordStore,
  port: number,
  {
    registry,
    authorize,
    usage,
    networks = noHostNetworks,
    clock = systemClock,
    logs = new MemoryLogs(Date.now),
    mayLog = allowed,
    ...roles
  }: ServeOptions,
): Promise<Started> {
  const reach = serverReach({});
  const authorizer = { authorize: () => Promise.resolve(allowed()), foresee: () => Promise.resolve(undefined) };
  const ports = { records, clock, random: randomBytes, region, reach, log: silent, authorizer };
  const exec = new ExecFront({ ...ports, record: () => Promise.resolve(undefined) });
  const control = createAgentControl({
    meetings: exec.meetings,
    networks,
    records,
    views: new ClusterViews({ records, clock: systemClock, log: silent, placement: { seed: 1 } }),
    clock,
    random: randomBytes,
    region,
    reach,
    log: silent,
    usage: async (instance) => usage.open(instance),
    ownHost: () => false,
    credentialIdKey: randomBytes(32),
    taskCredentials: () => Promise.reject(new AwsError('AccessDenied', 'this test has no roles')),
    taskSecrets: () => Promise.reject(new Error('this test has no secrets')),
    taskVolumes: () => Promise.reject(new Error('this test has no file systems')),
    taskLogs: new TaskLogs({
      logs,
      clock: systemClock,
      region,
      authorizer: { authorize: async (principal, access) => mayLog(principal, access) },
    }),
    revokeTaskCredentials: () => Promise.resolve(),
    ...roles,
  });
  const plain = { seal: (text: string): string => text, open: (text: string): string => text };
  const tokens = new TokenService({ records, clock: systemClock, sealer: plain, issuer: 'slipway:test', region });
  const gateway = createGateway({
    ...unwatched(region),
    ...(registry === undefined ? {} : { web: [registry] }),
    services: [
      defineService({
        name: 'ecr',
        protocol: awsJson('1.1', 'AmazonEC2ContainerRegistry_V20150921'),
        client: ecr,
        operations: {
          GetAuthorizationToken: {
            access: 'authenticated',
            handle: async (_input, call) => {
              await authorize?.(call.principal);
              const { token, expiresAt } = await tokens.issueAuthorization(call.principal);
              const data = { authorizationToken: token, expiresAt: new Date(expiresAt), proxyEndpoint: call.endpoint };
              return { authorizationData: [data] };
            },
          },
        },
      }),
      defineService({
        name: 'ecs',
        protocol: awsJson('1.1', 'AmazonEC2ContainerServiceV20141113'),
        client: ecs,
        operations: control.operations,
      }),
    ],
    upgrades: [...control.upgrades, exec.upgrade],
    credentials: {
      find: (accessKeyId) => {
        const principal = principals[accessKeyId];
        if (principal === undefined) return Promise.resolve({ refused: 'unknown' });
        const secret = accessKeyId === keysOf('one').accessKeyId ? keysOf('one') : keysOf('two');
        return Promise.resolve({ secret: secret.secretAccessKey, principal });
      },
    },
    standing: { standing: () => Promise.resolve(true) },
    authorizer,
    tokens,
    clock: systemClock,
    log: silent,
    metrics: new Registry(),
    region,
    account,
  });
  const listening = await gateway.listen({ host: '127.0.0.1', port });
  return { control, exec, gateway, port: listening.port };
}

/** A Docker engine for a test: a busybox image of its own, and nothing of the test's containers left behind. */
export class TestEngine implements AsyncDisposable {
  readonly docker = new Docker();
  readonly image: string;
  readonly #folders: string[] = [];

  private constructor(image: string) {
    this.image = image;
  }

  static async open(): Promise<TestEngine> {
    const image = `slipway-agent-test-${newId(randomBytes).slice(0, 12)}:latest`;
    await promisify(execFile)('sh', [
      '-c',
      `d=$(mktemp -d) && mkdir -p $d/bin $d/tmp && cp /usr/bin/busybox $d/bin/ && ln -s busybox $d/bin/sh && tar -C $d -c . | docker import - ${image}; rm -rf $d`,
    ]);
    return new TestEngine(image);
  }

  async folder(): Promise<string> {
    const folder = await mkdtemp(join(tmpdir(), 'slipway-agent-data-'));
    this.#folders.push(folder);
    return folder;
  }

  /** A container that runs a shell script. */
  container(name: string, script: string, more: Partial<ContainerDefinition> = {}): ContainerDefinition {
    return {
      name,
      image: this.image,
      essential: true,
      cpu: 16,
      memory: 32,
      entryPoint: ['/bin/busybox', 'sh', '-c'],
      command: [script],
      ...more,
    };
  }

  containersOf(taskArn: string): Promise<Docker.ContainerInfo[]> {
    return this.docker.listContainers({ all: true, filters: { label: [`${labels.task}=${taskArn}`] } });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const left = await this.docker.listContainers({ all: true, filters: { ancestor: [this.image] } });
    // Those of the agents that ran them: what holds the tasks' network interfaces is of another image.
    const agents = new Set(left.flatMap(({ Labels }) => Labels[labels.agent] ?? []));
    for (const agent of agents) {
      const filters = { label: [`${labels.agent}=${agent}`] };
      left.push(
        ...(await this.docker.listContainers({ all: true, filters })).filter(
          ({ Id }) => !left.some((info) => info.Id === Id),
        ),
      );
    }
    await Promise.all(left.map((info) => this.docker.getContainer(info.Id).remove({ force: true, v: true })));
    const volumes = new Set(
      left.flatMap((info) => info.Mounts.flatMap(({ Name }) => (Name?.startsWith('ecs-') ? [Name] : []))),
    );
    await Promise.all([...volumes].map((name) => this.docker.getVolume(name).remove()));
    await this.docker.getImage(this.image).remove({ force: true });
    for (const folder of this.#folders) await rm(folder, { recursive: true, force: true });
  }
}

/** A second way to the Docker engine, which can be taken away. */
export class EngineProxy {
  readonly path: string;
  readonly #sockets = new Set<Socket>();
  #server: Server | undefined;

  constructor(path: string) {
    this.path = path;
  }

  async open(): Promise<void> {
    this.#server = createServer((near) => {
      const far = connect('/var/run/docker.sock');
      for (const [socket, other] of [
        [near, far],
        [far, near],
      ] as const) {
        this.#sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => {
          this.#sockets.delete(socket);
          other.destroy();
        });
        socket.pipe(other);
      }
    });
    const listening = Promise.withResolvers<void>();
    this.#server.listen(this.path, () => listening.resolve());
    await listening.promise;
  }

  async close(): Promise<void> {
    const closed = Promise.withResolvers<void>();
    if (this.#server === undefined) return;
    this.#server.close(() => closed.resolve());
    this.#server = undefined;
    for (const socket of this.#sockets) socket.destroy();
    await closed.promise;
  }
}

/** A script that runs until it is told to stop. */
export const server = 'trap "exit 0" TERM; while :; do busybox sleep 1 & wait $!; done';

/** Why tests that need the host's network cannot run; undefined when they can. Leaves nothing behind. */
export async function networkMissing(): Promise<string | undefined> {
  const probe = new TaskNetwork({
    agentId: `probe-${process.pid}`,
    endpointPort: 1,
    engineNetworks: async () => [],
    nameServers: async () => [],
    log: silent,
  });
  const reason = await probe.reason();
  if (reason === undefined) await probe.close();
  return reason;
}

/** Why tests that need a Docker engine cannot run; undefined when they can. */
export async function engineMissing(): Promise<string | undefined> {
  try {
    await new Docker().ping();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
