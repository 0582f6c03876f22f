import { decodeProtectedHeader, exportJWK, flattenedVerify, generateKeyPair } from 'jose';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { describe, expect, test } from 'vitest';
import { type Outbound, OutboundError, type OutboundRequest } from '../outbound/index.ts';
import { AcmeProblem, AuthorityUnavailable } from './problem.ts';
import { AcmeSession, type Signer } from './session.ts';

const now = Date.parse('2030-01-01T00:00:00Z');
const base = 'https://ca.example';
const directory = { newNonce: `${base}/nonce`, newAccount: `${base}/account`, newOrder: `${base}/order` };

const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
const signer: Signer = { key: privateKey, publicJwk: await exportJWK(publicKey), url: `${base}/account/1` };

interface Sent {
  readonly url: string;
  readonly options: OutboundRequest;
}

/** An authority that answers as the test says, and a clock that does not wait. */
function authority(answer: (sent: Sent, posts: number) => Response | Error) {
  const sent: Sent[] = [];
  const waits: number[] = [];
  let posts = 0;
  const outbound = {
    fetch: async (url: string, options: OutboundRequest = {}) => {
      sent.push({ url, options });
      if (url === `${base}/dir`) return Response.json(directory);
      const nonce = { 'replay-nonce': `nonce-${sent.length}` };
      if (url === directory.newNonce) return new Response(null, { headers: nonce });
      const found = answer({ url, options }, ++posts);
      if (found instanceof Error) throw found;
      return new Response(found.body, { status: found.status, headers: [...found.headers, ...Object.entries(nonce)] });
    },
  } as Pick<Outbound, 'fetch'> as Outbound;
  const clock: Clock = { ...systemClock, now: () => now, sleep: async (ms) => void waits.push(ms) };
  const { signal } = new AbortController();
  return { session: new AcmeSession({ directory: `${base}/dir`, outbound, clock, signal }), sent, waits };
}

const problem = (type: string, headers: Record<string, string> = {}, status = 400): Response =>
  new Response(JSON.stringify({ type: `urn:ietf:params:acme:error:${type}`, detail: 'because' }), {
    status,
    headers: { 'content-type': 'application/problem+json', ...headers },
  });

describe('a request to an authority', () => {
  test('is signed over its URL and a nonce that is used once, and names its sender', async () => {
    const { session, sent } = authority(() => Response.json({}));
    await session.post(directory.newOrder, { a: 1 }, signer);
    await session.read(`${base}/order/1`, signer);
    const posts = sent.filter(({ options }) => options.method === 'POST');
    const bodies = posts.map(
      ({ options }) => JSON.parse(String(options.body)) as { protected: string; payload: string },
    );
    const headers = bodies.map((body) => decodeProtectedHeader(body) as { nonce: string; url: string; kid: string });
    expect(headers.map(({ url }) => url)).toEqual([directory.newOrder, `${base}/order/1`]);
    expect(new Set(headers.map(({ nonce }) => nonce)).size).toBe(2);
    expect(headers[0]?.kid).toBe(signer.url);
    expect(bodies.map(({ payload }) => Buffer.from(payload, 'base64url').toString())).toEqual(['{"a":1}', '']);
    await flattenedVerify(bodies[0] as never, publicKey);
    expect(posts[0]?.options.headers).toMatchObject({
      'content-type': 'application/jose+json',
      'user-agent': expect.stringMatching(/^slipway\//),
    });
  });

  test('with a nonce that the authority does not like any more is sent again with the new one', async () => {
    const { session } = authority((_, posts) => (posts < 4 ? problem('badNonce') : Response.json({ done: true })));
    expect((await session.post(directory.newOrder, {}, signer)).text).toBe('{"done":true}');
  });

  test('whose nonce is never taken ends', async () => {
    const { session, sent } = authority(() => problem('badNonce'));
    await expect(session.post(directory.newOrder, {}, signer)).rejects.toMatchObject({ kind: 'badNonce' });
    expect(sent.filter(({ options }) => options.method === 'POST')).toHaveLength(11);
  });

  test.each([
    ['seconds', '120', 120_000],
    ['a date', 'Tue, 01 Jan 2030 00:02:00 GMT', 120_000],
    ['a time at which no certificate is good any more', '999999999', 7 * 86_400_000],
  ])('over a limit is not repeated, and says when to come back (%s)', async (_, text, retryAfterMs) => {
    const { session, sent } = authority(() => problem('rateLimited', { 'retry-after': text }, 429));
    const error = await session.read(`${base}/order/1`, signer).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AcmeProblem);
    expect(error).toMatchObject({ kind: 'rateLimited', status: 429, message: 'because', retryAfterMs });
    expect(sent.filter(({ options }) => options.method === 'POST')).toHaveLength(1);
  });

  test('that only reads is repeated while the authority is in trouble, one that acts is not', async () => {
    const { session, waits } = authority((_, posts) =>
      posts < 3 ? new Response('', { status: 502 }) : Response.json({}),
    );
    await session.read(`${base}/order/1`, signer);
    expect(waits).toEqual([1000, 2000]);
    const acting = authority(() => new OutboundError('timeout', 'no', 'took too long'));
    await expect(acting.session.post(directory.newOrder, {}, signer)).rejects.toThrow(/order: took too long/);
    expect(acting.waits).toEqual([]);
  });

  test('that is answered with something else than ACME is said so', async () => {
    const { session } = authority(() => new Response('<html>', { status: 404 }));
    await expect(session.post(directory.newOrder, {}, signer)).rejects.toThrow(AuthorityUnavailable);
    const portal = { fetch: async () => new Response('<html>log in</html>') } as Pick<Outbound, 'fetch'> as Outbound;
    const { signal } = new AbortController();
    const behind = new AcmeSession({ directory: `${base}/dir`, outbound: portal, clock: systemClock, signal });
    await expect(behind.directory()).rejects.toThrow(/not understood: <html>log in/);
  });

  test('that is refused for several names says each', async () => {
    const body = {
      type: 'urn:ietf:params:acme:error:compound',
      detail: 'two errors',
      subproblems: [
        {
          type: 'urn:ietf:params:acme:error:caa',
          detail: 'forbidden',
          identifier: { type: 'dns', value: 'a.example' },
        },
        { type: 'urn:ietf:params:acme:error:dns', detail: 'no such name' },
      ],
    };
    const { session } = authority(
      () =>
        new Response(JSON.stringify(body), { status: 403, headers: { 'content-type': 'application/problem+json' } }),
    );
    await expect(session.post(directory.newOrder, {}, signer)).rejects.toThrow(
      'two errors; a.example: forbidden; dns: no such name',
    );
  });
});
