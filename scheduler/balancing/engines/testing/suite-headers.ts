import { beforeAll, describe, expect, it } from 'vitest';
import type { HttpListener } from '../../../routing/index.ts';
import { listenerOf } from '../../../routing/testing/generate.ts';
import { ask, freshAddress } from './raw.ts';
import type { Bench } from './suite.ts';
import { groupOf, headerOf, type Seen } from './targets.ts';

/** Each header that engines do something about, with nothing else about its request that would have them look. */
export function headersSuite(bench: () => Bench): void {
  describe('a request', () => {
    let listener: HttpListener;
    beforeAll(async () => {
      listener = listenerOf({
        address: freshAddress(),
        defaultAction: { kind: 'forward', targetGroups: [{ id: 'g', weight: 1 }] },
      });
      await bench().apply({ listeners: [listener], targetGroups: [groupOf('g', [bench().a.target()])] });
    });
    const seenOf = async (head: string): Promise<Seen> => {
      const answer = await ask(listener.address, listener.port, `GET / HTTP/1.1\r\n${head}\r\n\r\n`);
      return JSON.parse(answer.body.toString()) as Seen;
    };

    it.each([
      {
        what: 'a header for the next hop',
        line: 'Connection: close, X-Hop\r\nX-Hop: 1',
        name: 'x-hop',
        value: undefined,
      },
      { what: 'Keep-Alive', line: 'KEEP-ALIVE: 5', name: 'keep-alive', value: undefined },
      { what: 'Proxy-Connection', line: 'proxy-connection: close', name: 'proxy-connection', value: undefined },
      { what: 'an upgrade to what is no WebSocket', line: 'Upgrade: h2c', name: 'upgrade', value: undefined },
      { what: 'a version of TLS', line: 'X-Amzn-Tls-Version: x', name: 'x-amzn-tls-version', value: undefined },
      {
        what: 'a cipher of TLS',
        line: 'X-Amzn-Tls-Cipher-Suite: x',
        name: 'x-amzn-tls-cipher-suite',
        value: undefined,
      },
      { what: 'an address', line: 'x-Forwarded-For: 1.2.3.4', name: 'x-forwarded-for', value: '1.2.3.4, 127.0.0.1' },
      { what: 'nothing', line: 'Connection: Keep-Alive', name: 'x-forwarded-for', value: '127.0.0.1' },
    ])('with $what alone, before or after its host, comes as it is to', async ({ line, name, value }) => {
      for (const head of [`${line}\r\nHost: a`, `Host: a\r\nX-Stay: 1\r\n${line}`])
        expect(headerOf(await seenOf(head), name)).toBe(value);
    });

    it.each(['A.Example.com', 'a.example.com:8080', 'A.EXAMPLE.COM:80'])(
      'for %s is for a.example.com',
      async (host) => {
        const seen = await seenOf(`Host: ${host}`);
        expect(headerOf(seen, 'host')).toBe('a.example.com');
      },
    );
  });
}
