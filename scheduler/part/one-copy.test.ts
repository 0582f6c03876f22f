import type { RegisterContainerInstanceCommandOutput } from '@aws-sdk/client-ecs';
import type { Call } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import { openEventLog } from '@slipway/storage/events';
import { openLeases } from '@slipway/storage/leases';
import { memoryRecords } from '@slipway/storage/records/memory';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { expect, test, vi } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';

import { addressPool } from '../balancing/records/index.ts';
import { resources } from '../hosts/testing/agent-peer.ts';
import { MemoryBlobs } from '../signals/logs/store/testing/index.ts';
import { serverReach } from '../reach/index.ts';
import { clusterPartition } from '../state/index.ts';
import { askedRecords } from '../views/testing/asked-records.ts';
import { openScheduler } from './open-scheduler.ts';

const account = '000000000000';
const region = 'us-east-1';
const partition = clusterPartition(account, 'default');
const silent = (): void => {};

const call: Call = {
  requestId: 'r',
  principal: { type: 'user', account, arn: `arn:aws:iam::${account}:user/agent`, id: 'AIDAAGENT' },
  account,
  region,
  endpoint: 'http://127.0.0.1:7500',
  sourceIp: '127.0.0.1',
  userAgent: 'test',
  time: new Date(),
  signal: new AbortController().signal,
};

test('a server reads and follows a cluster once, for its leader and for all of its agents', async () => {
  await using opened = new AsyncDisposableStack();
  const truth = memoryRecords(systemClock);
  const { records, asked } = askedRecords(truth);
  const scheduler = openScheduler({
    storage: {
      records,
      blobs: new MemoryBlobs(),
      leases: openLeases(records, systemClock, Math.random),
      events: openEventLog(truth, systemClock, Math.random),
    },
    clock: systemClock,
    random: randomBytes,
    log: { info: silent, warn: silent, error: silent },
    meter: { passed: silent, decided: silent, hooked: silent },
    region,
    account,
    images: { resolve: () => Promise.resolve(undefined) },
    pulls: () => [],
    ownHost: () => false,
    reach: serverReach({}),
    authorizer: { authorize: () => Promise.resolve({ allowed: true, reason: 'the test allows it' }) },
    outbound: { fetch: () => Promise.reject(new Error('no hook is asked')), check: (url) => new URL(url) },
    takeRole: () => Promise.reject(new Error('no hook has a role')),
    profileRole: () => Promise.resolve(undefined),
    serverCertificate: () => Promise.resolve(undefined),
    machines: {
      providers: [],
      machineCredentials: () => Promise.reject(new Error('there are no machines')),
      joinKey: new Uint8Array(16),
      endpoint: () => 'http://127.0.0.1:7500',
    },
    principals: { bind: (text) => Promise.resolve(text), show: (text) => Promise.resolve(text) },
    sealer: { seal: (text) => text, open: (text) => text },
    taskCredentials: () => Promise.reject(new Error('no task has a role')),
    revokeTaskCredentials: () => Promise.resolve(),
    credentialIdKey: randomBytes(32),
    traffic: { addresses: addressPool([], 'elb.localhost'), engines: [], probe: undefined, authority: undefined },
    logs: { maxBytes: () => Infinity },
    metrics: { maxBytes: () => Infinity },
    fileSystems: { encrypted: false },
    plugins: { strategies: [], constraints: [] },
    seed: 1,
    stopwatch: () => 0,
    timing: {},
  });
  opened.defer(() => scheduler.close());
  opened.defer(() => scheduler.stop());
  await scheduler.start({ upkeep: false });
  const register = scheduler.services[0]?.operations['RegisterContainerInstance'] as unknown as {
    handle(input: object, call: Call): Promise<RegisterContainerInstanceCommandOutput>;
  };
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0 });
  opened.defer(() => {
    server.close();
  });
  await once(server, 'listening');
  const waiting = new Map<string, (ws: WebSocket) => void>();
  server.on('connection', (ws, request) => waiting.get(request.url ?? '')?.(ws));
  const { port } = server.address() as AddressInfo;

  const agents = await Promise.all(
    Array.from({ length: 3 }, async () => {
      const arn = (await register.handle(resources(1024), call)).containerInstance?.containerInstanceArn ?? '';
      const heard: string[] = [];
      for (const kind of ['control', 'telemetry'] as const) {
        const open = async (): Promise<WebSocket> => {
          const path = `/${arn}/${kind}`;
          const client = new WebSocket(`ws://127.0.0.1:${port}${path}`);
          client.on('message', (data: Buffer) => heard.push((JSON.parse(String(data)) as { type: string }).type));
          client.on('error', silent);
          opened.defer(() => client.terminate());
          const accepted = Promise.withResolvers<WebSocket>();
          waiting.set(path, accepted.resolve);
          return accepted.promise;
        };
        const query = new URLSearchParams({ containerInstanceArn: arn, containerInstance: arn, seqNum: '1' });
        void scheduler.connectAgent(kind, query, call, open);
      }
      return heard;
    }),
  );

  // Both sessions of each beat, and the one for its tasks has found its instance in the view: only then it says which it should have.
  const said = (heard: readonly string[], type: string): number => heard.filter((one) => one === type).length;
  await vi.waitFor(
    () => {
      for (const heard of agents) {
        expect(said(heard, 'HeartbeatMessage')).toBeGreaterThanOrEqual(2);
        expect(said(heard, 'TaskManifestMessage')).toBeGreaterThanOrEqual(1);
      }
    },
    { timeout: 30_000 },
  );
  const view = await scheduler.control.view(account, 'default');
  expect(view?.instances.size).toBe(3);
  expect(asked.follows.filter((name) => name === partition)).toHaveLength(1);
  expect(asked.following.filter((name) => name === partition)).toHaveLength(1);
  // Whatever else is read page by page is none of the kinds of rows that the view holds.
  const kinds = new Set(asked.lists.filter((list) => list.partition === partition).map(({ prefix }) => prefix));
  expect([...kinds].filter((prefix) => /^(instance|task|service)\//.test(prefix))).toEqual([]);
});
