import { describe, expect, it } from 'vitest';
import type { HttpAttributes, HttpListener } from '../../../routing/index.ts';
import { listenerOf, plainAttributes } from '../../../routing/testing/generate.ts';
import { anyTls, askTls, certificateFor } from './certificates.ts';
import { ask, freshAddress, openRaw, type RawAnswer, valueOf } from './raw.ts';
import type { Bench } from './suite.ts';
import { groupOf, headerOf, type Seen, streamOf } from './targets.ts';

const toGroup = (id: string) => ({ kind: 'forward', targetGroups: [{ id, weight: 1 }] }) as const;

/** TLS, plain bytes, who may connect, attributes and stickiness, for every engine. */
export function listenerSuite(bench: () => Bench): void {
  const target = (): Bench['a'] => bench().a;
  const applied: Bench['apply'] = async (given) => bench().apply(given);

  it('shows the certificate of the name that a client asks for, the first for any other, and a renewed one at once', async () => {
    const [one, two] = [certificateFor('one', 'one.example.com'), certificateFor('two', 'two.example.com')];
    const listener = listenerOf({
      address: freshAddress(),
      protocol: 'HTTPS',
      tls: { certificates: ['one', 'two'], ...anyTls },
      attributes: { ...plainAttributes, tlsHeaders: true },
      defaultAction: toGroup('a'),
    });
    await applied({ listeners: [listener], certificates: [one, two] });
    const shown = async (name?: string): Promise<unknown> =>
      (await askTls(listener.address, listener.port, name === undefined ? {} : { name })).certificate.fingerprint256;
    const fingerprint = async (): Promise<unknown[]> => [
      await shown('one.example.com'),
      await shown('two.example.com'),
      await shown('x.example.com'),
      await shown(),
    ];
    const before = await fingerprint();
    expect(before).toEqual([before[0], before[1], before[0], before[0]]);
    expect(before[1]).not.toBe(before[0]);
    await applied({ listeners: [listener], certificates: [certificateFor('one', 'one.example.com'), two] });
    const after = await fingerprint();
    expect(after[0]).not.toBe(before[0]);
    expect(after[1]).toBe(before[1]);
    const { answer, version } = await askTls(listener.address, listener.port, {
      text: 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n',
    });
    const seen = JSON.parse(answer.slice(answer.indexOf('{'), answer.lastIndexOf('}') + 1)) as Seen;
    expect([headerOf(seen, 'x-forwarded-proto'), headerOf(seen, 'x-amzn-tls-version')]).toEqual(['https', version]);
    await expect(askTls(listener.address, listener.port, { highest: 'TLSv1.1' })).rejects.toThrow(
      /alert|protocol|version/i,
    );
    expect((await askTls(listener.address, listener.port, { alpn: ['h2', 'http/1.1'] })).alpn).toBe('h2');
  });

  it('passes bytes on where a listener has no rules, TLS taken off or not', async () => {
    const certificate = certificateFor('one', 'one.example.com');
    const plain = streamOf({ id: 'plain' });
    const secure = streamOf({ id: 'secure', protocol: 'TLS', tls: { certificates: ['one'], ...anyTls } });
    await applied({
      listeners: [plain, secure],
      certificates: [certificate],
      targetGroups: [groupOf('t', [target().target()], { protocol: 'TCP' })],
    });
    const request = 'GET /x HTTP/1.1\r\nHost: As.It.Is\r\nConnection: close\r\n\r\n';
    const seen = JSON.parse((await ask(plain.address, plain.port, request)).body.toString()) as Seen;
    expect(seen.headers).toEqual([
      ['Host', 'As.It.Is'],
      ['Connection', 'close'],
    ]);
    expect((await askTls(secure.address, secure.port, { text: request })).answer).toContain('As.It.Is');
  });

  it('lets nobody in whom no block admits', async () => {
    const listener = listenerOf({
      address: freshAddress(),
      admitted: ['127.0.0.2/32', '::/0'],
      defaultAction: toGroup('a'),
    });
    await applied({ listeners: [listener] });
    const request = 'GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n';
    expect((await ask(listener.address, listener.port, request, { from: '127.0.0.2' })).status).toBe(200);
    await expect(ask(listener.address, listener.port, request, { from: '127.0.0.3' })).rejects.toThrow(
      /reset|closed|refused/,
    );
  });

  describe('attributes', () => {
    const request =
      'GET / HTTP/1.1\r\nHost: A.b:81\r\nX-Forwarded-For: 9.9.9.9\r\nX_Odd: 1\r\nX.Odd: 1\r\nConnection: close\r\n\r\n';
    it.each<[Partial<HttpAttributes>, string, unknown]>([
      [{ forwardedFor: 'preserve' }, 'x-forwarded-for', '9.9.9.9'],
      [{ forwardedFor: 'remove' }, 'x-forwarded-for', undefined],
      [{ forwardedForWithPort: true }, 'x-forwarded-for', expect.stringMatching(/^9\.9\.9\.9, 127\.0\.0\.1:\d+$/)],
      [{ preserveHostHeader: true }, 'host', 'A.b:81'],
      [{ dropInvalidHeaderFields: true }, 'x_odd', undefined],
      [{ dropInvalidHeaderFields: true }, 'x.odd', undefined],
      [{}, 'x_odd', '1'],
    ])('%j: the target sees %s %s', async (given, name, expected) => {
      const listener = listenerOf({
        address: freshAddress(),
        attributes: { ...plainAttributes, ...given },
        defaultAction: toGroup('a'),
      });
      await applied({ listeners: [listener] });
      const value = headerOf(
        JSON.parse((await ask(listener.address, listener.port, request)).body.toString()) as Seen,
        name,
      );
      expect(value).toEqual(expected);
    });

    it('leave hosts to targets as they are, and have rules go by their names', async () => {
      const rule = {
        id: 'r',
        conditions: [{ kind: 'host-header', values: ['a.example.com'], regexValues: [] }],
        action: toGroup('a'),
      } as const;
      const attributes = { ...plainAttributes, preserveHostHeader: true };
      const listener = listenerOf({ address: freshAddress(), attributes, rules: [rule] });
      await applied({ listeners: [listener] });
      for (const host of ['a.example.com', 'A.example.com:8080']) {
        const head = `GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;
        const { status, body } = await ask(listener.address, listener.port, head);
        expect(status).toBe(200);
        expect(headerOf(JSON.parse(body.toString()) as Seen, 'host')).toBe(host);
      }
    });

    it('set headers on every answer, whatever marks they hold, and hide the server where asked', async () => {
      const value = `max-age=1; "x" %[src] \\ #{y} 'z'`;
      const attributes = {
        ...plainAttributes,
        serverHeader: false,
        responseHeaders: { 'strict-transport-security': value },
      };
      const rule = {
        id: 'r',
        conditions: [{ kind: 'path-pattern', values: ['/no'], regexValues: [] }],
        action: { kind: 'fixed-response', status: 404, contentType: 'text/plain', body: 'no' },
      } as const;
      const listener = listenerOf({ address: freshAddress(), attributes, rules: [rule], defaultAction: toGroup('a') });
      await applied({ listeners: [listener] });
      for (const path of ['/', '/no']) {
        const answer = await ask(
          listener.address,
          listener.port,
          `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`,
        );
        expect([valueOf(answer, 'strict-transport-security'), valueOf(answer, 'server')]).toEqual([value, undefined]);
      }
    });
  });

  describe('stickiness', () => {
    const cookiesOf = (answer: RawAnswer): Map<string, string> =>
      new Map(
        answer.headers
          .filter(([name]) => name === 'set-cookie')
          .map(([, value]) => /^([^=]+)=([^;]*)/.exec(value)!)
          .map(([, name, value]) => [name!, value!] as const),
      );
    const askWith = async (listener: HttpListener, cookies: ReadonlyMap<string, string>): Promise<RawAnswer> => {
      const line = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      return ask(
        listener.address,
        listener.port,
        `GET / HTTP/1.1\r\nHost: a\r\nCookie: ${line}\r\nConnection: close\r\n\r\n`,
      );
    };
    const namesFor = async (listener: HttpListener, cookies: ReadonlyMap<string, string>): Promise<unknown[]> => {
      const names = new Set<unknown>();
      for (let i = 0; i < 12; i++) names.add(valueOf(await askWith(listener, cookies), 'x-target'));
      return [...names].map(String).sort();
    };

    it('keeps a client with its group until the group has no share', async () => {
      const { a, b } = bench();
      const listener = listenerOf({
        address: freshAddress(),
        defaultAction: {
          kind: 'forward',
          targetGroups: [
            { id: 'a', weight: 1 },
            { id: 'b', weight: 1 },
          ],
          stickySeconds: 600,
        },
      });
      const targetGroups = [groupOf('a', [a.target()]), groupOf('b', [b.target()])];
      await applied({ listeners: [listener], targetGroups });
      const first = await askWith(listener, new Map());
      const cookies = cookiesOf(first);
      expect([...cookies.keys()]).toEqual(['AWSALBTG', 'AWSALBTGCORS']);
      const kept = valueOf(first, 'x-target')!;
      expect(await namesFor(listener, cookies)).toEqual([kept]);
      expect(await namesFor(listener, new Map([['AWSALBTGCORS', cookies.get('AWSALBTGCORS')!]]))).toEqual([kept]);
      const other = kept === 'a' ? 'b' : 'a';
      const shifted = {
        ...listener,
        defaultAction: {
          kind: 'forward',
          targetGroups: [
            { id: kept, weight: 0 },
            { id: other, weight: 9 },
          ],
          stickySeconds: 600,
        },
      } as const;
      await applied({ listeners: [shifted], targetGroups });
      expect(await namesFor(listener, cookies)).toEqual([other]);
    });

    it.each([
      ['lb_cookie', { kind: 'lb_cookie', seconds: 600 }, ['AWSALB', 'AWSALBCORS']],
      ['app_cookie', { kind: 'app_cookie', seconds: 600, cookieName: "s'id$" }, ['AWSALBAPP-0']],
    ] as const)(
      'keeps a client with its target by %s until the target leaves rotation',
      async (_, stickiness, names) => {
        const { app, b } = bench();
        const listener = listenerOf({ address: freshAddress(), defaultAction: toGroup('g') });
        const run = (state: 'up' | 'draining') =>
          applied({
            listeners: [listener],
            targetGroups: [groupOf('g', [app.target(state), b.target()], { stickiness })],
          });
        await run('up');
        let cookies = new Map<string, string>();
        for (let i = 0; i < 20 && !(cookies.has(names[0]) && cookies.get('from') === 'app'); i++) {
          const answer = await askWith(listener, new Map());
          cookies = new Map([...cookiesOf(answer), ['from', valueOf(answer, 'x-target')!], ["s'id$", '1']]);
        }
        expect([...cookies.keys()].filter((name) => name.startsWith('AWS'))).toEqual(names);
        expect(await namesFor(listener, cookies)).toEqual(['app']);
        expect(
          await namesFor(
            listener,
            new Map(
              [...cookies].map(([name, value]) => [
                name,
                name.startsWith('AWS') ? value.replace(/^\d+/, '1000000000') : value,
              ]),
            ),
          ),
        ).toEqual(['app', 'b']);
        await run('draining');
        expect(await namesFor(listener, cookies)).toEqual(['b']);
      },
    );
  });

  it('cuts what a target still carries when it is listed no more', async () => {
    const { a, b } = bench();
    const listener = listenerOf({ address: freshAddress(), defaultAction: toGroup('g') });
    await applied({ listeners: [listener], targetGroups: [groupOf('g', [a.target()])] });
    using client = await openRaw(listener.address, listener.port);
    client.send(
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n\r\n',
    );
    expect((await client.answer()).status).toBe(101);
    await applied({ listeners: [listener], targetGroups: [groupOf('g', [b.target(), a.target('draining')])] });
    client.send('still');
    expect((await client.bytes(5)).toString()).toBe('still');
    await applied({ listeners: [listener], targetGroups: [groupOf('g', [b.target()])] });
    await client.closed;
  });
}
