import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';

import type { InstanceRecord, TaskRecord } from '../../state/index.ts';
import { UsageCollector } from './collector.ts';
import { Readings } from './readings.ts';
import { ReadingsTeller } from './readings-teller.ts';

const account = '000000000000';
const host: Pick<InstanceRecord, 'cpu' | 'memory'> = { cpu: 1024, memory: 4096 };

const task = (id: string, service = 'web', startedAt = 0): TaskRecord =>
  ({
    id,
    startedAt,
    arn: `arn:task/${id}`,
    taskDefinition: 'arn:aws:ecs:us-east-1:000000000000:task-definition/web:3',
    service: { name: service, deploymentId: 'ecs-svc/1' },
    launchType: 'EC2',
    lastStatus: 'RUNNING',
    reservation: { cpu: 256, memory: 200, tcpPorts: [], udpPorts: [], gpus: 0 },
    containers: [{ name: 'main' }],
  }) as unknown as TaskRecord;

/** Several processes over one store, with a clock that stands. */
function open() {
  const clock = { ...systemClock, at: 1_000_000, now: () => clock.at, monotonic: () => clock.at };
  const records = memoryRecords(systemClock);
  const readings = new Readings({ records, clock });
  let commits = 0;
  const counting: Pick<Readings, 'wanted' | 'put'> = {
    wanted: (...given) => readings.wanted(...given),
    put: (...given) => {
      commits += 1;
      return readings.put(...given);
    },
  };
  const log = { info: () => undefined, warn: () => undefined, error: () => undefined };
  return {
    clock,
    records,
    readings,
    commits: () => commits,
    process: async () => {
      const collector = new UsageCollector({ records, clock, random: randomBytes });
      const teller = new ReadingsTeller({ clock, log, collector, readings: counting });
      return {
        teller,
        /** An agent's session, and what it says: per cent of the host, MiB. */
        agent: async (id: string, tasks: readonly TaskRecord[]) => {
          const session = await collector.open({ account, cluster: 'shop', id });
          const set = (value: number) => ({ sum: value, sampleCount: 1 });
          return {
            session,
            say: (cpu: number, memory: number) =>
              session.take(
                host,
                tasks,
                tasks.map(({ arn }) => ({
                  taskArn: arn,
                  containerMetrics: [{ containerName: 'main', cpuStatsSet: set(cpu), memoryStatsSet: set(memory) }],
                })),
                clock.at,
              ),
          };
        },
      };
    },
  };
}

test('what agents of several processes say of services that are asked about adds up, the newest look first', async () => {
  const { clock, readings, process } = open();
  await readings.want(account, 'shop', new Set(['web']));
  const [one, two] = [await process(), await process()];
  const agents = [
    await one.agent('a', [task('1'), task('other', 'other')]),
    await two.agent('b', [task('2'), task('3')]),
  ];
  for (const [cpu, memory] of [
    [10, 20],
    [20, 40],
    [30, 60],
    [40, 100],
  ] as const) {
    clock.at += 10_000;
    for (const agent of agents) agent.say(cpu, memory);
  }
  for (const { teller } of [one, two]) await teller.tell();
  // 40 % of 1,024 units are 160 % of 256, of each of three tasks.
  expect([...(await readings.read(account, 'shop'))]).toEqual([
    ['web', { cpu: { sums: [480, 360, 240], tasks: 3 }, memory: { sums: [150, 90, 60], tasks: 3 } }],
  ]);
});

test('a task counts once it was looked at three times, seconds apart, and as long as somebody hears of it', async () => {
  const { clock, readings, process } = open();
  await readings.want(account, 'shop', new Set(['web']));
  const one = await process();
  const agent = await one.agent('a', [task('1')]);
  const tasks = async (): Promise<number | undefined> => {
    await one.teller.tell();
    return (await readings.read(account, 'shop')).get('web')?.cpu.tasks;
  };
  agent.say(50, 1);
  // The same again at once: an agent that came back.
  clock.at += 500;
  agent.say(50, 1);
  clock.at += 4_000;
  agent.say(50, 1);
  expect(await tasks()).toBe(0);
  clock.at += 4_000;
  agent.say(50, 1);
  expect(await tasks()).toBe(1);
  clock.at += 24_000;
  expect(await tasks()).toBe(1);
  clock.at += 2_000;
  expect(await tasks()).toBeUndefined();
});

test('a task does not count while it begins, nor is anything written while none does, and a clock that is set back keeps nothing', async () => {
  const { clock, readings, process, commits } = open();
  await readings.want(account, 'shop', new Set(['web']));
  const one = await process();
  const agent = await one.agent('a', [task('1', 'web', clock.at)]);
  const cpu = async (value: number): Promise<unknown> => {
    clock.at += 10_000;
    agent.say(value, 1);
    await one.teller.tell();
    return (await readings.read(account, 'shop')).get('web')?.cpu;
  };
  for (let look = 0; look < 5; look++) expect(await cpu(90)).toBeUndefined();
  expect(commits()).toBe(0);
  expect(await cpu(10)).toEqual({ sums: [40, 360, 360], tasks: 1 });
  clock.at -= 600_000;
  for (let look = 0; look < 2; look++) await cpu(10);
  expect(await cpu(10)).toEqual({ sums: [40, 40, 40], tasks: 1 });
});

test('the same is not written again at once, nor what nobody asks about, and who has ended is forgotten', async () => {
  const { clock, readings, process, commits, records } = open();
  const one = await process();
  const agent = await one.agent('a', [task('1')]);
  const say = (): void => {
    for (let look = 0; look < 3; look++) {
      clock.at += 4_000;
      agent.say(50, 1);
    }
  };
  say();
  await one.teller.tell();
  expect(commits()).toBe(0);
  await readings.want(account, 'shop', new Set(['web']));
  for (let again = 0; again < 3; again++) await one.teller.tell();
  expect(commits()).toBe(1);
  clock.at += 9_000;
  await one.teller.tell();
  expect(commits()).toBe(2);
  clock.at += 16_000;
  expect((await readings.read(account, 'shop')).size).toBe(0);
  await readings.forget(account, 'shop');
  const rows = async (): Promise<number> => (await records.list(`readings/${account}`)).records.length;
  expect(await rows()).toBe(2);
  clock.at += 600_000;
  await readings.forget(account, 'shop');
  await readings.want(account, 'shop', new Set());
  expect(await rows()).toBe(0);
});

test('what moves by less than anybody would scale by is told after a while, what moves by more at once', async () => {
  const { clock, readings, process, commits } = open();
  await readings.want(account, 'shop', new Set(['web']));
  const one = await process();
  const agent = await one.agent('a', [task('1')]);
  const newest = async (cpu: number): Promise<number | undefined> => {
    clock.at += 4_000;
    agent.say(cpu, 100);
    await one.teller.tell();
    return (await readings.read(account, 'shop')).get('web')?.cpu.sums[0];
  };
  for (let look = 0; look < 2; look++) await newest(50);
  expect(await newest(50)).toBe(200);
  const before = commits();
  // 1 % of what it was.
  expect(await newest(50.5)).toBe(200);
  expect(commits()).toBe(before);
  // It adds up with what was told, not with what was left out; and 8 s are over.
  expect(await newest(50.9)).toBe(203.6);
  expect(await newest(55)).toBe(220);
  expect(commits()).toBe(before + 2);
});

test('a process takes the rows away that it needs no longer', async () => {
  const { readings, records } = open();
  const of = (count: number) =>
    new Map(
      Array.from({ length: count }, (_, index) => {
        const looks = { sums: [1, 1, 1], tasks: 1 };
        return [`service-${index}`, { cpu: looks, memory: looks }] as const;
      }),
    );
  const keys = async (): Promise<readonly string[]> =>
    (await records.list(`readings/${account}`)).records.map(({ key }) => key);
  expect(await readings.put(account, 'shop', 'p', of(401), 0)).toBe(3);
  expect((await readings.read(account, 'shop')).size).toBe(401);
  expect(await readings.put(account, 'shop', 'p', of(1), 3)).toBe(1);
  expect(await keys()).toEqual(['reading/shop/p/0']);
  expect(await readings.put(account, 'shop', 'p', of(0), 1)).toBe(0);
  expect(await keys()).toEqual([]);
});
