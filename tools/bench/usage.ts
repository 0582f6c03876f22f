import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseFrame, telemetryBody, telemetryMessage } from '@slipway/scheduler/hosts/wire';
import { StoredMetrics } from '@slipway/scheduler/signals/metrics/store';
import { UsageCollector, type UsageOptions, UsageTeller } from '@slipway/scheduler/signals/usage';
import type { InstanceRecord, TaskRecord } from '@slipway/scheduler/state';
import { systemClock } from '@slipway/storage/clock';
import { openStorage } from '@slipway/storage/engine';
import { type Section, short } from './results.ts';

const account = '000000000000';
const hosts = 100;
const tasksPerHost = 10;
const services = 50;
/** Agents measure every 20 s. */
const looks = 3;

const host = (index: number): InstanceRecord =>
  ({ id: `host-${index}`, status: 'ACTIVE', cpu: 16_384, memory: 65_536, gpuIds: [] }) as unknown as InstanceRecord;

const task = (index: number): TaskRecord =>
  ({
    id: `task-${index}`,
    arn: `arn:aws:ecs:us-east-1:${account}:task/shop/task-${index}`,
    taskDefinition: `arn:aws:ecs:us-east-1:${account}:task-definition/service-${index % services}:1`,
    service: { name: `service-${index % services}`, deploymentId: 'ecs-svc/1' },
    instanceId: `host-${Math.floor(index / tasksPerHost)}`,
    launchType: 'EC2',
    lastStatus: 'RUNNING',
    reservation: { cpu: 256, memory: 512, tcpPorts: [], udpPorts: [], gpus: 0 },
    containers: [{ name: 'main' }],
  }) as unknown as TaskRecord;

const set = (value: number) => ({ min: value, max: value, sum: value, sampleCount: 1 });

/** A frame as an agent sends it of the tasks of its host. */
function frame(of: readonly TaskRecord[], at: number): string {
  const taskMetrics = of.map(({ arn }) => ({
    taskArn: arn,
    taskDefinitionFamily: 'service',
    taskDefinitionVersion: '1',
    containerMetrics: [
      {
        containerName: 'main',
        cpuStatsSet: set(Math.random()),
        memoryStatsSet: set(200 + Math.random()),
        networkStatsSet: { rxBytesPerSecond: set(1_000), txBytesPerSecond: set(1_000) },
        storageStatsSet: { readSizeBytes: set(at), writeSizeBytes: set(at) },
      },
    ],
  }));
  return JSON.stringify({ type: 'PublishMetricsRequest', message: { taskMetrics, timestamp: at } });
}

/** What one server spends on a thousand tasks that report: frames of their agents, and what is told of each minute, until it is durable. */
export async function measureUsage(minutes: number): Promise<Section> {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-usage-'));
  const storage = await openStorage(
    {
      records: { type: 'sqlite', file: join(folder, 'records.db') },
      blobs: { type: 'filesystem', root: join(folder, 'blobs') },
    },
    systemClock,
  );
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const ports = { ...storage, clock: systemClock, random: randomBytes, log };
  const metrics = new StoredMetrics(ports, { maxBytes: () => Infinity });
  try {
    const shares: number[] = [];
    for (const value of ['disabled', 'enhanced']) shares.push(await shareOf(value, { ...ports, metrics }, minutes));
    const [plain = Number.NaN, insights = Number.NaN] = shares;
    const row = (what: string, share: number) => ({
      what,
      ours: `${short(share * 100)} % of a core`,
      peer: '',
      ratio: '',
      goal: 'under 3 %',
    });
    return {
      name: 'usage',
      title: 'What tasks use',
      command: 'npm run bench:signals -- --usage',
      notes: [
        `${hosts * tasksPerHost} tasks of ${services} services on ${hosts} hosts, each measured ${looks} times a minute; ${minutes} minutes of it in a row, in processor time of all threads of one process, divided by their length.`,
        'From the text of a frame to the samples of the minute in the metric store, on SQLite. What WebSockets cost is not in it.',
      ],
      rows: [row('1,000 tasks that report', plain), row('the same with Container Insights, enhanced', insights)],
    };
  } finally {
    await metrics.close();
    await storage.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function shareOf(
  insights: string,
  ports: Omit<UsageOptions, 'collector' | 'clusters' | 'pulls'> & ConstructorParameters<typeof UsageCollector>[0],
  minutes: number,
): Promise<number> {
  const collector = new UsageCollector(ports);
  const all = Array.from({ length: hosts * tasksPerHost }, (_, index) => task(index));
  const stored = <T extends { readonly id: string }>(values: readonly T[]) =>
    new Map(values.map((value) => [value.id, { key: value.id, version: 1, value }]));
  const names = Array.from({ length: services }, (_, index) => `service-${index}`);
  const view = {
    account,
    name: 'shop',
    cluster: { settings: [{ name: 'containerInsights', value: insights }] },
    instances: stored(Array.from({ length: hosts }, (_, index) => host(index))),
    tasks: stored(all),
    services: stored(names.map((id) => ({ id, name: id, status: 'ACTIVE', desiredCount: 20, deployments: [] }))),
  } as unknown as ReturnType<UsageOptions['clusters']>[number]['view'];
  const teller = new UsageTeller({ ...ports, collector, pulls: () => [], clusters: () => [{ view, epoch: 1 }] });
  const agents = await Promise.all(
    Array.from({ length: hosts }, async (_, index) => ({
      host: host(index),
      tasks: all.slice(index * tasksPerHost, (index + 1) * tasksPerHost),
      session: await collector.open({ account, cluster: 'shop', id: `host-${index}` }),
    })),
  );
  const signal = new AbortController().signal;
  const begin = Math.floor(Date.now() / 60_000) * 60_000 - minutes * 60_000;
  let spent = 0;
  for (let minute = 0; minute < minutes; minute++) {
    const frames = Array.from({ length: looks }, (_, look) =>
      agents.map((agent) => ({ agent, text: frame(agent.tasks, begin + minute * 60_000 + look * 20_000) })),
    ).flat();
    const before = process.cpuUsage();
    for (const { agent, text } of frames) {
      const message = parseFrame(telemetryMessage, telemetryBody(text));
      if (message?.type !== 'PublishMetricsRequest') throw new Error('the frame is not as agents send it');
      const { taskMetrics, timestamp } = message.message;
      agent.session.take(agent.host, agent.tasks, taskMetrics, timestamp);
    }
    await teller.tell(begin + minute * 60_000, signal);
    const { user, system } = process.cpuUsage(before);
    spent += (user + system) / 1e6;
  }
  return spent / (minutes * 60);
}
