import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HttpListener, Rule } from '../../../routing/index.ts';
import { listenerOf } from '../../../routing/testing/generate.ts';
import { freshAddress, openRaw } from './raw.ts';
import type { Bench } from './suite.ts';
import { groupOf, headerOf, type Seen, startTarget, type TestTarget } from './targets.ts';

/** What becomes of a request: the status that it is refused with, or what the target must see of it. */
type Verdict = number | { readonly bodies: readonly number[]; readonly without?: readonly string[] };

interface Row {
  readonly name: string;
  readonly bytes: string;
  readonly verdict: Verdict;
  /**
   * HAProxy's parser takes it and rewrites it before any rule can see it (RFC 9112 lets a recipient do so: 6.3, 5.2, 2.2): the target gets
   * one request in the one framing. Then this is what it must see.
   */
  readonly rewritten?: Verdict;
}

const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';
const length = `Content-Length: ${hidden.length}\r\n`;
const chunk = `${hidden.length.toString(16)}\r\n${hidden}\r\n0\r\n\r\n`;
const post = (head: string, rest = ''): string => `POST / HTTP/1.1\r\nHost: a\r\n${head}\r\n${rest}`;
const get = (head: string): string => `GET / HTTP/1.1\r\n${head}\r\n`;
const chunked = (body: string): string => post('Transfer-Encoding: chunked\r\n', body);
const row = (name: string, bytes: string, verdict: Verdict, rewritten?: Verdict): Row => ({
  name,
  bytes,
  verdict,
  ...(rewritten === undefined ? {} : { rewritten }),
});
const whole = (...bodies: number[]): Verdict => ({ bodies });

/**
 * Requests that servers are known to understand in two ways, and what both engines make of them. Wherever another reading would find a
 * second request, that one is for `/hidden`.
 */
const rows: readonly Row[] = [
  row('a length and chunks', post(`${length}Transfer-Encoding: chunked\r\n`, chunk), 400, whole(hidden.length)),
  row(
    'chunks and a length',
    post(`Transfer-Encoding: chunked\r\nContent-Length: 4\r\n`, chunk),
    400,
    whole(hidden.length),
  ),
  row('two equal lengths', post(`${length}${length}`, hidden), 400, whole(hidden.length)),
  row('two lengths', post(`Content-Length: 0\r\n${length}`, hidden), 400),
  row('a list of equal lengths', post(`Content-Length: 5, 5\r\n`, 'hello'), 400, whole(5)),
  row('a list of lengths', post(`Content-Length: 0, ${hidden.length}\r\n`, hidden), 400),
  row('a length with a sign', post(`Content-Length: +${hidden.length}\r\n`, hidden), 400),
  row('a negative length', post(`Content-Length: -1\r\n`, hidden), 400),
  row('an empty length', post(`Content-Length: \r\n`, hidden), 400),
  row('a length of two words', post(`Content-Length: 0 ${hidden.length}\r\n`, hidden), 400),
  row('a length in hex', post(`Content-Length: 0x5\r\n`, hidden), 400),
  row('a length beyond 64 bits', post(`Content-Length: 18446744073709551617\r\n`, hidden), 400),
  row('an unknown coding', post(`Transfer-Encoding: xchunked\r\n`, chunk), 400),
  row('a coding after chunks', post(`Transfer-Encoding: chunked, identity\r\n`, chunk), 400),
  row('a coding before chunks', post(`Transfer-Encoding: gzip, chunked\r\n`, chunk), 422),
  row('no coding', post(`Transfer-Encoding: identity\r\n${length}`, hidden), 400),
  row('chunks twice', post(`Transfer-Encoding: chunked, chunked\r\n`, chunk), 400),
  row('chunks on two lines', post(`Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n`, chunk), 400),
  row('codings on two lines', post(`Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n`, chunk), 400),
  row('a coding with a control character', post(`Transfer-Encoding: \x0bchunked\r\n`, chunk), 400),
  row('a coding in quotes', post(`Transfer-Encoding: "chunked"\r\n`, chunk), 400),
  row('a space before the colon', post(`Transfer-Encoding : chunked\r\n`, chunk), 400),
  row('a tab before the colon', post(`Content-Length\t: ${hidden.length}\r\n`, hidden), 400),
  row('chunks in HTTP/1.0', `POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunk}`, 400),
  row('a folded line', post(`X-A: b\r\n Transfer-Encoding: chunked\r\nContent-Length: 5\r\n`, 'hello'), 400, whole(5)),
  row('lines that end with LF', 'GET / HTTP/1.1\nHost: a\n\n', 400, whole(0)),
  row('a line that ends with CR', get('Host: a\rX-A: b\r\n'), 400),
  row('NUL in a value', get('Host: a\r\nX-A: b\0c\r\n'), 400),
  row('NUL in a name', get('Host: a\r\nX\0A: b\r\n'), 400),
  row('a header without a name', get('Host: a\r\n: b\r\n'), 400),
  row('a name with a space', get('Host: a\r\nX A: b\r\n'), 400),
  row('a name with brackets', get('Host: a\r\nX(A): b\r\n'), 400),
  row('a header without a colon', get('Host: a\r\nX-A\r\n'), 400),
  row('a first header that begins with a space', 'GET / HTTP/1.1\r\n X-A: b\r\nHost: a\r\n\r\n', 400),
  row('no host', get(''), 400),
  row('an empty host', get('Host: \r\n'), 400),
  row('two hosts', get('Host: a\r\nHost: b\r\n'), 400),
  row('twice the same host', get('Host: a\r\nHost: a\r\n'), 400, whole(0)),
  row('a host with a path', get('Host: a/b\r\n'), 400),
  row('a host with a user', get('Host: b@a\r\n'), 400),
  row('a host with a path before another', get('Host: a/b,a\r\n'), 400),
  row('a size of a chunk in C', chunked(`0x5\r\nhello\r\n0\r\n\r\n`), 400),
  row('a size beyond 64 bits', chunked(`10000000000000005\r\nhello\r\n0\r\n\r\n`), 400),
  row('a negative size', chunked(`-1\r\nhello\r\n0\r\n\r\n`), 400),
  row('no size', chunked(`\r\nhello\r\n0\r\n\r\n`), 400),
  row('a size after a space', chunked(` 5\r\nhello\r\n0\r\n\r\n`), 400),
  row('LF in an extension of a chunk', chunked(`5;a=b\nc\r\nhello\r\n0\r\n\r\n`), 400),
  row('a chunk longer than its size', chunked(`3\r\nhello\r\n0\r\n\r\n`), 400),
  row('two spaces in the first line', 'GET  / HTTP/1.1\r\nHost: a\r\n\r\n', whole(0)),
  row('a tab in the first line', 'GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n', 400, whole(0)),
  row('a space in the path', 'GET /a b HTTP/1.1\r\nHost: a\r\n\r\n', 400),
  row('a control character in the path', 'GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n', 400),
  row('a fragment', 'GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n', 400),
  row('no path', 'GET a HTTP/1.1\r\nHost: a\r\n\r\n', 400),
  row('all of the server', 'OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n', 400),
  row('another host in the first line', 'GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n', 400),
  row('the same host in the first line', 'GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n', whole(0)),
  row('a version that is none', 'GET / HTTP/1.1x\r\nHost: a\r\n\r\n', 400),
  row('a later version', 'GET / HTTP/9.9\r\nHost: a\r\n\r\n', 400),
  row('HTTP/2 without TLS', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0', 400),
  row('an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n', 400),
  row('TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405),
  row('CONNECT', 'CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n', 405),
  row('a method in small letters', 'get / HTTP/1.1\r\nHost: a\r\n\r\n', 405),
  row('an unknown method', 'PROPFIND / HTTP/1.1\r\nHost: a\r\n\r\n', 405),
  row('more headers than fit', get(`Host: a\r\n${`X-A: ${'b'.repeat(7000)}\r\n`.repeat(10)}`), 400),
  row('as many headers as fit', get(`Host: a\r\n${`X-A: ${'b'.repeat(7000)}\r\n`.repeat(8)}`), whole(0)),
  row('two requests at once', `${post(length, hidden)}${get('Host: a\r\n')}`, whole(hidden.length, 0)),
  row('GET with a body', get(`Host: a\r\n${length}`) + hidden, whole(hidden.length)),
  row(
    'a length that is for the next hop',
    get(`Host: a\r\n${length}Connection: content-length\r\n`) + hidden,
    whole(hidden.length),
  ),
  row(
    'chunks that are for the next hop',
    chunked(chunk).replace('\r\n\r\n', '\r\nConnection: transfer-encoding\r\n\r\n'),
    whole(hidden.length),
  ),
  row(
    'a change to HTTP/2',
    get('Host: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'),
    {
      bodies: [0],
      without: ['upgrade', 'http2-settings'],
    },
  ),
  row(
    'a WebSocket without a key',
    get('Host: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n'),
    400,
  ),
  row(
    'a change of protocol with a body',
    post(
      `${length}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\nSec-WebSocket-Version: 13\r\n`,
      hidden,
    ),
    {
      bodies: [hidden.length],
      without: ['upgrade'],
    },
  ),
];

/** A rule that no row fits. */
const elsewhere: Rule = {
  id: 'elsewhere',
  conditions: [{ kind: 'path-pattern', values: ['/elsewhere'], regexValues: [] }],
  action: { kind: 'fixed-response', status: 204, contentType: 'text/plain', body: '' },
};

/** One framing and one verdict for every engine. @param rewrites whether it is the engine whose parser rewrites some */
export function framingSuite(bench: () => Bench, rewrites: boolean): void {
  describe.each([
    { where: 'for the only group of a listener', rules: [] },
    { where: 'for a listener with rules', rules: [elsewhere] },
  ])('a request that may be understood in two ways, $where', ({ rules }) => {
    let target: TestTarget;
    let listener: HttpListener;
    beforeAll(async () => {
      target = await startTarget('framing');
      listener = listenerOf({
        address: freshAddress(),
        rules,
        defaultAction: { kind: 'forward', targetGroups: [{ id: 'g', weight: 1 }] },
      });
      await bench().apply({ listeners: [listener], targetGroups: [groupOf('g', [target.target()])] });
    });
    afterAll(async () => target[Symbol.asyncDispose]());

    const verdicts = rows.map(({ name, bytes, verdict, rewritten }) => ({
      name,
      bytes,
      verdict: rewrites ? (rewritten ?? verdict) : verdict,
    }));
    const refused = verdicts.flatMap(({ verdict, ...one }) =>
      typeof verdict === 'number' ? [{ ...one, status: verdict }] : [],
    );
    const taken = verdicts.flatMap(({ verdict, ...one }) =>
      typeof verdict === 'number' ? [] : [{ ...one, ...verdict }],
    );

    it.each(refused)('$name: $status', async ({ bytes, status }) => {
      target.seen.length = 0;
      using client = await openRaw(listener.address, listener.port);
      client.send(bytes);
      expect((await client.answer()).status).toBe(status);
      // Whoever disagrees about where a request ends must not send another one.
      await client.closed;
      expect(target.seen).toEqual([]);
    });

    it.each(taken)('$name: as $bodies bytes', async ({ bytes, bodies, without = [] }) => {
      target.seen.length = 0;
      using client = await openRaw(listener.address, listener.port);
      client.send(bytes);
      for (const length of bodies) {
        const answer = await client.answer();
        expect(answer.status).toBe(200);
        const seen = JSON.parse(answer.body.toString()) as Seen;
        expect(seen.length).toBe(length);
        const framing = seen.headers.filter(([name]) => /^(content-length|transfer-encoding)$/i.test(name));
        expect(framing.length).toBeLessThanOrEqual(1);
        expect(without.map((name) => headerOf(seen, name))).toEqual(without.map(() => undefined));
      }
      expect(target.seen.map(({ url }) => url)).toEqual(bodies.map(() => '/'));
    });
  });
}
