import { fenceKey } from '@slipway/storage/records';
import { afterEach, expect, test, vi } from 'vitest';

import type { ShiftRecord } from '../../state/index.ts';
import { noCounts } from '../engines/index.ts';
import { balancingKeys, balancingPartition, type EngineRecord } from '../records/index.ts';
import { FakeEngine } from '../testing/fake-engine.ts';
import { FakeShifts } from '../testing/fake-shifts.ts';
import { FakeTasks } from '../testing/fake-tasks.ts';
import { account, idOf, openWeb } from '../testing/open-balancing.ts';
import { trafficOptions } from '../testing/traffic-options.ts';

import { EngineDriver } from './driver.ts';
import { Keeper } from './keeper.ts';
import { noEngine } from './reports.ts';
import { unmeasurable } from './measure.ts';
import { acknowledged, planShift } from './shifts.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

const until = { timeout: 30_000, interval: 5 };

/** A service with two groups behind a rule and a listener's default action, and a third group that is nobody's. */
async function openShifts(engines: Readonly<Record<string, FakeEngine>> = { one: new FakeEngine() }) {
  const world = await openWeb();
  const { balancers, call, network, listenerArn, groupArn: blue } = world;
  const group = async (Name: string, more: object = {}): Promise<string> =>
    (
      await call('CreateTargetGroup', {
        Name,
        Protocol: 'HTTP',
        Port: 80,
        VpcId: network.vpcId,
        TargetType: 'ip',
        ...more,
      })
    ).TargetGroups[0].TargetGroupArn;
  const green = await group('green');
  const other = await group('other');
  const forward = (...groups: readonly (readonly [string, number])[]) => [
    {
      Type: 'forward',
      ForwardConfig: {
        TargetGroups: groups.map(([TargetGroupArn, Weight]) => ({ TargetGroupArn, Weight })),
        TargetGroupStickinessConfig: { Enabled: true, DurationSeconds: 60 },
      },
    },
  ];
  const rule = (
    await call('CreateRule', {
      ListenerArn: listenerArn,
      Priority: 1,
      Conditions: [{ Field: 'path-pattern', Values: ['/a'] }],
      Actions: forward([blue, 100], [other, 7]),
    })
  ).Rules[0].RuleArn as string;
  const tasks = new FakeTasks();
  const shifts = new FakeShifts(tasks);
  const warnings: unknown[] = [];
  const options = trafficOptions(world, {
    tasks,
    shifts,
    log: { info: () => {}, warn: (fields) => warnings.push(fields), error: () => {} },
  });
  const begin = (work: (signal: AbortSignal) => Promise<void>): (() => Promise<void>) => {
    const over = new AbortController();
    const running = work(over.signal);
    const end = async (): Promise<void> => {
      over.abort();
      await running;
    };
    ends.push(end);
    return end;
  };
  for (const [id, engine] of Object.entries(engines))
    begin((signal) => new EngineDriver(options, { id, open: () => engine.open() }).run(signal));
  const weightsOf = async (arn: string): Promise<Record<string, number>> => {
    const balancing = await balancers.read(account);
    const action = (balancing.get('listener-rule', idOf(arn)) ?? { action: undefined }).action;
    const found = action ?? balancing.get('listener', idOf(arn))?.defaultAction;
    if (found?.type !== 'forward') throw new Error(`${arn} does not forward`);
    return Object.fromEntries(
      found.targetGroups.map(({ id, weight }) => [balancing.get('targetgroup', id)?.name ?? id, weight]),
    );
  };
  const wants = (sequence: number, share: number, arns: readonly string[] = [rule]): ShiftRecord => ({
    service: 'web',
    sequence,
    rules: arns.map((arn) => ({
      arn,
      groups: [
        { targetGroupArn: blue, weight: 100 - share },
        { targetGroupArn: green, weight: share },
      ],
    })),
  });
  return {
    ...world,
    blue,
    green,
    other,
    rule,
    group,
    forward,
    tasks,
    shifts,
    warnings,
    weightsOf,
    wants,
    keep: () => begin((signal) => new Keeper(options).run(signal)),
    /** Targets of both groups that are healthy. */
    fill: async (...arns: readonly string[]): Promise<void> => {
      for (const [i, arn] of arns.entries()) tasks.add(`task-${i}`, arn, `10.0.0.${i + 1}`);
      await vi.waitFor(
        () => arns.forEach((_, i) => expect(tasks.target(`task-${i}`).health?.state).toBe('healthy')),
        until,
      );
    },
    live: () => shifts.live.get('web'),
  };
}

test('weights are written in one commit, others stay, and engines that go by them are told of', async () => {
  const engine = new FakeEngine();
  const { keep, fill, blue, green, shifts, wants, live, rule, listenerArn, weightsOf, balancers } = await openShifts({
    one: engine,
  });
  keep();
  // A group that no rule names is not checked: the first weights of a deployment name it, with none.
  shifts.want(wants(1, 0, [rule, listenerArn]));
  await vi.waitFor(() => expect(live()?.sequence).toBe(1), until);
  expect(await weightsOf(rule)).toEqual({ web: 100, other: 7, green: 0 });
  expect(await weightsOf(listenerArn)).toEqual({ web: 100, green: 0 });
  await fill(blue, green);
  shifts.want(wants(2, 5, [rule, listenerArn]));
  await vi.waitFor(() => expect(live()?.sequence).toBe(2), until);
  expect(live()).not.toHaveProperty('problem');
  expect(await weightsOf(rule)).toEqual({ web: 95, other: 7, green: 5 });
  expect(await weightsOf(listenerArn)).toEqual({ web: 95, green: 5 });
  const balancing = await balancers.read(account);
  expect(balancing.versionOf('listener-rule', idOf(rule))).toBe(balancing.versionOf('listener', idOf(listenerArn)));
  expect(balancing.get('listener-rule', idOf(rule))?.action).toMatchObject({
    stickiness: { enabled: true, seconds: 60 },
  });
  expect(engine.desired?.listeners[0]).toMatchObject({
    defaultAction: { targetGroups: [{ weight: 95 }, { weight: 5 }] },
  });
  // The default rule of a listener is its default action.
  const { defaultRuleId } = balancing.get('listener', idOf(listenerArn)) ?? { defaultRuleId: '' };
  shifts.want(wants(3, 100, [`${listenerArn.replace(':listener/', ':listener-rule/')}/${defaultRuleId}`]));
  await vi.waitFor(() => expect(live()?.sequence).toBe(3), until);
  expect(await weightsOf(listenerArn)).toEqual({ web: 0, green: 100 });
});

test('nothing is told while a process of an engine may route by older weights', async () => {
  const engines = { one: new FakeEngine(), two: new FakeEngine() };
  const { keep, fill, blue, green, shifts, wants, live, balancers } = await openShifts(engines);
  keep();
  shifts.want(wants(1, 0));
  await vi.waitFor(() => expect(live()?.sequence).toBe(1), until);
  await fill(blue, green);
  engines.two.oldest = (await balancers.read(account)).generation;
  shifts.want(wants(2, 100));
  await vi.waitFor(async () => {
    const { generation } = await balancers.read(account);
    const all = await balancers.engines(account);
    expect(all.map((one) => one.generation)).toEqual([generation, generation]);
  }, until);
  const seen = engines.two.observed;
  await vi.waitFor(() => expect(engines.two.observed).toBeGreaterThan(seen + 5), until);
  expect(live()?.sequence).toBe(1);
  engines.two.oldest = undefined;
  await vi.waitFor(() => expect(live()?.sequence).toBe(2), until);
});

test('weights that somebody else writes are set back, and said', async () => {
  const { keep, fill, blue, green, other, shifts, wants, live, call, rule, forward, weightsOf, warnings } =
    await openShifts();
  keep();
  shifts.want(wants(1, 0));
  await fill(blue, green);
  shifts.want(wants(2, 20));
  await vi.waitFor(() => expect(live()?.sequence).toBe(2), until);
  await call('ModifyRule', { RuleArn: rule, Actions: forward([other, 3], [blue, 100]) });
  await vi.waitFor(async () => expect(await weightsOf(rule)).toEqual({ other: 3, web: 80, green: 20 }), until);
  expect(warnings).toMatchObject([{ cluster: 'default', service: 'web' }]);
  expect(shifts.notes.map(({ sequence }) => sequence)).toEqual([1, 2]);
});

test('requests are not sent where nothing would answer them, until somebody does', async () => {
  const { keep, fill, blue, green, shifts, tasks, wants, live, rule, weightsOf } = await openShifts();
  keep();
  shifts.want(wants(1, 0));
  await fill(blue);
  shifts.want(wants(2, 100));
  await vi.waitFor(
    () =>
      expect(live()).toMatchObject({
        sequence: 1,
        problem: { sequence: 2, reason: `no target of green can answer yet: ${rule} goes on as it is` },
      }),
    until,
  );
  expect(await weightsOf(rule)).toMatchObject({ web: 100, green: 0 });
  tasks.add('late', green, '10.0.0.9');
  await vi.waitFor(() => expect(live()?.sequence).toBe(2), until);
  expect(live()).not.toHaveProperty('problem');
  expect(await weightsOf(rule)).toMatchObject({ web: 0, green: 100 });
});

test('a service without tasks has nothing to lose', async () => {
  const { keep, shifts, wants, live, rule, weightsOf } = await openShifts();
  keep();
  shifts.want(wants(1, 100));
  await vi.waitFor(() => expect(live()?.sequence).toBe(1), until);
  expect(await weightsOf(rule)).toMatchObject({ web: 0, green: 100 });
});

test('why weights cannot be had is said', async () => {
  const { balancers, blue, green, rule, listenerArn, wants, call, group, network } = await openShifts();
  const problem = async (wanted: ShiftRecord, claimed = new Map<string, string>()): Promise<string> => {
    const shift = { cluster: 'default', wanted, live: undefined, isMeasured: false, measured: undefined };
    const plan = planShift(await balancers.read(account), shift, claimed);
    if (!('problem' in plan)) throw new Error('it can be had');
    return plan.problem;
  };
  const gone = `${rule.slice(0, -16)}0123456789abcdef`;
  expect(await problem(wants(1, 0, [rule, gone]))).toBe(`there is no listener or rule ${gone} any more`);
  const claimed = new Map([[`${idOf(rule)} ${idOf(green)}`, 'default/api']]);
  expect(await problem(wants(1, 0), claimed)).toBe(
    `the service default/api sets the weights of ${rule} for the same target group`,
  );
  const rules = (...targetGroupArns: readonly string[]): ShiftRecord => ({
    service: 'web',
    sequence: 1,
    rules: [{ arn: rule, groups: targetGroupArns.map((targetGroupArn) => ({ targetGroupArn, weight: 0 })) }],
  });
  expect(await problem(rules(`${green.slice(0, -16)}0123456789abcdef`))).toContain('is not there any more');
  expect(await problem(rules(await group('tcp', { Protocol: 'TCP' })))).toContain('cannot send to');
  const more = await Promise.all(['c', 'd', 'e'].map((name) => group(name)));
  expect(await problem(rules(blue, green, ...more))).toContain('more than 5 target groups');
  const [{ LoadBalancerArn }] = (await call('CreateLoadBalancer', { Name: 'else', Subnets: network.subnets }))
    .LoadBalancers;
  await call('CreateListener', {
    LoadBalancerArn,
    Protocol: 'HTTP',
    Port: 81,
    DefaultActions: [{ Type: 'forward', TargetGroupArn: more[0] }],
  });
  expect(await problem(rules(more[0] ?? ''))).toContain('another load balancer');
  await call('ModifyListener', {
    ListenerArn: listenerArn,
    DefaultActions: [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '503' } }],
  });
  expect(await problem(wants(1, 0, [listenerArn]))).toBe(
    `the action of ${listenerArn} is of type fixed-response: weights are of actions of type forward`,
  );
});

test('what engines count of both groups is told of services that are measured, from when the weights are live', async () => {
  const engine = new FakeEngine();
  const { keep, fill, blue, green, shifts, tasks, wants, live } = await openShifts({ one: engine });
  keep();
  shifts.want(wants(1, 0));
  await vi.waitFor(() => expect(live()?.sequence).toBe(1), until);
  await fill(blue, green);
  const [own = '', other = ''] = ['task-1', 'task-0'].map((task) => tasks.target(task).id);
  const count = (id: string, good: number, failed: number): void => {
    engine.inFlight.set(id, 0);
    engine.counts.set(id, { ...noCounts, requests: good + failed, codes: [good, 0, 0, failed] });
  };
  count(other, 1000, 7);
  shifts.want(wants(2, 10));
  await vi.waitFor(() => expect(live()?.sequence).toBe(2), until);
  expect(shifts.measured.size).toBe(0);
  shifts.measured.set('web', undefined);
  const sums = () => shifts.measured.get('web')?.sums;
  // Each word of the engine is one more request: those after the first are told.
  let turn = 0;
  await vi.waitFor(() => {
    count(other, 1000 + ++turn, 7);
    count(own, turn, 0);
    expect(sums()?.[idOf(green)]?.requests).toBeGreaterThan(0);
  }, until);
  const before = shifts.measured.get('web');
  expect(before).toMatchObject({ service: 'web', sequence: 2, before: { [idOf(blue)]: { failed: 7 } } });
  expect(sums()?.[idOf(blue)]?.requests).toBeLessThan(turn + 1);
  count(own, turn, 5);
  await vi.waitFor(() => expect(sums()?.[idOf(green)]?.failed).toBe(5), until);
  // The engine's process began anew: what it has counted since is added, and nothing taken away.
  const { requests = 0 } = sums()?.[idOf(green)] ?? {};
  count(own, 1, 0);
  await vi.waitFor(() => expect(sums()?.[idOf(green)]).toMatchObject({ requests: requests + 1, failed: 5 }), until);
  shifts.want(wants(3, 20));
  await vi.waitFor(() => expect(shifts.measured.get('web')).toMatchObject({ sequence: 3, sums: {} }), until);
  expect(await shifts.read()).toMatchObject([{ isMeasured: true, measured: { sequence: 3 } }]);
});

test('what is not the traffic of the two revisions alone is not measured, and why', async () => {
  const { balancers, call, wants, rule, listenerArn, blue, green, group, forward, other } = await openShifts();
  const why = async (wanted: ShiftRecord): Promise<string | undefined> =>
    unmeasurable(await balancers.read(account), wanted, idOf);
  // The default action of the listener sends to the first group too.
  expect(await why(wants(1, 10))).toContain('the target group web gets requests by another rule too');
  expect(await why(wants(1, 10, [rule, listenerArn]))).toContain('requests of a test listener too');
  await call('ModifyListener', { ListenerArn: listenerArn, DefaultActions: forward([other, 1]) });
  expect(await why(wants(1, 10))).toBeUndefined();
  const {
    Rules: [{ RuleArn: second }],
  } = await call('CreateRule', {
    ListenerArn: listenerArn,
    Priority: 2,
    Conditions: [{ Field: 'path-pattern', Values: ['/b'] }],
    Actions: forward([other, 1], [green, 0]),
  });
  expect(await why(wants(1, 10))).toBeUndefined();
  // A rule that every request fits leaves nothing to those after it.
  await call('ModifyListener', { ListenerArn: listenerArn, DefaultActions: forward([blue, 1]) });
  await call('ModifyRule', { RuleArn: rule, Conditions: [{ Field: 'path-pattern', Values: ['/a', '*'] }] });
  expect(await why(wants(1, 10))).toBeUndefined();
  await call('SetRulePriorities', { RulePriorities: [{ RuleArn: rule, Priority: 9 }] });
  await call('ModifyRule', { RuleArn: second, Actions: forward([green, 1]) });
  expect(await why(wants(1, 10))).toContain('the target group green gets requests by another rule too');
  const tcp = await group('tcp', { Protocol: 'TCP' });
  const rules = [{ arn: rule, groups: [blue, tcp].map((targetGroupArn) => ({ targetGroupArn, weight: 50 })) }];
  expect(await why({ service: 'web', sequence: 1, rules })).toContain('the target group tcp is of TCP');
  const calls = await group('calls', { ProtocolVersion: 'GRPC' });
  const grpc = [{ arn: rule, groups: [blue, calls].map((targetGroupArn) => ({ targetGroupArn, weight: 50 })) }];
  expect(await why({ service: 'web', sequence: 1, rules: grpc })).toContain('the target group calls is of gRPC');
});

test('engines that refuse, or are not there, are a problem until they take it', async () => {
  const engine = new FakeEngine();
  const { keep, shifts, wants, live } = await openShifts({ one: engine });
  keep();
  shifts.want(wants(1, 0));
  await vi.waitFor(() => expect(live()?.sequence).toBe(1), until);
  engine.refuses = 'no memory';
  shifts.want(wants(2, 100));
  await vi.waitFor(
    () => expect(live()?.problem).toEqual({ sequence: 2, reason: 'the traffic engine one refuses it: no memory' }),
    until,
  );
  expect(live()?.sequence).toBe(1);
  engine.refuses = undefined;
  await vi.waitFor(() => expect(live()?.sequence).toBe(2), until);
  expect(live()).not.toHaveProperty('problem');
});

test('an engine that fell silent, and a process that leaves, are waited for as long as they may answer requests', async () => {
  const { balancers, wants } = await openShifts({});
  const balancing = await balancers.read(account);
  const engine = (id: string, oldestServing: number): EngineRecord => ({
    id,
    kind: 'embedded',
    generation: oldestServing,
    oldestServing,
    seenAt: 0,
    unbound: {},
    quiet: [],
  });
  const silent = (ms: number, waited = 0) => ({
    silentFor: ({ id }: { id: string }) => (id === 'old' ? ms : 0),
    waited,
  });
  const all = [engine('new', 9), engine('old', 8)];
  expect(acknowledged(balancing, wants(1, 0), 9, all, silent(0))).toEqual({ isLive: false });
  expect(acknowledged(balancing, wants(1, 0), 9, all, silent(20_000))).toEqual({
    isLive: false,
    problem: 'the traffic engine old is not heard of: it is waited for',
  });
  // 20 s, and the 300 s that targets of the groups drain.
  expect(acknowledged(balancing, wants(1, 0), 9, all, silent(319_999)).isLive).toBe(false);
  expect(acknowledged(balancing, wants(1, 0), 9, all, silent(320_000))).toEqual({ isLive: true });
  const leaving = [{ ...engine('old', 8), generation: 9 }];
  expect(acknowledged(balancing, wants(1, 0), 9, leaving, silent(0, 299_999)).isLive).toBe(false);
  expect(acknowledged(balancing, wants(1, 0), 9, leaving, silent(0, 300_000)).isLive).toBe(true);
  expect(acknowledged(balancing, wants(1, 0), 9, [engine('old', 8)], silent(0, 300_000)).isLive).toBe(false);
  expect(acknowledged(balancing, wants(1, 0), 9, [], silent(0))).toEqual({ isLive: false, problem: noEngine });
});

test('one that has lost the lease writes nothing', async () => {
  const engine = new FakeEngine();
  const { keep, records, fill, blue, green, shifts, wants, live, rule, balancers } = await openShifts({ one: engine });
  const end = keep();
  shifts.want(wants(1, 0));
  await fill(blue, green);
  await vi.waitFor(() => expect(live()?.sequence).toBe(1), until);
  const { epoch } = live()!;
  // Somebody else has it from now on.
  const key = fenceKey(balancingKeys.checker);
  const { version: taken } = await records.commit(balancingPartition(account), { put: [{ key, value: epoch + 1 }] });
  shifts.want(wants(2, 100));
  // It competes again, and is a later leader when it has the lease.
  await vi.waitFor(() => expect(live()?.sequence).toBe(2), until);
  await end();
  expect(shifts.notes.filter(({ sequence, epoch: by }) => sequence === 2 && by <= epoch)).toEqual([]);
  const balancing = await balancers.read(account);
  expect(balancing.versionOf('listener-rule', idOf(rule))).toBeGreaterThan(taken);
});
