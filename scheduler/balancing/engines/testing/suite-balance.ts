import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpListener, TargetGroup } from '../../../routing/index.ts';
import { listenerOf } from '../../../routing/testing/generate.ts';
import { ask, freshAddress, openRaw, valueOf } from './raw.ts';
import type { Bench } from './suite.ts';
import { groupOf, startTarget, streamOf, type TestTarget } from './targets.ts';

/** Which target a request or a connection goes to: algorithms, weights, slow start, addresses of clients; and who a target is told has called. */
export function balanceSuite(bench: () => Bench): void {
  describe('a group of two', () => {
    let x: TestTarget;
    let y: TestTarget;
    let release: (() => void)[] = [];
    beforeAll(async () => {
      const hold: Parameters<typeof startTarget>[1] = (request, response, seen) => {
        if (request.url === '/hold') release.push(() => response.end());
        else response.end(seen.target);
      };
      x = await startTarget('x', hold);
      y = await startTarget('y', hold);
    });
    afterAll(async () => {
      await x[Symbol.asyncDispose]();
      await y[Symbol.asyncDispose]();
    });

    async function listening(given: Partial<TargetGroup>, targets = [x.target(), y.target()]): Promise<HttpListener> {
      const listener = listenerOf({
        address: freshAddress(),
        defaultAction: { kind: 'forward', targetGroups: [{ id: 'g', weight: 1 }] },
      });
      await bench().apply({ listeners: [listener], targetGroups: [groupOf('g', targets, given)] });
      return listener;
    }

    const request = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    const shareOf = async (name: string, { address, port }: HttpListener, count: number): Promise<number> => {
      let found = 0;
      for (let i = 0; i < count; i++) if (valueOf(await ask(address, port, request), 'x-target') === name) found++;
      return found / count;
    };
    const between = (value: number, least: number, most: number): boolean => value >= least && value <= most;

    it('shares by weights', async () => {
      for (const algorithm of ['round_robin', 'weighted_random'] as const) {
        const listener = await listening({ algorithm }, [x.target(), { ...y.target(), weight: 4 }]);
        const share = await shareOf('y', listener, 200);
        expect([algorithm, share, between(share, 0.6, 0.95)]).toEqual([algorithm, share, true]);
      }
    });

    it('goes by what is outstanding where that is asked for', async () => {
      const listener = await listening({ algorithm: 'least_outstanding_requests' });
      release = [];
      using client = await openRaw(listener.address, listener.port);
      client.send(request.replace('/', '/hold'));
      await expect.poll(() => release.length).toBe(1);
      const held = [x, y].find(({ seen }) => seen.at(-1)?.url === '/hold')!;
      const inFlight = async (): Promise<number> =>
        (await bench().engine.observe()).targets.reduce((sum, one) => sum + one.inFlight, 0);
      for (let i = 0; i < 10; i++) {
        // A client has its answer a moment before the request counts as over.
        await expect.poll(inFlight, { timeout: 60_000 }).toBe(1);
        expect(await shareOf(held.name, listener, 1)).toBe(0);
      }
      release[0]!();
      await client.answer();
    });

    it('begins slowly with a target that turns up beside another one', async () => {
      const listener = listenerOf({
        address: freshAddress(),
        defaultAction: { kind: 'forward', targetGroups: [{ id: 'g', weight: 1 }] },
      });
      const run = (state: 'up' | 'down'): Promise<void> =>
        bench().apply({
          listeners: [listener],
          targetGroups: [groupOf('g', [x.target(), y.target(state)], { slowStart: 900 })],
        });
      await run('down');
      expect(await shareOf('y', listener, 5)).toBe(0);
      await run('up');
      expect(await shareOf('y', listener, 60)).toBeLessThan(0.3);
    });

    it('shares at once where none of the two was there before', async () => {
      const listener = listenerOf({
        address: freshAddress(),
        defaultAction: { kind: 'forward', targetGroups: [{ id: 'slow', weight: 1 }] },
      });
      const run = (state: 'up' | 'down'): Promise<void> =>
        bench().apply({
          listeners: [listener],
          targetGroups: [groupOf('slow', [x.target(state), y.target(state)], { slowStart: 900 })],
        });
      await run('down');
      await run('up');
      const share = await shareOf('y', listener, 60);
      expect([share, between(share, 0.3, 0.7)]).toEqual([share, true]);
    });

    it('keeps the connections of one address together where that is asked for', async () => {
      const listener = streamOf();
      const targets = [x.target(), y.target()];
      const run = (...states: ('up' | 'down')[]): Promise<void> =>
        bench().apply({
          listeners: [listener],
          targetGroups: [
            groupOf(
              't',
              targets.map((target, i) => ({ ...target, state: states[i] ?? 'up' })),
              {
                protocol: 'TCP',
                stickiness: { kind: 'source_ip' },
              },
            ),
          ],
        });
      await run();
      const targetOf = async (from: string): Promise<string> =>
        valueOf(await ask(listener.address, listener.port, request, { from }), 'x-target') ?? '';
      const sources = Array.from({ length: 24 }, (_, i) => `127.0.${i}.7`);
      const first = await Promise.all(sources.map(targetOf));
      expect([...new Set(first)].toSorted()).toEqual(['x', 'y']);
      for (let i = 0; i < 3; i++) expect(await Promise.all(sources.map(targetOf))).toEqual(first);
      await run('up', 'down');
      expect(new Set(await Promise.all(sources.map(targetOf)))).toEqual(new Set(['x']));
      await run();
      expect(await Promise.all(sources.map(targetOf))).toEqual(first);
    });

    it('gives a client that has said all it will everything that its target says then', async () => {
      const length = 8 << 20;
      const server = createServer({ allowHalfOpen: true }, (socket) => {
        socket.on('error', () => socket.destroy());
        socket.resume();
        socket.on('end', () => socket.end(Buffer.alloc(length)));
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const listener = streamOf();
      const target = { registrationId: 'half', address: '127.0.0.1', port, weight: 1, state: 'up' } as const;
      await bench().apply({ listeners: [listener], targetGroups: [groupOf('t', [target], { protocol: 'TCP' })] });
      using client = await openRaw(listener.address, listener.port);
      client.socket.end('all');
      expect((await client.bytes(length)).length).toBe(length);
      await client.closed;
      server.close();
    });

    it('tells targets who has called by PROXY protocol, where that is asked for', async () => {
      const got: Buffer[] = [];
      const server = createServer((socket) => {
        socket.on('error', () => socket.destroy());
        socket.on('data', (chunk: Buffer) => {
          got.push(chunk);
          if (Buffer.concat(got).includes('ping')) socket.end('pong');
        });
      });
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const { port } = server.address() as AddressInfo;
      const listener = streamOf();
      const target = { registrationId: 'proxy', address: '127.0.0.1', port, weight: 1, state: 'up' } as const;
      await bench().apply({
        listeners: [listener],
        targetGroups: [groupOf('t', [target], { protocol: 'TCP', proxyProtocol: true })],
      });
      using client = await openRaw(listener.address, listener.port, { from: '127.0.0.9' });
      client.send('ping');
      expect((await client.bytes(4)).toString()).toBe('pong');
      const head = Buffer.concat(got);
      // The PROXY protocol, section 2.2: signature, version and command, family, length, addresses, ports.
      expect(head.toString('hex', 0, 14)).toBe('0d0a0d0a000d0a515549540a2111');
      expect(head.readUInt16BE(14)).toBeGreaterThanOrEqual(12);
      expect([...head.subarray(16, 24)].join('.')).toBe(`127.0.0.9.${listener.address}`);
      expect([head.readUInt16BE(24), head.readUInt16BE(26)]).toEqual([client.socket.localPort, listener.port]);
      expect(head.toString('latin1', 16 + head.readUInt16BE(14))).toBe('ping');
      server.close();
    });
  });
}
