import { SignatureV4 } from '@smithy/signature-v4';
import type { HttpRequest } from '@smithy/types';
import aws4 from 'aws4';
import * as fc from 'fast-check';
import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { RawRequest } from './canonical.ts';
import type { Credentials } from './credentials.ts';
import { SignatureError, type SignatureProblem } from './errors.ts';
import { readSignature, SignatureVerifier } from './verifier.ts';

const KEY = { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'a/secret+with/signs' };
const principal = {
  type: 'user',
  account: '000000000000',
  arn: 'arn:aws:iam::000000000000:user/a',
  id: 'AIDA1',
} as const;
const now = Date.parse('2026-05-06T07:08:09Z');
const credentials: Credentials = {
  async find(accessKeyId, sessionToken) {
    if (accessKeyId === 'ASIAENDED') return { refused: 'expired' };
    if (accessKeyId === 'ASIATEMP' && sessionToken === 'token') return { secret: KEY.secretAccessKey, principal };
    if (accessKeyId === KEY.accessKeyId && sessionToken === undefined)
      return { secret: KEY.secretAccessKey, principal };
    return { refused: accessKeyId === KEY.accessKeyId || accessKeyId === 'ASIATEMP' ? 'bad-token' : 'unknown' };
  },
};
const verifier = new SignatureVerifier({ credentials, clock: { now: () => now } });
const expected = { service: 'ecs', regions: ['us-east-1'], presigned: false };

/** A change to a signed request before it is verified. */
interface Signed extends RawRequest {
  readonly body: Buffer;
}

/** Signs with aws4, which knows nothing of our code. */
function sign(
  change: {
    headers?: Record<string, string>;
    body?: string;
    path?: string;
    service?: string;
    region?: string;
    at?: number;
    key?: object;
  } = {},
): Signed {
  const body = change.body ?? '{}';
  const date = new Date(change.at ?? now).toISOString().replace(/[-:]|\.\d{3}/g, '');
  const signed = aws4.sign(
    {
      service: change.service ?? 'ecs',
      region: change.region ?? 'us-east-1',
      method: 'POST',
      path: change.path ?? '/',
      body,
      headers: {
        Host: '127.0.0.1:7500',
        'X-Amz-Date': date,
        'X-Amz-Target': 'T.ListClusters',
        'Content-Type': 'application/x-amz-json-1.1',
        ...change.headers,
      },
    },
    { ...KEY, ...change.key },
  );
  const rawHeaders = Object.entries(signed.headers ?? {}).flatMap(([name, value]) => [name, String(value)]);
  return { method: 'POST', target: signed.path ?? '/', rawHeaders, body: Buffer.from(body) };
}

async function verify(request: Signed, change: Partial<typeof expected> = {}): Promise<'ok' | SignatureProblem> {
  try {
    const opened = await verifier.open(readSignature(request), { ...expected, ...change });
    expect(opened.finish(request.body)).toBe(principal);
    return 'ok';
  } catch (error) {
    if (!(error instanceof SignatureError)) throw error;
    return error.problem;
  }
}

const withHeader = (request: Signed, name: string, value: string | undefined): Signed => {
  const rawHeaders: string[] = [];
  for (let i = 0; i < request.rawHeaders.length; i += 2) {
    if ((request.rawHeaders[i] as string).toLowerCase() !== name.toLowerCase())
      rawHeaders.push(...request.rawHeaders.slice(i, i + 2));
  }
  return { ...request, rawHeaders: value === undefined ? rawHeaders : [...rawHeaders, name, value] };
};
const header = (request: Signed, name: string): string => {
  const at = request.rawHeaders.findIndex((value, i) => i % 2 === 0 && value.toLowerCase() === name.toLowerCase());
  return request.rawHeaders[at + 1] as string;
};

/** node:crypto in the form that the SDK's signer wants. */
class Sha256 {
  readonly #hash: Hash | Hmac;
  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret as string);
  }
  update(chunk: string | Uint8Array): void {
    this.#hash.update(chunk);
  }
  async digest(): Promise<Uint8Array> {
    return new Uint8Array(this.#hash.digest());
  }
  reset(): void {}
}

const sdkSigner = (key: object = {}): SignatureV4 =>
  new SignatureV4({ service: 'ecs', region: 'us-east-1', credentials: { ...KEY, ...key }, sha256: Sha256 as never });

describe('the verifier', () => {
  test('accepts any request that aws4 or the SDK signs, and none of them changed', async () => {
    const text = fc.string({
      unit: fc.constantFrom(...Array.from("abcXYZ019-._~ !*'()+%&=/:;,@$#?éሴ")),
      maxLength: 12,
    });
    const parameters = fc.array(
      fc.tuple(
        text.filter((name) => name !== ''),
        text,
      ),
      { maxLength: 5 },
    );
    await fc.assert(
      fc.asyncProperty(parameters, fc.string(), fc.constantFrom('aws4', 'sdk'), async (pairs, body, signer) => {
        const query = Object.fromEntries(pairs.filter(([name]) => name !== '__proto__'));
        const target = `/ws?${Object.entries(query)
          .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`)
          .join('&')}`;
        let request: Signed;
        if (signer === 'aws4') request = { ...sign({ body, path: target }), target };
        else {
          const unsigned = {
            method: 'POST',
            protocol: 'http:',
            hostname: '127.0.0.1',
            path: '/ws',
            query,
            headers: { host: '127.0.0.1:7500', 'x-amz-target': 'T.X' },
            body,
          };
          const signed = await sdkSigner().sign(unsigned as HttpRequest, { signingDate: new Date(now) });
          request = {
            method: 'POST',
            target,
            rawHeaders: Object.entries(signed.headers).flat(),
            body: Buffer.from(body),
          };
        }
        expect(await verify(request)).toBe('ok');
        expect(await verify({ ...request, body: Buffer.from(`${body}x`) })).toBe('mismatch');
        expect(await verify({ ...request, target: `${target}&x=1` })).toBe('mismatch');
        expect(await verify({ ...request, method: 'PUT' })).toBe('mismatch');
      }),
      { numRuns: 150 },
    );
  });

  test('S4: one flipped bit anywhere in what is signed is refused', async () => {
    const request = sign({ headers: { 'X-Amz-Extra': 'value' }, path: '/ws?a=1&b=2' });
    expect(await verify(request)).toBe('ok');
    for (const name of ['host', 'x-amz-date', 'x-amz-target', 'content-type', 'x-amz-extra']) {
      const value = header(request, name);
      const flipped = String.fromCharCode(value.charCodeAt(0) ^ 1) + value.slice(1);
      expect([name, await verify(withHeader(request, name, flipped))]).toEqual([name, 'mismatch']);
    }
    const authorization = header(request, 'authorization');
    for (let at = authorization.length - 64; at < authorization.length; at += 7) {
      const digit = authorization[at] === '0' ? '1' : '0';
      const changed = authorization.slice(0, at) + digit + authorization.slice(at + 1);
      expect(await verify(withHeader(request, 'Authorization', changed))).toBe('mismatch');
    }
    expect(await verify({ ...request, target: '/ws?a=1&b=3' })).toBe('mismatch');
    expect(await verify({ ...request, target: '/wt?a=1&b=2' })).toBe('mismatch');
    expect(await verify({ ...request, method: 'GET' })).toBe('mismatch');
    expect(await verify({ ...request, body: Buffer.from('{|') })).toBe('mismatch');
  });

  test('S1: no credentials', () => {
    expect(() => readSignature({ method: 'POST', target: '/', rawHeaders: ['Host', 'x'] })).toThrow(
      'Missing Authentication Token',
    );
  });

  test.each([
    ['another scheme', 'Basic QVdTOng='],
    [
      'another algorithm',
      'AWS4-HMAC-SHA512 Credential=A/20260506/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=00',
    ],
    ['no Signature', 'AWS4-HMAC-SHA256 Credential=A/20260506/us-east-1/ecs/aws4_request, SignedHeaders=host'],
    [
      'no SignedHeaders',
      `AWS4-HMAC-SHA256 Credential=A/20260506/us-east-1/ecs/aws4_request, Signature=${'0'.repeat(64)}`,
    ],
    ['no Credential', `AWS4-HMAC-SHA256 SignedHeaders=host, Signature=${'0'.repeat(64)}`],
    [
      'a field twice',
      `AWS4-HMAC-SHA256 Credential=A/20260506/us-east-1/ecs/aws4_request, SignedHeaders=host, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
    ],
    [
      'trailing junk',
      `AWS4-HMAC-SHA256 Credential=A/20260506/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=${'0'.repeat(64)}, x`,
    ],
    [
      'upper-case SignedHeaders',
      `AWS4-HMAC-SHA256 Credential=A/20260506/us-east-1/ecs/aws4_request, SignedHeaders=Host, Signature=${'0'.repeat(64)}`,
    ],
    [
      'a short signature',
      'AWS4-HMAC-SHA256 Credential=A/20260506/us-east-1/ecs/aws4_request, SignedHeaders=host, Signature=00',
    ],
    [
      'S7: another terminator',
      `AWS4-HMAC-SHA256 Credential=A/20260506/us-east-1/ecs/aws5_request, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
    ],
    ['an empty header', ''],
  ])('S2: %s is incomplete', async (_name, authorization) => {
    expect(await verify(withHeader(sign(), 'Authorization', authorization))).toBe('incomplete');
  });

  test('A8: two Authorization headers are refused', async () => {
    const request = sign();
    expect(
      await verify({
        ...request,
        rawHeaders: [...request.rawHeaders, 'authorization', header(request, 'authorization')],
      }),
    ).toBe('incomplete');
  });

  test('S3: an unknown key and a wrong token look the same to the caller', async () => {
    expect(await verify(sign({ key: { accessKeyId: 'AKIAOTHER' } }))).toBe('unknown-key');
    expect(await verify(sign({ key: { sessionToken: 'for-a-long-term-key' } }))).toBe('unknown-key');
  });

  test('S5: the clock may be off by 15 minutes and no more', async () => {
    const minute = 60_000;
    for (const off of [-14, 14])
      expect([`${off} min`, await verify(sign({ at: now + off * minute }))]).toEqual([`${off} min`, 'ok']);
    for (const off of [-16, 16])
      expect([`${off} min`, await verify(sign({ at: now + off * minute }))]).toEqual([`${off} min`, 'mismatch']);
    const late = verifier.open(readSignature(sign({ at: now - 16 * minute })), expected);
    await expect(late).rejects.toThrow(
      'Signature expired: 20260506T065209Z is now earlier than 20260506T065309Z (20260506T070809Z - 15 min.)',
    );
    for (const value of ['20260506', '2026-05-06T07:08:09Z', '20261306T070809Z', '']) {
      expect([value, await verify(withHeader(sign(), 'X-Amz-Date', value))]).toEqual([value, 'incomplete']);
    }
    const dated = withHeader(withHeader(sign(), 'X-Amz-Date', undefined), 'Date', new Date(now).toUTCString());
    expect(await verify(dated)).toBe('incomplete');
  });

  test('S6, S7: a signature for another day, region or service is refused', async () => {
    const request = sign();
    const other = header(request, 'authorization').replace('/20260506/', '/20260505/');
    await expect(verifier.open(readSignature(withHeader(request, 'Authorization', other)), expected)).rejects.toThrow(
      'Date in Credential scope',
    );
    await expect(verifier.open(readSignature(sign({ service: 's3' })), expected)).rejects.toThrow(
      "correct service: 'ecs'",
    );
    await expect(verifier.open(readSignature(sign({ region: 'eu-west-1' })), expected)).rejects.toThrow(
      'valid region: us-east-1',
    );
  });

  test('S8, S9: the body is hashed whatever the header says, and no payload mode of S3 exists', async () => {
    const honest = createHash('sha256').update('{}').digest('hex');
    expect(await verify(sign({ headers: { 'X-Amz-Content-Sha256': honest } }))).toBe('ok');
    const lying = createHash('sha256').update('other').digest('hex');
    expect(await verify(sign({ headers: { 'X-Amz-Content-Sha256': lying } }))).toBe('mismatch');
    for (const mode of [
      'UNSIGNED-PAYLOAD',
      'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
      'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
      'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
      'ANYTHING',
      '',
    ]) {
      expect([mode, await verify(sign({ headers: { 'X-Amz-Content-Sha256': mode } }))]).toEqual([mode, 'mismatch']);
    }
  });

  test('S10: a made-up signature under a valid key is refused', async () => {
    const request = sign({ key: { secretAccessKey: 'guessed' } });
    expect(await verify(request)).toBe('mismatch');
  });

  test('S11: credentials in the query of a header-only API, or in both places, are refused', async () => {
    const query = `X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAEXAMPLE%2F20260506%2Fus-east-1%2Fecs%2Faws4_request&X-Amz-Date=20260506T070809Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=${'0'.repeat(64)}`;
    const bare = { method: 'GET', target: `/?${query}`, rawHeaders: ['Host', '127.0.0.1:7500'], body: Buffer.alloc(0) };
    expect(await verify(bare)).toBe('incomplete');
    expect(await verify(bare, { presigned: true })).toBe('mismatch');
    const request = sign();
    expect(await verify({ ...request, target: `/?${query}` }, { presigned: true })).toBe('incomplete');
    expect(await verify({ ...request, target: '/?X%2DAmz-Signature=1' }, { presigned: true })).toBe('incomplete');
  });

  test.each([
    ['x-amz-target', 'mismatch'],
    ['x-amz-extra', 'mismatch'],
    ['x-amz-security-token', 'mismatch'],
  ])('S12: %s that is there but not signed is refused', async (name, problem) => {
    const request = withHeader(sign(), name, 'added');
    const authorization = header(request, 'authorization').replace(';x-amz-target', '');
    expect(await verify(withHeader(request, 'Authorization', authorization))).toBe(problem);
  });

  test('S12: host and date must be signed', async () => {
    const request = sign();
    for (const name of ['host', 'x-amz-date']) {
      const authorization = header(request, 'authorization')
        .replace(new RegExp(`;?\\b${name}\\b`), '')
        .replace('SignedHeaders=;', 'SignedHeaders=');
      expect(authorization).not.toBe(header(request, 'authorization'));
      await expect(
        verifier.open(readSignature(withHeader(request, 'Authorization', authorization)), expected),
      ).rejects.toThrow("must be a 'SignedHeader'");
    }
  });

  test('S14: presigned requests end, are limited to a week and belong to one request', async () => {
    const presign = async (expiresIn: number, at = now): Promise<Signed> => {
      const signed = await sdkSigner().presign(
        {
          method: 'GET',
          protocol: 'http:',
          hostname: '127.0.0.1',
          path: '/',
          query: { Action: 'GetCallerIdentity' },
          headers: { host: '127.0.0.1:7500' },
        } as never,
        { signingDate: new Date(at), expiresIn },
      );
      const query = Object.entries(signed.query ?? {})
        .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
        .join('&');
      return { method: 'GET', target: `/?${query}`, rawHeaders: ['Host', '127.0.0.1:7500'], body: Buffer.alloc(0) };
    };
    const fine = await presign(300);
    expect(await verify(fine, { presigned: true })).toBe('ok');
    expect(await verify(await presign(300, now - 299_000), { presigned: true })).toBe('ok');
    expect(await verify(await presign(300, now - 301_000), { presigned: true })).toBe('expired-request');
    expect(await verify(await presign(300, now + 16 * 60_000), { presigned: true })).toBe('mismatch');
    for (const seconds of ['604801', '-1', '0', '1e3', '']) {
      const target = fine.target.replace('X-Amz-Expires=300', `X-Amz-Expires=${seconds}`);
      expect([seconds, await verify({ ...fine, target }, { presigned: true })]).toEqual([seconds, 'incomplete']);
    }
    expect(await verify({ ...fine, method: 'POST' }, { presigned: true })).toBe('mismatch');
    expect(await verify({ ...fine, target: fine.target.replace('/?', '/x?') }, { presigned: true })).toBe('mismatch');
    expect(await verify({ ...fine, target: `${fine.target}&Extra=1` }, { presigned: true })).toBe('mismatch');
  });

  test('S14: a presigned request that names no end ends as one does that is signed in its header', async () => {
    const presign = (at: number): Signed => {
      const date = new Date(at).toISOString().replace(/[-:]|\.\d{3}/g, '');
      const { path = '' } = aws4.sign(
        {
          service: 'ecs',
          region: 'us-east-1',
          method: 'GET',
          path: `/?Action=GetCallerIdentity&X-Amz-Date=${date}`,
          headers: { Host: '127.0.0.1:7500' },
          signQuery: true,
        },
        KEY,
      );
      expect(path).not.toContain('X-Amz-Expires');
      return { method: 'GET', target: path, rawHeaders: ['Host', '127.0.0.1:7500'], body: Buffer.alloc(0) };
    };
    const minute = 60_000;
    expect(await verify(presign(now), { presigned: true })).toBe('ok');
    expect(await verify(presign(now - 14 * minute), { presigned: true })).toBe('ok');
    expect(await verify(presign(now - 16 * minute), { presigned: true })).toBe('mismatch');
    expect(await verify(presign(now + 16 * minute), { presigned: true })).toBe('mismatch');
    const { target, ...rest } = presign(now);
    expect(await verify({ ...rest, target: `${target}&X-Amz-Expires=60` }, { presigned: true })).toBe('mismatch');
    expect(await verify({ ...rest, target: `${target}&X-Amz-Expires=` }, { presigned: true })).toBe('incomplete');
  });

  test('S15: session tokens belong to their key and end', async () => {
    expect(await verify(sign({ key: { accessKeyId: 'ASIATEMP', sessionToken: 'token' } }))).toBe('ok');
    expect(await verify(sign({ key: { accessKeyId: 'ASIATEMP' } }))).toBe('unknown-key');
    expect(await verify(sign({ key: { accessKeyId: 'ASIATEMP', sessionToken: 'other' } }))).toBe('unknown-key');
    expect(await verify(sign({ key: { accessKeyId: 'ASIAENDED', sessionToken: 'token' } }))).toBe('expired-token');
  });

  test('a key whose secret was replaced stops working at once', async () => {
    let secret = KEY.secretAccessKey;
    const changing = new SignatureVerifier({
      credentials: { find: async () => ({ secret, principal }) },
      clock: { now: () => now },
    });
    const check = async (): Promise<void> =>
      void (await changing.open(readSignature(sign()), expected)).finish(Buffer.from('{}'));
    await check();
    secret = 'another';
    await expect(check()).rejects.toThrow('does not match');
  });

  test('reading any bytes as a signed request never fails in another way than SignatureError', () => {
    const noise = fc.string({ unit: 'binary', maxLength: 200 });
    fc.assert(
      fc.property(noise, noise, noise, (authorization, query, date) => {
        const rawHeaders = ['Authorization', authorization, 'X-Amz-Date', date];
        expect(() => readSignature({ method: 'POST', target: `/?${query}`, rawHeaders })).toThrow(SignatureError);
      }),
      { numRuns: 500 },
    );
  });
});
