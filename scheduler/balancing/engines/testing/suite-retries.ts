import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpListener, Target, TargetGroup } from '../../../routing/index.ts';
import { listenerOf } from '../../../routing/testing/generate.ts';
import { ask, freshAddress, openRaw, type RawError } from './raw.ts';
import type { Bench } from './suite.ts';
import { groupOf } from './targets.ts';

/** A target that speaks no HTTP of its own: what it does with a request is what the test says. */
interface Rude extends AsyncDisposable {
  readonly target: Target;
  /** Of each request: its method, and how many came over its connection before. */
  readonly seen: { readonly method: string; readonly place: number }[];
}

const good = 'HTTP/1.1 200 OK\r\nx-target: rude\r\nContent-Length: 2\r\n\r\nok';

/** Takes requests without bodies that come in one piece. */
async function rude(handle: (socket: Socket, place: number, method: string) => void): Promise<Rude> {
  const seen: { method: string; place: number }[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let place = 0;
    let text = '';
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      const end = text.indexOf('\r\n\r\n');
      if (end === -1) return;
      const method = text.slice(0, text.indexOf(' '));
      text = '';
      seen.push({ method, place });
      handle(socket, place++, method);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    seen,
    target: { registrationId: `rude/${port}`, address: '127.0.0.1', port, weight: 1, state: 'up' },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

const requestOf = (method: string): string =>
  `${method} / HTTP/1.1\r\nHost: a\r\n${method === 'GET' ? '' : 'Content-Length: 0\r\n'}\r\n`;

/** What is sent again and what never is: connections to targets that turn out to be stale, answers that break off, targets that refuse. */
export function retrySuite(bench: () => Bench): void {
  describe('a target', () => {
    const open: AsyncDisposable[] = [];
    afterEach(async () => {
      for (const one of open.splice(0)) await one[Symbol.asyncDispose]();
    });

    async function behind(
      handle: Parameters<typeof rude>[0],
      given: Partial<TargetGroup> = {},
      others: readonly Target[] = [],
    ): Promise<{ listener: HttpListener; target: Rude }> {
      const target = await rude(handle);
      open.push(target);
      const listener = listenerOf({
        address: freshAddress(),
        defaultAction: { kind: 'forward', targetGroups: [{ id: 'g', weight: 1 }] },
      });
      await bench().apply({ listeners: [listener], targetGroups: [groupOf('g', [target.target, ...others], given)] });
      return { listener, target };
    }

    /** Statuses of requests over one connection, one after the other. */
    async function statuses({ address, port }: HttpListener, methods: readonly string[]): Promise<number[]> {
      const all: number[] = [];
      using client = await openRaw(address, port);
      for (const method of methods) {
        client.send(requestOf(method));
        all.push((await client.answer(method)).status);
      }
      return all;
    }

    const count = 20;
    const many = (method: string): string[] => Array.from({ length: count }, () => method);
    /** The worst moment: the connection goes when the next request is already on its way. */
    const stale: Parameters<typeof rude>[0] = (socket, place) => {
      if (place === 0) socket.write(good);
      else if (place % 2 === 0) socket.end();
      else socket.resetAndDestroy();
    };

    it('that closes connections under the next request loses none that is safe', async () => {
      const { listener, target } = await behind(stale);
      expect(await statuses(listener, many('GET'))).toEqual(many('GET').map(() => 200));
      // Connections are kept, or nothing was tried here.
      expect(target.seen.some(({ place }) => place > 0)).toBe(true);
    });

    it.each(['POST', 'PUT', 'PATCH', 'DELETE'])(
      'that closes connections gets each %s over one of its own',
      async (method) => {
        const { listener, target } = await behind(stale);
        const mixed = many(method).flatMap((one) => ['GET', one]);
        expect(await statuses(listener, mixed)).toEqual(mixed.map(() => 200));
        const unsafe = target.seen.filter((one) => one.method === method);
        expect([unsafe.length, unsafe.filter(({ place }) => place > 0)]).toEqual([count, []]);
      },
    );

    it('whose group asks for fresh connections gets no request over a used one', async () => {
      const { listener, target } = await behind(stale, { freshConnections: true });
      expect(await statuses(listener, many('GET'))).toEqual(many('GET').map(() => 200));
      expect([target.seen.length, target.seen.filter(({ place }) => place > 0)]).toEqual([count, []]);
    });

    it('whose group is not to send again fails what met a stale connection', async () => {
      const { listener, target } = await behind(stale, { retrySafe: false });
      const all: unknown[] = [];
      while (target.seen.length < count) {
        using client = await openRaw(listener.address, listener.port);
        for (let i = 0; i < 2 && client.isIdle; i++) {
          client.send(requestOf('GET'));
          all.push(
            await client.answer().then(
              ({ status }) => status,
              ({ kind }: RawError) => kind,
            ),
          );
        }
      }
      // HAProxy closes the client's connection as the target's was closed: the client may do what it would have done then.
      expect(all.filter((one) => ![200, 502, 'closed', 'reset'].includes(one as number))).toEqual([]);
      expect(all.filter((one) => one !== 200).length).toBeGreaterThan(0);
      expect(target.seen.length).toBe(all.length);
    });

    it.each(['GET', 'POST'])('that breaks off within the head fails a %s', async (method) => {
      const { listener, target } = await behind((socket) => socket.end('HTTP/1.1 200 O'));
      expect((await ask(listener.address, listener.port, requestOf(method), { method })).status).toBe(502);
      // Nothing of it came to the client, so that what is safe may be sent again.
      expect(target.seen.length).toBeLessThanOrEqual(method === 'GET' ? 4 : 1);
    });

    it.each(['GET', 'POST'])(
      'that breaks off within the body has seen a %s once, whose answer looks cut',
      async (method) => {
        const { listener, target } = await behind((socket) => socket.end(good.replace('Length: 2', 'Length: 20')));
        await expect(ask(listener.address, listener.port, requestOf(method), { method })).rejects.toThrow('cut');
        expect(target.seen.length).toBe(1);
      },
    );

    it('that says nothing to a POST on a fresh connection has seen it once', async () => {
      const { listener, target } = await behind((socket) => socket.end());
      expect((await ask(listener.address, listener.port, requestOf('POST'))).status).toBe(502);
      expect(target.seen).toEqual([{ method: 'POST', place: 0 }]);
    });

    it.each(['GET', 'POST'])('that answers no connection loses no %s while another one does', async (method) => {
      const gone = await rude(() => undefined);
      await gone[Symbol.asyncDispose]();
      const { listener } = await behind((socket) => socket.write(good), {}, [gone.target]);
      expect(await statuses(listener, many(method))).toEqual(many(method).map(() => 200));
    });

    it('that talks without being asked, or no HTTP, costs its own request only', async () => {
      let said = 'rubbish\r\n\r\n';
      const { listener } = await behind((socket) => socket.end(said));
      for (said of [
        'rubbish\r\n\r\n',
        'HTTP/1.1 20\r\n\r\n',
        `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(70_000)}\r\n\r\n`,
        'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok',
      ]) {
        expect((await ask(listener.address, listener.port, requestOf('POST'))).status).toBe(502);
      }
      said = good;
      expect((await ask(listener.address, listener.port, requestOf('POST'))).status).toBe(200);
    });
  });
}
