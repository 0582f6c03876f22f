import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { cookieKey, listenerOf, plainAttributes } from '../../../routing/testing/generate.ts';
import type { DesiredState, HttpListener, Target } from '../contract.ts';
import { ask, freshAddress, openRaw } from '../testing/raw.ts';
import { engineSuite, get } from '../testing/suite.ts';
import { groupOf, startTarget } from '../testing/targets.ts';
import { createCarrier } from './carrier.ts';
import { openEmbedded } from './engine.ts';

async function place(): Promise<{ folder: string } & AsyncDisposable> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-embedded-'));
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) };
}

function stateOf(generation: number, listener: HttpListener, targets: readonly Target[]): DesiredState {
  return { generation, cookieKey, certificates: [], listeners: [listener], targetGroups: [groupOf('g', targets)] };
}

describe('the embedded engine', () => {
  engineSuite(
    async () => {
      const { folder } = await place();
      const engine = await openEmbedded({ folder });
      return {
        engine,
        end: async () => {
          await engine.stop();
          await rm(folder, { recursive: true });
        },
      };
    },
    { rewrites: false },
  );
});

describe("the embedded engine's process", () => {
  it('outlives the server, is found again, and lets nobody else talk to it', async () => {
    await using where = await place();
    await using a = await startTarget('a');
    const listener = listenerOf({
      address: freshAddress(),
      defaultAction: { kind: 'forward', targetGroups: [{ id: 'g', weight: 1 }] },
    });
    const first = await openEmbedded(where);
    await first.apply(stateOf(7, listener, [a.target()]));
    await first.close();
    const second = await openEmbedded(where);
    expect((await second.observe()).generation).toBe(7);
    expect((await second.apply(stateOf(6, listener, []))).generation).toBe(7);
    expect((await get(listener)).status).toBe(200);
    const modes = await Promise.all(
      (await readdir(where.folder)).map(async (name) => (await stat(join(where.folder, name))).mode & 0o077),
    );
    expect(modes).toEqual(modes.map(() => 0));
    await second.stop();
    await expect(second.observe()).rejects.toThrow('apply a state to start it');
    await expect(get(listener)).rejects.toThrow('refused');
  });
});

describe('the most connections of a listener', () => {
  it('are served; one more is closed at once, until another one ends', async () => {
    await using a = await startTarget('a');
    const carrier = createCarrier({ mostConnections: 2 });
    await using _ = { [Symbol.asyncDispose]: () => carrier.stop() };
    const forward = { kind: 'forward', targetGroups: [{ id: 'g', weight: 1 }] } as const;
    const listener = listenerOf({ id: 'full', address: freshAddress(), defaultAction: forward });
    const other = listenerOf({ id: 'other', address: freshAddress(), defaultAction: forward });
    await carrier.apply({ ...stateOf(1, listener, [a.target()]), listeners: [listener, other] });
    const connect = () => openRaw(listener.address, listener.port);
    const request = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';
    const statusOf = async (client: Awaited<ReturnType<typeof connect>>): Promise<number> => {
      client.send(request);
      return (await client.answer()).status;
    };
    using first = await connect();
    using second = await connect();
    expect([await statusOf(first), await statusOf(second)]).toEqual([200, 200]);
    using third = await connect();
    await third.closed;
    // Those that are served go on, and other listeners have their own.
    expect([await statusOf(first), await statusOf(second), (await get(other)).status]).toEqual([200, 200, 200]);
    first[Symbol.dispose]();
    const active = (): number | undefined => carrier.observe().listeners[0]?.activeConnections;
    await expect.poll(active, { timeout: 60_000 }).toBe(1);
    using fourth = await connect();
    expect(await statusOf(fourth)).toBe(200);
  });
});

describe('a target that takes requests and never answers', () => {
  it('has failed those that were whole, by the time that the client is told', async () => {
    await using mute = await startTarget('mute', () => undefined);
    const carrier = createCarrier();
    await using _ = { [Symbol.asyncDispose]: () => carrier.stop() };
    const listener = listenerOf({
      address: freshAddress(),
      attributes: { ...plainAttributes, idleTimeout: 2 },
      defaultAction: { kind: 'forward', targetGroups: [{ id: 'g', weight: 1 }] },
    });
    await carrier.apply(stateOf(1, listener, [mute.target()]));
    const { address, port } = listener;
    const post = 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n';
    using slow = await openRaw(address, port);
    slow.send(`${post}y`);
    const answers = await Promise.all([get(listener), ask(address, port, `${post}yy`)]);
    expect(answers.map(({ status }) => status)).toEqual([504, 504]);
    await slow.closed;
    const [target] = carrier.observe().targets;
    expect(target?.counts).toMatchObject({ codes: [0, 0, 0, 0], connectionErrors: 2 });
  });
});
