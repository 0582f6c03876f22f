import type { Call, UpgradeService } from '@slipway/auth/contract';
import { systemClock } from '@slipway/storage/clock';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import { type AddressInfo, connect, createServer as createTcp, type Socket } from 'node:net';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';

import { FakeEngine } from '../testing/fake-engine.ts';
import { account, openWeb, region } from '../testing/open-balancing.ts';
import { trafficOptions } from '../testing/traffic-options.ts';
import { EngineReports, Keeper } from '../traffic/index.ts';

import { type BalancerOptions, BalancerRefused, joinBalancing, leaveBalancing } from './client.ts';
import { balancerPath } from './frames.ts';
import { createBalancerEndpoint, remoteId } from './server.ts';

const until = { timeout: 60_000, interval: 10 };
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).toReversed()) await end();
});

/** A server that engines of other hosts may connect to; `as` is the account of whoever does. */
async function openEndpoint(as = account) {
  const world = await openWeb();
  const { balancers } = world;
  const options = trafficOptions(world, { timing: { report: 50, drain: 10 } });
  const { log } = options;
  const endpoint = createBalancerEndpoint({ ...options, region });
  const server = createServer();
  server.on('upgrade', (request, socket, head) => {
    const { searchParams } = new URL(request.url ?? '', 'http://server');
    endpoint.accept(request, socket, head, { account: as } as Call, searchParams);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  ends.push(async () => {
    await endpoint.close();
    server.closeAllConnections();
    server.close();
  });
  /** A host with an engine that joins. @returns ends it as a crash does */
  const host = (name: string, engine: FakeEngine, at = port) => {
    const over = new AbortController();
    const given: BalancerOptions = {
      server: `http://127.0.0.1:${at}`,
      region,
      credentials: () => Promise.resolve({ accessKeyId: 'AKIA', secretAccessKey: 'x' }),
      name,
      kind: engine.kind,
      open: () => engine.open(),
      clock: systemClock,
      log,
    };
    const running = joinBalancing(given, over.signal);
    const end = async (): Promise<void> => {
      over.abort();
      await running;
    };
    ends.push(() => end().catch(() => undefined));
    return { given, running, end };
  };
  const reports = new EngineReports(options);
  return {
    ...world,
    options,
    endpoint,
    port,
    host,
    reports,
    generation: async () => (await balancers.read(account)).generation,
    live: (...names: string[]) =>
      vi.waitFor(async () => {
        const engines = await reports.live(account);
        const { generation } = await balancers.read(account);
        const current = engines.flatMap((one) => (one.generation === generation ? [one.id] : []));
        expect(current.toSorted()).toEqual(names.map(remoteId).toSorted());
      }, until),
    keep: () => {
      const over = new AbortController();
      const running = new Keeper(options).run(over.signal);
      ends.push(async () => {
        over.abort();
        await running;
      });
    },
  };
}

/** The status that a handshake is answered with. */
async function answerTo(port: number, query: string): Promise<number | undefined> {
  const asked = request({
    port,
    host: '127.0.0.1',
    path: `${balancerPath}?${query}`,
    headers: {
      Connection: 'Upgrade',
      Upgrade: 'websocket',
      'Sec-WebSocket-Version': 13,
      'Sec-WebSocket-Key': 'a'.repeat(22) + '==',
    },
  }).end();
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  response.resume();
  return response.statusCode;
}

/** A way to a server that can be cut: nothing comes through any more, and nobody is told. */
async function openWay(port: number) {
  const sockets = new Set<Socket>();
  let isCut = false;
  const way = createTcp((client) => {
    const there = connect(port, '127.0.0.1');
    for (const socket of [client, there]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    client.on('data', (chunk) => isCut || there.write(chunk));
    there.on('data', (chunk) => isCut || client.write(chunk));
    client.on('close', () => there.destroy());
    there.on('close', () => client.destroy());
  });
  way.listen(0, '127.0.0.1');
  await once(way, 'listening');
  ends.push(async () => {
    for (const socket of sockets) socket.destroy();
    way.close();
  });
  return { port: (way.address() as AddressInfo).port, cut: () => (isCut = true) };
}

describe('engines on other hosts', () => {
  test('get the whole desired state, and every one acknowledges each generation', async () => {
    const { host, live, call, groupArn, reports, generation } = await openEndpoint();
    const [one, two] = [new FakeEngine(), new FakeEngine()];
    host('one', one);
    host('two', two);
    await live('one', 'two');
    await call('RegisterTargets', { TargetGroupArn: groupArn, Targets: [{ Id: '10.0.0.1' }] });
    expect(await reports.settled(account, await generation())).toEqual({ unbound: {} });
    for (const engine of [one, two])
      expect(engine.desired?.targetGroups[0]?.targets).toMatchObject([{ address: '10.0.0.1' }]);
    expect((await reports.live(account)).map(({ kind }) => kind)).toEqual(['embedded', 'embedded']);
  });

  test('that are killed, partitioned or gone for good are told apart: only what may still carry traffic is waited for', async () => {
    const { host, live, port, call, groupArn, reports, balancers, keep } = await openEndpoint();
    const way = await openWay(port);
    const [steady, dead, away] = [new FakeEngine(), new FakeEngine(), new FakeEngine()];
    host('steady', steady);
    host('away', away, way.port);
    const killed = host('dead', dead);
    await live('away', 'dead', 'steady');
    await call('RegisterTargets', { TargetGroupArn: groupArn, Targets: [{ Id: '10.0.0.1' }] });
    await live('away', 'dead', 'steady');
    // The way of one is cut while it has what it was told; the other says that it ends.
    way.cut();
    await killed.end();
    await leaveBalancing(killed.given, new AbortController().signal);
    expect(dead.stopped).toBe(1);
    await vi.waitFor(async () => {
      const ids = (await balancers.engines(account)).map(({ id }) => id);
      expect(ids.toSorted()).toEqual([remoteId('away'), remoteId('steady')]);
    }, until);
    keep();
    await call('DeregisterTargets', { TargetGroupArn: groupArn, Targets: [{ Id: '10.0.0.1' }] });
    const target = async () => (await balancers.read(account)).all('target')[0];
    await vi.waitFor(async () => {
      const engines = await balancers.engines(account);
      const { id = '' } = (await target()) ?? {};
      expect(engines.map((one) => [one.id, one.quiet.includes(id)])).toEqual([
        [remoteId('away'), false],
        [remoteId('steady'), true],
      ]);
    }, until);
    // It may route to the target still, so the target stays; when it is reached again, it is out.
    expect(away.desired?.targetGroups[0]?.targets).toMatchObject([{ address: '10.0.0.1' }]);
    expect(await target()).toMatchObject({ targetId: '10.0.0.1' });
    host('away', away);
    await vi.waitFor(async () => expect(await target()).toBeUndefined(), until);
    expect((await reports.live(account)).every(({ refused }) => refused === undefined)).toBe(true);
  });

  test('carry on while no server is there, and go on with the next one', async () => {
    const { host, live, endpoint, port } = await openEndpoint();
    const engine = new FakeEngine();
    host('one', engine);
    await live('one');
    await endpoint.close();
    expect(engine.stopped).toBe(0);
    expect(engine.desired?.generation).toBeGreaterThan(0);
    // It is closed: whoever connects is sent away, and tries again.
    expect(await answerTo(port, 'name=two&kind=embedded')).toBe(503);
  });

  test('say why they cannot take a state, and a fault of one is not the others', async () => {
    const { host, reports, generation, live } = await openEndpoint();
    const [good, bad] = [new FakeEngine(), new FakeEngine()];
    bad.refuses = 'no memory';
    host('good', good);
    await live('good');
    host('bad', bad);
    await vi.waitFor(async () => {
      const { silent } = await reports.settled(account, await generation());
      expect(silent).toBe(`the traffic engine ${remoteId('bad')} refuses it: no memory`);
    }, until);
    bad.refuses = undefined;
    await live('bad', 'good');
  });

  test.each([
    ['name=..%2Fx&kind=embedded', 400],
    ['name=&kind=embedded', 400],
    ['name=one&kind=nginx', 400],
    [`name=${'a'.repeat(64)}&kind=haproxy`, 400],
  ])('are not served as %s', async (query, status) => {
    const { port } = await openEndpoint();
    expect(await answerTo(port, query)).toBe(status);
  });

  test('of another account are refused, and do not try again', async () => {
    const { host } = await openEndpoint('111111111111');
    await expect(host('one', new FakeEngine()).running).rejects.toThrow(BalancerRefused);
  });

  test.each([
    'no JSON',
    '[]',
    '{"id":1}',
    '{"id":1,"answer":{"generation":-1}}',
    '{"leave":"yes"}',
    '{"id":99,"answer":null}',
  ])('that answer %j are of no harm to others', async (frame) => {
    const { port, host, reports } = await openEndpoint();
    const ws = new WebSocket(`ws://127.0.0.1:${port}${balancerPath}?name=liar&kind=embedded`);
    ws.on('error', () => undefined);
    const asked = once(ws, 'message');
    ws.on('message', () => ws.send(frame));
    await asked;
    host('one', new FakeEngine());
    await vi.waitFor(async () => {
      const engines = await reports.live(account);
      expect(engines.find(({ id }) => id === remoteId('one'))?.generation).toBeGreaterThan(0);
      // Nothing that it said was taken for an acknowledgement.
      expect(engines.find(({ id }) => id === remoteId('liar'))?.generation ?? 0).toBe(0);
    }, until);
    ws.terminate();
  });

  test('needs a permission for its own name', async () => {
    const accessOf = (access: UpgradeService['access']) => {
      if (access === 'proof') throw new Error('everybody gets in');
      return access;
    };
    const { endpoint } = await openEndpoint();
    const call = { account } as Call;
    expect(await accessOf(endpoint.access)(new URLSearchParams({ name: 'one' }), call)).toEqual([
      {
        action: 'slipway:CarryTraffic',
        resources: [{ arn: `arn:aws:elasticloadbalancing:${region}:${account}:engine/one` }],
      },
    ]);
    expect(await accessOf(endpoint.access)(new URLSearchParams({ name: '*/x' }), call)).toMatchObject([
      { resources: [{ arn: `arn:aws:elasticloadbalancing:${region}:${account}:engine/*` }] },
    ]);
  });
});
