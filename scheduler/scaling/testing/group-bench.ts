import { randomBytes } from 'node:crypto';
import type { Call } from '@slipway/auth/contract';
import { OutboundError } from '@slipway/auth/outbound';
import { systemClock } from '@slipway/storage/clock';
import { openLeases } from '@slipway/storage/leases';
import { transact } from '@slipway/storage/records';
import { memoryRecords } from '@slipway/storage/records/memory';

import { type Answer, account, queryCallerOf, region } from '../../balancing/testing/open-balancing.ts';
import { createCluster } from '../../cluster/index.ts';
import { createEc2 } from '../../network/ec2/index.ts';
import { Networks } from '../../network/records/index.ts';
import { Alarms, StoredPoints } from '../../signals/alarms/index.ts';
import { MemoryMetrics } from '../../signals/metrics/store/testing/index.ts';
import { serverReach } from '../../reach/index.ts';
import { arns, clusterKeys, clusterPartition, type InstanceRecord, toJson } from '../../state/index.ts';
import { autoScalingSchemas, createAutoScaling } from '../autoscaling/index.ts';
import { dropGroupStrays, followGroupPolicies, followSchedules } from '../following/index.ts';
import {
  AccountGroups,
  groupKeys,
  Groups,
  groupsPartition,
  type KeeperPorts,
  type MachineRecord,
} from '../groups/index.ts';
import { type InstanceProvider, type MachineSpec, ProviderError } from '../providers/index.ts';

/** A provider whose machines are rows of a map; tests make it fail. */
export class MapProvider implements InstanceProvider {
  readonly name = 'map';
  readonly machines = new Map<string, MachineSpec>();
  readonly calls: string[] = [];
  readonly rests = ['Stopped'] as const;
  /** Ids of machines that are stopped. */
  readonly stopped = new Set<string>();
  /** Set: what the next requests end with. */
  failing: string | undefined;
  /** What launches wait for. */
  hold: Promise<void> | undefined;

  async launch(spec: MachineSpec): Promise<void> {
    this.calls.push(`launch ${spec.id}`);
    await this.hold;
    if (this.failing !== undefined) throw new ProviderError(this.failing);
    this.machines.set(spec.id, spec);
  }

  stop(id: string): Promise<void> {
    this.calls.push(`stop ${id}`);
    if (this.failing !== undefined) return Promise.reject(new ProviderError(this.failing));
    this.stopped.add(id);
    return Promise.resolve();
  }

  start(id: string): Promise<void> {
    this.calls.push(`start ${id}`);
    if (this.failing !== undefined) return Promise.reject(new ProviderError(this.failing));
    this.stopped.delete(id);
    return Promise.resolve();
  }

  terminate(id: string): Promise<void> {
    this.calls.push(`terminate ${id}`);
    this.machines.delete(id);
    return Promise.resolve();
  }

  list(owner: string): Promise<readonly { readonly id: string; readonly owner: string }[]> {
    return Promise.resolve([...this.machines.values()].filter((one) => one.owner === owner));
  }
}

const theGroup = {
  AutoScalingGroupName: 'web',
  MinSize: 0,
  MaxSize: 4,
  AvailabilityZones: [`${region}a`, `${region}b`],
  LaunchTemplate: { LaunchTemplateName: 'web' },
};

/** The APIs of groups and templates over records in memory, a keeper that looks when a test says so, and a clock that it sets. */
export async function openGroups(more: Partial<KeeperPorts> = {}) {
  const clock = {
    ...systemClock,
    at: Date.parse('2026-06-15T12:00:00Z'),
    now: () => clock.at,
    monotonic: () => clock.at,
  };
  const records = memoryRecords(systemClock);
  const base = { records, clock, random: randomBytes, region, reach: serverReach({}) };
  const cluster = 'web';
  await createCluster(base, { account, cluster }, { tags: {}, settings: [] });
  const networks = new Networks({ ...base, zonesOfHosts: () => Promise.resolve([`${region}a`, `${region}b`]) });
  const groups = new Groups(base);
  const alarms = new Alarms(base);
  const metrics = new MemoryMetrics(() => clock.at);
  const provider = new MapProvider();
  const leases = openLeases(records, systemClock, Math.random);
  /** What webhooks were told, and what they answer. */
  const told: { readonly url: string; readonly headers: Record<string, string>; readonly body: Answer }[] = [];
  const hears = { status: 200 };
  const alarmed = new Set<string>();
  const quiet = (): void => {};
  const log = { info: quiet, warn: quiet, error: quiet } as unknown as KeeperPorts['log'];
  const ports: KeeperPorts = {
    ...base,
    leases,
    log,
    networks,
    providers: [provider],
    profileRole: (of, { Name }) => Promise.resolve(Name === 'node' ? `arn:aws:iam::${of}:role/node` : undefined),
    alarmed: (_account, names) => Promise.resolve(names.filter((name) => alarmed.has(name))),
    follow: async (of, held) => {
      await followSchedules({ ...base, log }, of, held);
      await followGroupPolicies({ ...base, log, alarms, points: new StoredPoints(metrics) }, of, held);
    },
    sweep: (of) => dropGroupStrays({ ...base, alarms }, of),
    joinKey: randomBytes(32),
    endpoint: () => 'https://slipway.example.com',
    outbound: {
      fetch: (url, init) => {
        const { headers = {}, body } = init as { headers?: Record<string, string>; body?: Buffer };
        told.push({ url, headers, body: JSON.parse(String(body)) as Answer });
        return Promise.resolve(new Response('', { status: hears.status }));
      },
    },
    sealer: { seal: (text) => text, open: (text) => text },
    ...more,
  };
  const checkUrl = (url: string): void => {
    if (url.startsWith('https://10.')) throw new OutboundError('bad-url', 'the address is private');
  };
  const held = await leases.acquire(groupsPartition(account), groupKeys.keeper, {
    ttl: 3_600_000,
    signal: new AbortController().signal,
  });
  const over = new AbortController().signal;
  let keeper = new AccountGroups(ports, account, held);
  const api = queryCallerOf(
    createAutoScaling({
      ...base,
      alarms,
      groups,
      networks,
      profileRole: ports.profileRole,
      providers: ['map'],
      rests: () => provider.rests,
      checkUrl,
    }),
    autoScalingSchemas,
    '2011-01-01',
  );
  const { operations } = createEc2({ ...base, networks, groups, profileRole: ports.profileRole });
  const call = { account, region, principal: { arn: `arn:aws:iam::${account}:user/tester` } } as Call;
  const ec2 = async (name: string, input: object = {}): Promise<Answer> =>
    (operations[name] as unknown as { handle: (input: object, call: Call) => Promise<Answer> }).handle(input, call);
  const machines = (): Promise<MachineRecord[]> => groups.machines(account);
  const bench = {
    ports,
    clock,
    groups,
    alarms,
    metrics,
    provider,
    api,
    ec2,
    machines,
    told,
    /** Names of alarms that are in ALARM. */
    alarmed,
    hears,
    /** The server is killed, and another one goes on. */
    restart: (): void => void (keeper = new AccountGroups(ports, account, held)),
    /** Looks so many times, and carries out what was begun. @param later milliseconds before each look */
    async look(times = 1, later = 20_000): Promise<void> {
      for (let i = 0; i < times; i++) {
        clock.at += later;
        await keeper.look(over);
        await keeper.idle();
      }
    },
    /** Looks once, and waits for nothing that was begun. */
    begin: (): Promise<void> => keeper.look(over),
    /** A template `web` whose machines join the cluster `web`. */
    template: async (data: object = {}): Promise<string> => {
      const made = await ec2('CreateLaunchTemplate', {
        LaunchTemplateName: 'web',
        LaunchTemplateData: {
          ImageId: 'ami-1',
          InstanceType: 'm5.large',
          IamInstanceProfile: { Name: 'node' },
          UserData: Buffer.from(`#!/bin/bash\necho ECS_CLUSTER=${cluster} >> /etc/ecs/ecs.config\n`).toString('base64'),
          ...data,
        },
      });
      return (made as { LaunchTemplate: { LaunchTemplateId: string } }).LaunchTemplate.LaunchTemplateId;
    },
    /** The refusal of an operation on the group `web`. */
    refused: (name: string, input: object = {}): Promise<string> =>
      api.refusal(
        name,
        name === 'CreateAutoScalingGroup' && Object.keys(input).length === 0
          ? theGroup
          : { AutoScalingGroupName: 'web', ...input },
      ),
    /** A group `web` of the template. */
    group: (input: object = {}): Promise<Answer> => api.call('CreateAutoScalingGroup', { ...theGroup, ...input }),
    described: async (): Promise<Answer> =>
      (await api.call('DescribeAutoScalingGroups', { AutoScalingGroupNames: ['web'] })).AutoScalingGroups[0],
    activities: async (): Promise<readonly Answer[]> =>
      (await api.call('DescribeScalingActivities', { AutoScalingGroupName: 'web' })).Activities,
    /** The agents of machines connect, or are away. */
    async agents(ids: readonly string[], connected = true): Promise<void> {
      for (const machine of await machines()) {
        if (!ids.includes(machine.id)) continue;
        await transact(records, clusterPartition(account, machine.cluster), async (tx) => {
          const record = {
            id: machine.instance,
            arn: arns.containerInstance(region, account, machine.cluster, machine.instance),
            status: 'ACTIVE',
            agentConnected: connected,
            connectivityChangedAt: clock.at,
            registeredAt: clock.at,
            cpu: 1024,
            memory: 1024,
            reservedTcpPorts: [],
            reservedUdpPorts: [],
            gpuIds: [],
            attributes: [],
            tags: {},
            ownerArn: 'arn',
            version: 1,
          } satisfies InstanceRecord;
          tx.put(clusterKeys.instance(machine.instance), toJson(record));
        });
      }
    },
    /** Looks until the group has so many machines in service, whose agents all join. */
    async settle(): Promise<readonly MachineRecord[]> {
      for (let i = 0; i < 6; i++) {
        await bench.look();
        await bench.agents((await machines()).filter(({ state }) => state === 'Pending').map(({ id }) => id));
      }
      return machines();
    },
  };
  return bench;
}
