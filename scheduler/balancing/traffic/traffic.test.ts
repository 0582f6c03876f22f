import { afterEach, expect, test, vi } from 'vitest';

import type { CheckResult } from '../health/index.ts';
import type { EngineRecord, TargetRecord } from '../records/index.ts';
import { FakeEngine } from '../testing/fake-engine.ts';
import { account, idOf, openWeb } from '../testing/open-balancing.ts';
import { trafficOptions } from '../testing/traffic-options.ts';

import { EngineDriver } from './driver.ts';
import { isDone, Keeper } from './keeper.ts';
import { EngineReports } from './reports.ts';

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  await Promise.all(ends.splice(0).map((end) => end()));
});

/** A load balancer whose engines carry nothing, and targets that are healthy unless a test says otherwise. */
async function openTraffic(engines: Readonly<Record<string, FakeEngine>> = { one: new FakeEngine() }) {
  const world = await openWeb();
  const { balancers } = world;
  const answers = new Map<string, CheckResult>();
  const warnings: unknown[] = [];
  const note = (fields: unknown): unknown => warnings.push(fields);
  const options = trafficOptions(world, {
    log: { info: () => {}, warn: note, error: note },
    probe: ({ address }) => Promise.resolve(answers.get(address) ?? { kind: 'passed' }),
  });
  const begin = (run: (signal: AbortSignal) => Promise<void>): (() => Promise<void>) => {
    const over = new AbortController();
    const running = run(over.signal);
    const end = async (): Promise<void> => {
      over.abort();
      await running;
    };
    ends.push(end);
    return end;
  };
  const drive = (id: string, engine: FakeEngine): (() => Promise<void>) => {
    const driver = new EngineDriver(options, { id, open: () => engine.open() });
    return begin((signal) => driver.run(signal));
  };
  for (const [id, engine] of Object.entries(engines)) drive(id, engine);
  return {
    ...world,
    options,
    answers,
    warnings,
    drive,
    reports: new EngineReports(options),
    keep: () => begin((signal) => new Keeper(options).run(signal)),
    generation: async () => (await balancers.read(account)).generation,
    states: async () =>
      (await world.call('DescribeTargetHealth', { TargetGroupArn: world.groupArn })).TargetHealthDescriptions.map(
        (one: { TargetHealth: { State: string } }) => one.TargetHealth.State,
      ) as string[],
    register: (...ids: string[]) =>
      world.call('RegisterTargets', { TargetGroupArn: world.groupArn, Targets: ids.map((Id) => ({ Id })) }),
    deregister: (...ids: string[]) =>
      world.call('DeregisterTargets', { TargetGroupArn: world.groupArn, Targets: ids.map((Id) => ({ Id })) }),
    state: async () => {
      const balancing = await balancers.read(account);
      const [balancer] = balancing.all('loadbalancer');
      if (balancer === undefined) throw new Error('there is no load balancer');
      return (await new EngineReports(options).states(account, balancing))(balancer);
    },
  };
}

const until = { timeout: 30_000, interval: 5 };

test('an engine is told every change, and the load balancer is active when it serves it', async () => {
  const engine = new FakeEngine();
  const { reports, generation, state, register } = await openTraffic({ one: engine });
  expect(await reports.settled(account, await generation())).toEqual({ unbound: {} });
  expect(engine.desired?.generation).toBe(await generation());
  expect(await state()).toEqual({ code: 'active' });
  await register('10.0.0.1');
  await reports.settled(account, await generation());
  expect(engine.desired?.targetGroups[0]?.targets).toMatchObject([{ address: '10.0.0.1', state: 'down' }]);
});

test('all engines must serve it: one that lags is waited for', async () => {
  const { reports, generation, drive, state, register } = await openTraffic({ one: new FakeEngine() });
  const late = new FakeEngine();
  const end = drive('two', late);
  await reports.settled(account, await generation());
  await vi.waitFor(async () => expect(await reports.live(account)).toHaveLength(2), until);
  await end();
  await register('10.0.0.1');
  const settled = reports.settled(account, await generation());
  let isSettled = false;
  void settled.then(() => (isSettled = true));
  await vi.waitFor(async () => {
    const [one] = await reports.live(account);
    expect(one?.generation).toBe(await generation());
  }, until);
  expect(isSettled).toBe(false);
  drive('two', late);
  expect(await settled).toEqual({ unbound: {} });
  expect(await state()).toEqual({ code: 'active' });
});

test('what is not bound, or refused, says so', async () => {
  const engine = new FakeEngine();
  engine.unbound.set(80, 'taken by nginx');
  const { reports, generation, state, register, listenerArn } = await openTraffic({ one: engine });
  const id = listenerArn.slice(-16);
  expect((await reports.settled(account, await generation())).unbound).toMatchObject({ [id]: 'taken by nginx' });
  expect(await state()).toEqual({
    code: 'active_impaired',
    reason: 'port 80 is not served by one: taken by nginx',
  });
  engine.refuses = 'no memory';
  await register('10.0.0.1');
  expect((await reports.settled(account, await generation())).silent).toBe(
    'the traffic engine one refuses it: no memory',
  );
  engine.refuses = undefined;
  await vi.waitFor(async () => expect(engine.desired?.generation).toBe(await generation()), until);
});

test('without an engine nothing is served, and nobody waits for ever', async () => {
  const { options, generation, state, call, balancerArn } = await openTraffic({});
  const reports = new EngineReports({ ...options, timing: { ...options.timing, patience: 20 } });
  const { silent } = await reports.settled(account, await generation());
  expect(silent).toContain('no traffic engine is running');
  // Whoever made the first load balancer is told that its engine is being started.
  expect(await state()).toEqual({ code: 'provisioning' });
  const balancing = await options.balancers.read(account);
  const [balancer] = balancing.all('loadbalancer');
  if (balancer === undefined) throw new Error('there is no load balancer');
  expect((await reports.states(account, balancing))({ ...balancer, createdAt: 0 })).toMatchObject({ code: 'failed' });
  // What is gone needs no engine to be gone.
  await call('DeleteLoadBalancer', { LoadBalancerArn: balancerArn });
  expect(await reports.settled(account, await generation())).toEqual({ unbound: {} });
});

test('an engine that stopped answering is opened again, and told anew', async () => {
  const engine = new FakeEngine();
  const { reports, generation, register } = await openTraffic({ one: engine });
  await reports.settled(account, await generation());
  const { opened } = engine;
  engine.dead = 'its process is gone';
  await register('10.0.0.1');
  await vi.waitFor(() => expect(engine.opened).toBeGreaterThan(opened), until);
  // The new process knows nothing.
  engine.desired = undefined;
  engine.dead = undefined;
  await vi.waitFor(async () => expect(engine.desired?.generation).toBe(await generation()), until);
  expect(await reports.settled(account, await generation())).toEqual({ unbound: {} });
});

test('instances of Classic Load Balancers are checked, get requests, and drain', async () => {
  const engine = new FakeEngine();
  const { keep, classic, network, instances, balancers } = await openTraffic({ one: engine });
  keep();
  instances.set('i-00000000000000001', { address: '10.0.0.9', zone: 'a', running: true });
  const named = { LoadBalancerName: 'old' };
  const one = { ...named, Instances: [{ InstanceId: 'i-00000000000000001' }] };
  const Listeners = [{ Protocol: 'HTTP', LoadBalancerPort: 88, InstancePort: 8080 }];
  await classic.call('CreateLoadBalancer', { ...named, Listeners, Subnets: network.subnets });
  await classic.call('RegisterInstancesWithLoadBalancer', one);
  const states = async (): Promise<string[]> =>
    (await classic.call('DescribeInstanceHealth', named)).InstanceStates.map(({ State }: { State: string }) => State);
  await vi.waitFor(async () => expect(await states()).toEqual(['InService']), until);
  const told = () => engine.desired?.targetGroups.find(({ id }) => id.endsWith('-HTTP-8080'))?.targets;
  await vi.waitFor(() => expect(told()).toMatchObject([{ address: '10.0.0.9', port: 8080, state: 'up' }]), until);
  await classic.call('DeregisterInstancesFromLoadBalancer', one);
  await vi.waitFor(async () => expect((await balancers.read(account)).all('target')).toEqual([]), until);
  await vi.waitFor(() => expect(told()).toEqual([]), until);
});

test('a listener whose certificate cannot be read is said to be unserved', async () => {
  const { reports, call, balancers, addCertificate, balancerArn, groupArn } = await openTraffic();
  const [{ ListenerArn }] = (
    await call('CreateListener', {
      LoadBalancerArn: balancerArn,
      Protocol: 'HTTPS',
      Port: 443,
      Certificates: [{ CertificateArn: await addCertificate() }],
      DefaultActions: [{ Type: 'forward', TargetGroupArn: groupArn }],
    })
  ).Listeners;
  const { generation } = await balancers.read(account);
  expect((await reports.settled(account, generation)).unbound).toEqual({
    [idOf(ListenerArn)]: 'its certificate and key cannot be read',
  });
});

test('when the last load balancer is gone the engine ends, and begins with the next', async () => {
  const engine = new FakeEngine();
  const { reports, generation, call, balancerArn, network } = await openTraffic({ one: engine });
  await reports.settled(account, await generation());
  await call('DeleteLoadBalancer', { LoadBalancerArn: balancerArn });
  expect(await reports.settled(account, await generation())).toEqual({ unbound: {} });
  await vi.waitFor(() => expect(engine.stopped).toBe(1), until);
  await call('CreateLoadBalancer', { Name: 'next', Subnets: network.subnets });
  await reports.settled(account, await generation());
  expect(engine.desired?.generation).toBe(await generation());
});

test('an engine that cannot be opened says why', async () => {
  const engine = new FakeEngine();
  engine.dead = 'HAProxy cannot be run: install it';
  const { reports, generation } = await openTraffic({ one: engine });
  expect(await reports.settled(account, await generation())).toEqual({
    unbound: {},
    silent: 'the traffic engine one refuses it: HAProxy cannot be run: install it',
  });
});

test('targets are checked, and get requests when they are healthy', async () => {
  const engine = new FakeEngine();
  const { keep, register, states, answers } = await openTraffic({ one: engine });
  keep();
  answers.set('10.0.0.2', { kind: 'code', code: 500 });
  await register('10.0.0.1', '10.0.0.2');
  await vi.waitFor(async () => expect((await states()).toSorted()).toEqual(['healthy', 'initial']), until);
  await vi.waitFor(() => {
    const told = engine.desired?.targetGroups[0]?.targets.map(({ address, state }) => [address, state]);
    expect(told?.toSorted()).toEqual([
      ['10.0.0.1', 'up'],
      ['10.0.0.2', 'down'],
    ]);
  }, until);
});

test('one that drains is out when no engine has anything in flight for it', async () => {
  const engines = { one: new FakeEngine(), two: new FakeEngine() };
  const { keep, register, deregister, states, balancers, reports, generation } = await openTraffic(engines);
  keep();
  await register('10.0.0.1');
  await vi.waitFor(async () => expect(await states()).toEqual(['healthy']), until);
  const id = (await balancers.read(account)).all('target')[0]?.id ?? '';
  engines.two.inFlight.set(id, 1);
  await deregister('10.0.0.1');
  await reports.settled(account, await generation());
  expect(engines.two.desired?.targetGroups[0]?.targets).toMatchObject([{ state: 'draining' }]);
  await vi.waitFor(async () => expect((await reports.live(account))[0]?.quiet).toEqual([id]), until);
  expect(await states()).toEqual(['draining']);
  engines.two.inFlight.delete(id);
  await vi.waitFor(async () => expect(await states()).toEqual([]), until);
});

test('an old process of an engine that may still send to it keeps it draining', async () => {
  const engine = new FakeEngine();
  const { keep, register, deregister, states, reports, generation } = await openTraffic({ one: engine });
  keep();
  await register('10.0.0.1');
  await vi.waitFor(async () => expect(await states()).toEqual(['healthy']), until);
  engine.oldest = await generation();
  await deregister('10.0.0.1');
  await reports.settled(account, await generation());
  await vi.waitFor(async () => expect((await reports.live(account))[0]?.generation).toBe(await generation()), until);
  expect(await states()).toEqual(['draining']);
  engine.oldest = undefined;
  await vi.waitFor(async () => expect(await states()).toEqual([]), until);
});

test('security groups that change are told engines under a new generation', async () => {
  const engine = new FakeEngine();
  const { keep, network, networks, reports, generation, register, states } = await openTraffic({ one: engine });
  keep();
  await register('10.0.0.1');
  await vi.waitFor(async () => expect(await states()).toEqual(['healthy']), until);
  await reports.settled(account, await generation());
  expect(engine.desired?.listeners[0]?.admitted).toEqual([]);
  await networks.change(account, (draft) => {
    const groupId = draft.defaultGroup(network.vpcId)?.id ?? '';
    const peer = { cidr: '10.0.0.0/8' };
    draft.put('security-group-rule', { id: 'sgr-1', groupId, egress: false, protocol: '-1', peer, tags: {} });
  });
  await vi.waitFor(() => expect(engine.desired?.listeners[0]?.admitted).toEqual(['10.0.0.0/8']), until);
  const { generations } = engine;
  expect(generations).toEqual(generations.toSorted((a, b) => a - b));
});

test('a delay that is over ends a drain, unless connections may outlive it', async () => {
  const { balancers, register, deregister, call, network } = await openTraffic({});
  await register('10.0.0.1');
  await deregister('10.0.0.1');
  const balancing = await balancers.read(account);
  const [target] = balancing.all('target') as [TargetRecord];
  const version = balancing.versionOf('target', target.id) ?? 0;
  const engine: EngineRecord = {
    id: 'one',
    kind: 'embedded',
    generation: version,
    oldestServing: version,
    seenAt: 0,
    unbound: {},
    quiet: [],
  };
  const after = (ms: number, silent = 0) => ({ drainedFor: () => ms, silentFor: () => silent });
  expect(isDone(balancing, target, [engine], after(299_999))).toBe(false);
  expect(isDone(balancing, target, [engine], after(300_000))).toBe(true);
  expect(isDone(balancing, target, [], after(0))).toBe(false);
  expect(isDone(balancing, target, [], after(300_000))).toBe(true);
  expect(isDone(balancing, target, [{ ...engine, quiet: [target.id] }], after(0))).toBe(true);
  expect(isDone(balancing, target, [{ ...engine, quiet: [target.id], oldestServing: version - 1 }], after(0))).toBe(
    false,
  );
  // One that fell silent may go on with what it knew, for as long as requests may take.
  expect(isDone(balancing, target, [engine], after(0, 319_999))).toBe(false);
  const other = { ...engine, id: 'two', quiet: [target.id] };
  const silentOne = { drainedFor: () => 0, silentFor: ({ id }: { id: string }) => (id === 'one' ? 320_000 : 0) };
  expect(isDone(balancing, target, [engine, other], after(0))).toBe(false);
  expect(isDone(balancing, target, [engine, other], silentOne)).toBe(true);
  const [{ TargetGroupArn }] = (
    await call('CreateTargetGroup', { Name: 'tcp', Protocol: 'TCP', Port: 1, VpcId: network.vpcId, TargetType: 'ip' })
  ).TargetGroups;
  const groupId = TargetGroupArn.slice(-16) as string;
  const tcp = await balancers.read(account);
  expect(isDone(tcp, { ...target, groupId }, [engine], after(300_000))).toBe(false);
  await call('ModifyTargetGroupAttributes', {
    TargetGroupArn,
    Attributes: [{ Key: 'deregistration_delay.connection_termination.enabled', Value: 'true' }],
  });
  expect(isDone(await balancers.read(account), { ...target, groupId }, [engine], after(300_000))).toBe(true);
});
