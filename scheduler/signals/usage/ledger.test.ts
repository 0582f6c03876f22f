import { describe, expect, test } from 'vitest';

import type { InstanceRecord, TaskRecord } from '../../state/index.ts';
import { UsageLedger } from './ledger.ts';
import type { SaidOfContainer } from './records.ts';

const instance = { account: '000000000000', cluster: 'default', id: 'host' };
const host: Pick<InstanceRecord, 'cpu' | 'memory'> = { cpu: 2048, memory: 4096 };

const task = (id: string, more: Partial<TaskRecord> = {}): TaskRecord =>
  ({
    id,
    arn: `arn:task/${id}`,
    taskDefinition: 'arn:aws:ecs:us-east-1:000000000000:task-definition/web:3',
    service: { name: 'web', deploymentId: 'ecs-svc/1' },
    launchType: 'EC2',
    lastStatus: 'RUNNING',
    reservation: { cpu: 512, memory: 256, tcpPorts: [], udpPorts: [], gpus: 0 },
    containers: [{ name: 'main' }, { name: 'side' }],
    ...more,
  }) as TaskRecord;

const set = (value: number) => ({ min: value, max: value, sum: value, sampleCount: 1 });
const said = (of: TaskRecord, ...containers: SaidOfContainer[]) => [{ taskArn: of.arn, containerMetrics: containers }];
const main = (cpu: number, memory: number, more: Partial<SaidOfContainer> = {}): SaidOfContainer => ({
  containerName: 'main',
  cpuStatsSet: set(cpu),
  memoryStatsSet: set(memory),
  ...more,
});

function open() {
  const clock = { now: 0 };
  const ledger = new UsageLedger(() => clock.now);
  return { clock, ledger, session: ledger.open(instance) };
}

describe('what tasks have used', () => {
  test('the mean of all looks, the sum of all containers; once it is taken it is gone', () => {
    const { ledger, session } = open();
    const one = task('one');
    session.take(host, [one], said(one, main(10, 100), { ...main(5, 20), containerName: 'side' }), 1);
    session.take(host, [one], said(one, main(30, 140), { ...main(5, 20), containerName: 'side' }), 2);
    const [cut] = ledger.cut();
    expect(cut?.instance).toEqual(instance);
    // (15 % + 35 %) / 2 of 2,048 units.
    expect(cut?.tasks).toMatchObject([{ task: { service: 'web', family: 'web', shares: 512 }, cpu: 512, memory: 140 }]);
    expect(ledger.cut().flatMap(({ tasks }) => tasks)).toEqual([]);
  });

  test('a look counts for the time that it is about: those that follow soon weigh less', () => {
    const { clock, ledger, session } = open();
    const one = task('one');
    const look = (after: number, cpu: number): void => {
      clock.now += after;
      session.take(host, [one], said(one, main(cpu, 100)), clock.now);
    };
    look(1_000, 10);
    ledger.cut();
    look(10_000, 10);
    look(10_000, 10);
    look(5_000, 90);
    // (10 s + 10 s) of 10 % and 5 s of 90 %.
    expect(ledger.cut()[0]?.tasks[0]?.cpu).toBeCloseTo(0.26 * 2048);
  });

  test('the same message again counts once, also when it is not the newest of its clock', () => {
    const { ledger, session } = open();
    const one = task('one');
    session.take(host, [one], said(one, main(10, 100)), 7);
    session.take(host, [one], said(one, main(10, 100)), 7);
    // The agent's clock was set back.
    session.take(host, [one], said(one, main(40, 100)), 3);
    expect(ledger.cut()[0]?.tasks[0]?.cpu).toBeCloseTo(0.25 * 2048);
  });

  test('what disks did is what counters grew by, over minutes, and over containers that began anew', () => {
    const { ledger, session } = open();
    const one = task('one');
    const disks = (read: number, written: number) =>
      main(1, 1, { storageStatsSet: { readSizeBytes: set(read), writeSizeBytes: set(written) } });
    session.take(host, [one], said(one, disks(1_000, 0)), 1);
    session.take(host, [one], said(one, disks(1_500, 10)), 2);
    expect(ledger.cut()[0]?.tasks[0]).toMatchObject({ read: 500, written: 10 });
    session.take(host, [one], said(one, disks(1_600, 10)), 3);
    session.take(host, [one], said(one, disks(40, 5)), 4);
    expect(ledger.cut()[0]?.tasks[0]).toMatchObject({ read: 140, written: 5 });
  });

  test('an agent tells of tasks that run on its instance, of their containers, each once, and nothing that cannot be', () => {
    const { ledger, session } = open();
    const one = task('one');
    const foreign = task('foreign');
    const stopped = task('stopped', { lastStatus: 'STOPPED' });
    session.take(
      host,
      [one, stopped],
      [
        ...said(one, main(10, 100), main(90, 900), { ...main(50, 50), containerName: 'nobody' }),
        ...said(foreign, main(50, 50)),
        ...said(stopped, main(50, 50)),
      ],
      1,
    );
    const [cut] = ledger.cut();
    expect(cut?.tasks).toMatchObject([{ task: { id: 'one' }, cpu: 204.8, memory: 100 }]);
  });

  test.each([
    ['below 0', set(-1), undefined],
    ['not a number', { sum: Number.NaN, sampleCount: 1 }, undefined],
    ['infinite', { sum: Number.POSITIVE_INFINITY, sampleCount: 1 }, undefined],
    ['of no samples', { sum: 1, sampleCount: 0 }, undefined],
    ['of fewer samples than none', { sum: -4, sampleCount: -2 }, undefined],
    ['more than the host has', set(1e300), 2048],
  ])('a number that is %s', (_what, cpuStatsSet, cpu) => {
    const { ledger, session } = open();
    const one = task('one');
    session.take(host, [one], said(one, { containerName: 'main', cpuStatsSet, memoryStatsSet: set(1) }), 1);
    const [cut] = ledger.cut();
    expect(cut?.tasks[0]?.memory).toBe(1);
    expect(cut?.tasks[0]?.cpu).toBe(cpu);
  });

  test('an older connection of the same agent counts no more; what the newest has said survives its end', () => {
    const { ledger, session } = open();
    const one = task('one');
    session.take(host, [one], said(one, main(10, 100)), 1);
    const newer = ledger.open(instance);
    session.take(host, [one], said(one, main(90, 100)), 2);
    session.close();
    newer.take(host, [one], said(one, main(30, 100)), 3);
    expect(ledger.newest()).toHaveLength(1);
    newer.close();
    expect(ledger.newest()).toEqual([]);
    expect(ledger.cut()[0]?.tasks[0]?.cpu).toBeCloseTo(0.2 * 2048);
    expect(ledger.cut().flatMap(({ tasks }) => tasks)).toEqual([]);
  });

  test('a task that has gone, or that nothing was heard of for long, is shown no more', () => {
    const { clock, ledger, session } = open();
    const [one, two] = [task('one'), task('two')];
    session.take(host, [one, two], [...said(one, main(1, 1)), ...said(two, main(2, 2))], 1);
    session.take(host, [two], said(two, main(2, 2)), 2);
    expect(ledger.newest().map(({ usage }) => usage.task.id)).toEqual(['two']);
    clock.now += 61_000;
    expect(ledger.newest()).toEqual([]);
  });
});
