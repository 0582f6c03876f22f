import { randomBytes } from 'node:crypto';
import { systemClock } from '@slipway/storage/clock';
import { openLeases } from '@slipway/storage/leases';
import { transact } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';

import { type Answer, account, callerOf, region } from '../../balancing/testing/caller.ts';
import { createCluster, type EcsPorts } from '../../cluster/index.ts';
import { serverReach } from '../../reach/index.ts';
import { createService, deleteService, findService, type ServiceDraft } from '../../services/index.ts';
import { arns, clusterKeys, clusterPartition, leaderLease, type ServiceRecord, toJson } from '../../state/index.ts';
import { type AlarmRecord, Alarms, StoredPoints } from '../../signals/alarms/index.ts';
import type { GroupRates } from '../../balancing/numbers/index.ts';
import { Readings } from '../../signals/usage/index.ts';
import { MemoryMetrics } from '../../signals/metrics/store/testing/index.ts';
import { createScaling, scalingSchemas } from '../api/index.ts';
import { scaleServices, type ScalerPorts } from '../targets/index.ts';

const cluster = 'default';
const partition = clusterPartition(account, cluster);

const draft: ServiceDraft = {
  schedulingStrategy: 'REPLICA',
  desiredCount: 2,
  taskDefinition: arns.taskDefinition(region, account, 'web', 1),
  deploymentConfiguration: { maximumPercent: 200, minimumHealthyPercent: 100 },
  placementConstraints: [],
  placementStrategy: [],
  launchType: 'EC2',
  tags: {},
  propagateTags: 'NONE',
  enableECSManagedTags: false,
  enableExecuteCommand: false,
  availabilityZoneRebalancing: 'DISABLED',
};

/** The API of Application Auto Scaling over a store in memory with a service `web` of two tasks, and a clock that stands where a test puts it. */
export async function openScaling() {
  let asleep: (() => void)[] = [];
  const clock = {
    ...systemClock,
    at: Date.parse('2026-06-15T12:00:00Z'),
    now: () => clock.at,
    monotonic: () => clock.at,
    sleep: (_milliseconds: number, signal?: AbortSignal) =>
      new Promise<void>((resolve, reject) => {
        asleep.push(resolve);
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
      }),
  };
  const records = memoryRecords(systemClock);
  const ports: EcsPorts = { records, clock, random: randomBytes, region, reach: serverReach({}) };
  await createCluster(ports, { account, cluster }, { tags: {}, settings: [] });
  const make = (service: string, changed: Partial<ServiceDraft> = {}): Promise<ServiceRecord> =>
    createService(
      ports,
      { account, cluster, service },
      { ...draft, ...changed },
      { arn: arns.service(region, account, cluster, service) },
    );
  await make('web');
  const alarms = new Alarms(ports);
  const metrics = new MemoryMetrics(() => clock.at);
  const points = new StoredPoints(metrics);
  const readings = new Readings(ports);
  const rates = new Map<string, GroupRates>();
  const lines: { readonly message: string; readonly fields: object }[] = [];
  const note = (fields: object, message: string): void => void lines.push({ fields, message });
  const { call, access, refusal } = callerOf(createScaling({ ...ports, alarms }), scalingSchemas, {
    write: (_name, _shapes, input) => Buffer.from(JSON.stringify(input)),
    read: (answer: Answer, body) => (Buffer.isBuffer(body) ? (JSON.parse(body.toString('utf8')) as Answer) : answer),
    now: clock.now,
  });
  const web = {
    ServiceNamespace: 'ecs',
    ResourceId: 'service/default/web',
    ScalableDimension: 'ecs:service:DesiredCount',
  };
  const service = (name = 'web'): Promise<ServiceRecord | undefined> =>
    findService(ports, { account, cluster, service: name });
  const over = new AbortController();
  let tasks = 2;
  return {
    ports,
    clock,
    lines,
    web,
    make,
    service,
    refusal,
    access,
    call,
    /** The request of an operation on `web`. */
    on: (name: string, input: object = {}): Promise<Answer> => call(name, { ...web, ...input }),
    refused: (name: string, input: object = {}): Promise<string> => refusal(name, { ...web, ...input }),
    /** The deployment that began with the service is over. */
    deployed: (): Promise<void> =>
      transact(records, partition, async (tx) => {
        const before = await tx.get<ServiceRecord>(clusterKeys.service('web'));
        const deployments = before?.deployments.map((one) => ({ ...one, rolloutState: 'COMPLETED' }));
        tx.put(clusterKeys.service('web'), toJson({ ...before, deployments }));
      }),
    setDesired: (desiredCount: number): Promise<void> =>
      transact(records, partition, async (tx) => {
        const before = await tx.get<ServiceRecord>(clusterKeys.service('web'));
        tx.put(clusterKeys.service('web'), toJson({ ...before, desiredCount }));
      }),
    end: async (name = 'web'): Promise<void> => {
      await deleteService(ports, { account, cluster, service: name }, true);
      await transact(records, partition, async (tx) => {
        const before = await tx.get<ServiceRecord>(clusterKeys.service(name));
        tx.put(clusterKeys.service(name), toJson({ ...before, status: 'INACTIVE' }));
      });
    },
    activities: async (): Promise<readonly Answer[]> =>
      ((await call('DescribeScalingActivities', { ServiceNamespace: 'ecs' })) as { ScalingActivities: Answer[] })
        .ScalingActivities,
    metrics,
    alarms,
    /** The names of all alarms. */
    alarmNames: async (): Promise<readonly string[]> => [...(await alarms.all(account)).keys()],
    /** Sets the state of an alarm, as an evaluation would. */
    alarm: (name: string, state: AlarmRecord['state']): Promise<void> =>
      alarms.setState(account, name, { state, reason: 'the test says so' }),
    /** A point of the CPU of `web`, in the minute that begins at a time. */
    cpu: (at: string, value: number): Promise<void> =>
      metrics.put(account, [
        {
          namespace: 'AWS/ECS',
          name: 'CPUUtilization',
          dimensions: [
            { name: 'ClusterName', value: cluster },
            { name: 'ServiceName', value: 'web' },
          ],
          timestamp: Date.parse(at),
          resolution: 60,
          measured: value,
        },
      ]),
    readings,
    /** How often target groups were asked, by id. */
    rates,
    /** As many tasks of `web` run. */
    running: (count: number): void => void (tasks = count),
    /** Has the leader look once, at a time. */
    async look(at: string): Promise<void> {
      clock.at = Date.parse(at);
      const held = await openLeases(records, systemClock, Math.random).acquire(partition, leaderLease, {
        ttl: 60_000,
        signal: over.signal,
      });
      const services = new Map<string, { value: ServiceRecord }>();
      for (const name of ['web', 'other']) {
        const value = await service(name);
        if (value !== undefined) services.set(name, { value });
      }
      const log: ScalerPorts['log'] = { info: note, warn: note, error: note };
      const openTasksOfService = () =>
        Array.from({ length: tasks }, () => ({ lastStatus: 'RUNNING', desiredStatus: 'RUNNING' }));
      const led = { view: { account, name: cluster, services, openTasksOfService }, held } as unknown as Parameters<
        typeof scaleServices
      >[1];
      const once = new AbortController();
      const scaling = scaleServices(
        { ...ports, log, alarms, points, metrics, fresh: { readings, rates: (_account, group) => rates.get(group) } },
        led,
        AbortSignal.any([once.signal, over.signal]),
      );
      while (asleep.length === 0) await new Promise((resolve) => setImmediate(resolve));
      asleep = [];
      once.abort();
      await scaling;
      await held.release();
    },
  };
}
