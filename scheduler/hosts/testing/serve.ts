import { randomBytes } from 'node:crypto';

import * as ecr from '@aws-sdk/client-ecr';
import * as ecs from '@aws-sdk/client-ecs';
import { Registry } from '@prometheus-io/client';
import {
  type AccessRequest,
  AwsError,
  awsJson,
  type Decision,
  defineService,
  type Principal,
} from '@slipway/auth/contract';
import { createGateway } from '@slipway/auth/gateway';
import { unwatched } from '@slipway/auth/gateway/testing';
import { TokenService } from '@slipway/auth/tokens';
import { type Clock, systemClock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import { ExecFront } from '../../exec/sessions/index.ts';
import { serverReach } from '../../reach/index.ts';
import { type LogStore, TaskLogs } from '../../signals/logs/index.ts';
import { MemoryLogs } from '../../signals/logs/store/testing/index.ts';
import type { UsageLedger } from '../../signals/usage/index.ts';
import { ClusterViews } from '../../views/index.ts';
import {
  type AgentControl,
  type AgentControlOptions,
  createAgentControl,
  type HostNetworks,
  noHostNetworks,
} from '../control/index.ts';
import { account, keysOf, principals, region, silent } from './callers.ts';
import type { TestRegistry } from './registry.ts';

/** What answers agents, and where. */
export interface Started {
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

export interface ServeOptions extends BenchOptions {
  readonly usage: UsageLedger;
}

const allowed = (): Decision => ({ allowed: true, reason: 'the test allows everything' });

/** Serves a control plane for agents: the real gateway, and only the operations that agents call. @param port 0 for a free one */
export async function serve(
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
    copies: exec.copies.meetings,
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
    upgrades: [...control.upgrades, exec.upgrade, exec.copies.upgrade],
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
