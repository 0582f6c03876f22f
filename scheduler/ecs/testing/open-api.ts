import { serverReach } from '../../reach/index.ts';
import { Registry } from '@prometheus-io/client';
import {
  CreateClusterCommand,
  ECSClient,
  RegisterContainerInstanceCommand,
  RegisterTaskDefinitionCommand,
  type RegisterTaskDefinitionCommandInput,
  SubmitTaskStateChangeCommand,
  type TaskDefinition,
} from '@aws-sdk/client-ecs';
import type { AccessRequest, Decision, FrontAuthorizer, Principal, ServiceDefinition } from '@slipway/auth/contract';
import { createGateway } from '@slipway/auth/gateway';
import { unwatched } from '@slipway/auth/gateway/testing';
import { createOutbound } from '@slipway/auth/outbound';
import { TokenService } from '@slipway/auth/tokens';
import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';
import aws4 from 'aws4';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Networks } from '../../network/records/index.ts';
import { taskNetworks } from '../../network/tasks/index.ts';
import { Meetings, WaitingSessions } from '../../exec/sessions/index.ts';
import { createAgentControl, createHostAdministration, noHostNetworks } from '../../hosts/control/index.ts';
import { type ControlPlaneOptions, createControlPlane } from '../../control/index.ts';
import { changeInstance, createCluster, type EcsPorts } from '../../cluster/index.ts';
import type { TrafficRule } from '../../services/index.ts';
import { idOf } from '../../state/index.ts';
import { ClusterViews } from '../../views/index.ts';
import { createEcs } from '../create-ecs.ts';
import type { EcsOptions } from '../options.ts';

export const account = '000000000000';
export const region = 'us-east-1';

const principal: Principal = {
  type: 'user',
  account,
  arn: `arn:aws:iam::${account}:user/admin`,
  id: 'AIDAADMIN',
  accessKeyId: 'AKIAADMIN',
};
const secret = 'the-admin-secret';
/** Of the one who may do everything that is not denied. */
export const testCredentials = { accessKeyId: 'AKIAADMIN', secretAccessKey: secret };
const quiet = { info: () => {}, warn: () => {}, error: () => {} };

/** The ECS API behind the real gateway, with the real stores, placement, reconciler and agent operations; no Docker. */
export interface TestApi extends AsyncDisposable {
  readonly url: string;
  /** What the gateway serves. */
  readonly service: ServiceDefinition;
  readonly ecs: ECSClient;
  readonly ports: EcsPorts;
  /** What the gateway asked the authorizer, newest last. */
  readonly asked: AccessRequest[];
  /** Actions that the authorizer refuses. */
  readonly denied: Set<string>;
  /** Target groups that are there, by ARN. */
  readonly groups: Map<string, { targetType: 'instance' | 'ip'; usedBy: string | undefined }>;
  /** Auto Scaling groups that are there, by name. */
  readonly hostGroups: Map<string, { readonly protectNew: boolean }>;
  /** Rules and listeners that are there, by ARN. */
  readonly rules: Map<string, TrafficRule>;
  /** A cluster of its own for a test. @returns its name */
  newCluster(): Promise<string>;
  /** Registers a container instance and says that its agent is connected. @returns its ARN */
  addInstance(options?: {
    cluster?: string;
    cpu?: number;
    memory?: number;
    attributes?: Record<string, string>;
  }): Promise<string>;
  /** Registers a task definition with one container of 64 MiB, changed as given. */
  define(input?: Partial<RegisterTaskDefinitionCommandInput>): Promise<TaskDefinition>;
  /** POST to a route of the server's own, signed. */
  post(path: string): Promise<{ readonly status: number; readonly body: unknown }>;
  /** Ids of the default network's subnets. */
  subnets(): Promise<string[]>;
  /** Says what an agent would say about a task. */
  report(taskArn: string, status: 'RUNNING' | 'STOPPED', exitCode?: number): Promise<void>;
}

/** What an API that is served beside ECS's may work with. */
export type BesidePorts = EcsPorts &
  Pick<EcsOptions, 'networks' | 'outbound'> & { readonly authorizer: FrontAuthorizer };

export async function openApi({
  reach = serverReach({}),
  beside = () => [],
  ...timing
}: Partial<
  Pick<EcsPorts, 'reach'> &
    Pick<ControlPlaneOptions, 'replaceLostAfter'> & {
      readonly beside: (ports: BesidePorts) => readonly ServiceDefinition[];
    }
> = {}): Promise<TestApi> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'slipway-ecs-'));
  opened.defer(() => rm(folder, { recursive: true }));
  const storage = await openStorage(
    {
      records: { type: 'sqlite', file: join(folder, 'records.db') },
      blobs: { type: 'filesystem', root: join(folder, 'blobs') },
    },
    systemClock,
  );
  opened.defer(() => storage.close());
  const ports: EcsPorts = { records: storage.records, clock: systemClock, random: randomBytes, region, reach };
  const views = new ClusterViews({ ...ports, log: quiet, placement: { seed: 1 } });
  const control = createControlPlane({
    ...ports,
    leases: storage.leases,
    log: quiet,
    accounts: [account],
    images: { resolve: () => Promise.resolve(undefined) },
    ownHost: () => false,
    views,
    reconciler: { healthyAfterRunning: 50 },
    ...timing,
  });
  const networks = new Networks({ ...ports, zonesOfHosts: () => Promise.resolve([`${region}a`]) });
  const unasked = () => Promise.reject(new Error('no agent is connected that could ask'));
  const agents = createAgentControl({
    ...ports,
    meetings: new Meetings(systemClock),
    copies: new Meetings(systemClock),
    networks: noHostNetworks,
    views,
    log: quiet,
    usage: () => Promise.reject(new Error('no agent is connected that could tell')),
    ownHost: () => false,
    credentialIdKey: randomBytes(32),
    taskLogs: { open: unasked, ship: unasked },
    taskCredentials: unasked,
    taskSecrets: unasked,
    taskVolumes: unasked,
    revokeTaskCredentials: () => Promise.resolve(),
  });
  opened.defer(() => agents.close());
  const outbound = createOutbound();
  opened.defer(() => outbound.close());
  const asked: AccessRequest[] = [];
  const denied = new Set<string>();
  const groups: TestApi['groups'] = new Map();
  const hostGroups: TestApi['hostGroups'] = new Map();
  const rules: TestApi['rules'] = new Map();
  const refusal = (action: string): Decision | undefined =>
    denied.has(action) ? { allowed: false, reason: `no identity-based policy allows the ${action} action` } : undefined;
  const authorizer: FrontAuthorizer = {
    authorize: (_principal, access) => {
      asked.push(access);
      return Promise.resolve(refusal(access.action) ?? { allowed: true, reason: 'the test allows it' });
    },
    foresee: (_principal, action) => Promise.resolve(refusal(action)),
  };
  const service = createEcs({
    ...ports,
    networks: taskNetworks(networks),
    targetGroups: {
      patience: 700,
      find: (_account, arn) => Promise.resolve(groups.get(arn)),
      rule: (_account, arn) => Promise.resolve(rules.get(arn)),
    },
    outbound,
    placer: control.placer,
    sessions: new WaitingSessions(ports),
    autoScalingGroups: { byName: (_account, name) => Promise.resolve(hostGroups.get(name)) },
    agentOperations: agents.operations,
  });
  const gateway = createGateway({
    ...unwatched(region),
    services: [service, ...beside({ ...ports, networks: taskNetworks(networks), outbound, authorizer })],
    web: [createHostAdministration(ports)],
    credentials: {
      find: (id) => Promise.resolve(id === principal.accessKeyId ? { secret, principal } : { refused: 'unknown' }),
    },
    standing: { standing: () => Promise.resolve(true) },
    authorizer,
    tokens: new TokenService({
      ...ports,
      issuer: `slipway:${account}`,
      sealer: { seal: (text) => text, open: (text) => text },
    }),
    clock: systemClock,
    log: quiet,
    metrics: new Registry(),
    region,
    account,
  });
  await createCluster(ports, { account, cluster: 'default' }, { tags: {}, settings: [] });
  await control.start();
  opened.defer(() => control.stop());
  const { url } = await gateway.listen({ host: '127.0.0.1', port: 0 });
  opened.defer(() => gateway.close(500));
  const ecs = new ECSClient({
    endpoint: url,
    region,
    credentials: testCredentials,
    maxAttempts: 1,
  });
  opened.defer(() => ecs.destroy());
  const closing = opened.move();
  let families = 0;
  let clusters = 0;
  return {
    url,
    service,
    ecs,
    ports,
    asked,
    denied,
    groups,
    hostGroups,
    rules,
    newCluster: async () => {
      const clusterName = `cluster-${++clusters}`;
      await ecs.send(new CreateClusterCommand({ clusterName }));
      return clusterName;
    },
    addInstance: async ({ cluster = 'default', cpu = 1024, memory = 1024, attributes = {} } = {}) => {
      const { containerInstance } = await ecs.send(
        new RegisterContainerInstanceCommand({
          cluster,
          totalResources: [
            { name: 'CPU', type: 'INTEGER', integerValue: cpu },
            { name: 'MEMORY', type: 'INTEGER', integerValue: memory },
            { name: 'PORTS', type: 'STRINGSET', stringSetValue: ['22', '2375'] },
            { name: 'PORTS_UDP', type: 'STRINGSET', stringSetValue: [] },
          ],
          attributes: Object.entries(attributes).map(([name, value]) => ({ name, ...(value === '' ? {} : { value }) })),
        }),
      );
      const arn = containerInstance?.containerInstanceArn ?? '';
      await changeInstance(ports, { account, cluster }, idOf(arn), (instance) => ({
        ...instance,
        agentConnected: true,
        connectionId: 'test',
      }));
      return arn;
    },
    define: async (input) => {
      families++;
      const { taskDefinition } = await ecs.send(
        new RegisterTaskDefinitionCommand({
          family: `family-${families}`,
          containerDefinitions: [{ name: 'main', image: 'busybox', memory: 64 }],
          ...input,
        }),
      );
      if (taskDefinition === undefined) throw new Error('no task definition came back');
      return taskDefinition;
    },
    post: async (path) => {
      const { host } = new URL(url);
      const keys = { accessKeyId: 'AKIAADMIN', secretAccessKey: secret };
      const { headers } = aws4.sign({ method: 'POST', host, path, service: 'ecs', region }, keys);
      const answer = await fetch(new URL(path, url), { method: 'POST', headers: headers as Record<string, string> });
      const text = await answer.text();
      return { status: answer.status, body: text.startsWith('{') ? JSON.parse(text) : text };
    },
    subnets: async () => (await networks.read(account)).all('subnet').map(({ id }) => id),
    report: async (taskArn, status, exitCode) => {
      const [cluster = '', id = ''] = taskArn.split(':task/')[1]?.split('/') ?? [];
      await ecs.send(
        new SubmitTaskStateChangeCommand({
          cluster,
          task: `arn:aws:ecs:${region}:${account}:task/${cluster}/${id}`,
          status,
          containers: [{ containerName: 'main', status, ...(exitCode === undefined ? {} : { exitCode }) }],
        }),
      );
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
