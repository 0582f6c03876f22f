import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:net';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpListener } from '../../../routing/index.ts';
import { listenerOf, plainAttributes } from '../../../routing/testing/generate.ts';
import { anyTls, certificateFor } from './certificates.ts';
import { ask, freshAddress, openRaw } from './raw.ts';
import type { Bench } from './suite.ts';
import { groupOf, startTarget, type TestTarget } from './targets.ts';

/** What one client can hold: connections that say nothing, or little, or read nothing, end; heads have a size. */
export function limitsSuite(bench: () => Bench): void {
  describe('a client', () => {
    let plain: HttpListener;
    let secure: HttpListener;
    /** Where nothing is a matter of time. */
    let patient: HttpListener;
    let large: TestTarget;
    beforeAll(async () => {
      large = await startTarget('large', (_, response) => {
        response.on('error', () => undefined);
        response.end(Buffer.alloc(64 << 20));
      });
      const base = {
        attributes: { ...plainAttributes, idleTimeout: 1 },
        defaultAction: { kind: 'forward', targetGroups: [{ id: 'a', weight: 1 }] },
        rules: [
          {
            id: 'large',
            conditions: [{ kind: 'path-pattern', values: ['/large'], regexValues: [] }],
            action: { kind: 'forward', targetGroups: [{ id: 'large', weight: 1 }] },
          },
        ],
      } as const;
      plain = listenerOf({ ...base, id: 'plain', address: freshAddress() });
      secure = listenerOf({
        ...base,
        id: 'secure',
        address: freshAddress(),
        protocol: 'HTTPS',
        tls: { certificates: ['c'], ...anyTls },
      });
      patient = listenerOf({
        id: 'patient',
        address: freshAddress(),
        defaultAction: { kind: 'forward', targetGroups: [{ id: 'patient', weight: 1 }] },
      });
      await bench().apply({
        listeners: [plain, secure, patient],
        certificates: [certificateFor('c', 'a.example.com')],
        targetGroups: [
          groupOf('a', [bench().a.target()]),
          groupOf('patient', [bench().a.target()]),
          groupOf('large', [large.target()]),
        ],
      });
    });
    afterAll(async () => large[Symbol.asyncDispose]());

    const inFlight = async (): Promise<number> =>
      (await bench().engine.observe()).targets.reduce((sum, one) => sum + one.inFlight, 0);

    it.each(['plain', 'secure'])('that says nothing to a %s listener is let go', async (which) => {
      const { address, port } = which === 'plain' ? plain : secure;
      using client = await openRaw(address, port);
      await client.closed;
      expect(client.isIdle).toBe(false);
    });

    it('that says nothing after an answer is let go', async () => {
      using client = await openRaw(plain.address, plain.port);
      client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      expect((await client.answer()).status).toBe(200);
      await client.closed;
    });

    it.each(['before an answer', 'after one'])(
      'that never ends the head of a request %s is let go, though bytes come all the time',
      async (when) => {
        using client = await openRaw(plain.address, plain.port);
        if (when === 'after one') {
          client.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
          await client.answer();
        }
        const ended = client.closed.then(() => true);
        client.socket.on('error', () => undefined);
        client.send('GET / HTTP/1.1\r\n');
        for (let i = 0; !(await Promise.race([ended, sleep(100, false)])); i++)
          if (client.socket.writable) client.send(`X-${i}: y\r\n`);
        expect(client.isIdle).toBe(false);
      },
    );

    it('that stops in the midst of a body holds no target', async () => {
      using client = await openRaw(plain.address, plain.port);
      client.send('POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhello');
      await client.closed;
      await expect.poll(inFlight).toBe(0);
    });

    it('that reads nothing of an answer holds no target', async () => {
      const socket = connect(plain.port, plain.address);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.pause();
      socket.write('GET /large HTTP/1.1\r\nHost: a\r\n\r\n');
      await expect.poll(() => large.seen.length).toBe(1);
      await expect.poll(inFlight).toBe(0);
      socket.destroy();
    });

    it.each([
      [200, 200],
      [300, 400],
      [4000, 400],
    ])('with %s headers is answered %s', async (count, status) => {
      const lines = Array.from({ length: count }, (_, i) => `x${i}: y\r\n`).join('');
      expect((await ask(patient.address, patient.port, `GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`)).status).toBe(
        status,
      );
    });

    it('whose framing stands after more headers than fit hides no second request', async () => {
      const before = bench().a.seen.length;
      const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';
      const lines = 'x:y\r\n'.repeat(2500);
      const answer = await ask(
        patient.address,
        patient.port,
        `GET / HTTP/1.1\r\nHost: a\r\n${lines}Content-Length: ${hidden.length}\r\n\r\n${hidden}`,
      );
      expect([answer.status, bench().a.seen.length]).toEqual([400, before]);
    });

    it('is not held up by a hundred others that wait', async () => {
      using waiting = new DisposableStack();
      for (let i = 0; i < 100; i++)
        waiting.use(await openRaw(patient.address, patient.port)).send('GET / HTTP/1.1\r\nHost: a\r\nX: ');
      expect((await ask(patient.address, patient.port, 'GET / HTTP/1.1\r\nHost: a\r\n\r\n')).status).toBe(200);
    });
  });
}
