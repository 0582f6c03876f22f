import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { canonicalPath, canonicalQuery, type RawRequest } from './canonical.ts';
import type { Credentials } from './credentials.ts';
import { SignatureError, type SignatureProblem } from './errors.ts';
import {
  PUBLISHED_DATE,
  PUBLISHED_HOST,
  PUBLISHED_SECRET,
  PUBLISHED_VECTORS,
  type PublishedVector,
} from './testing/published-vectors.ts';
import { readSignature, SignatureVerifier } from './verifier.ts';

const credentials: Credentials = {
  async find() {
    const arn = 'arn:aws:iam::000000000000:user/a';
    return { secret: PUBLISHED_SECRET, principal: { type: 'user', account: '000000000000', arn, id: 'AIDA1' } };
  },
};
const verifier = new SignatureVerifier({ credentials, clock: { now: () => Date.parse('2015-08-30T12:36:00Z') } });

/** What the verifier says to a request of the suite, as it arrives at a server. */
async function verify(vector: PublishedVector): Promise<'ok' | SignatureProblem> {
  const scope = '20150830/us-east-1/service/aws4_request';
  const request: RawRequest = {
    method: vector.method,
    target: Buffer.from(vector.target).toString('latin1'),
    rawHeaders: [
      'Host',
      PUBLISHED_HOST,
      ...vector.headers,
      'X-Amz-Date',
      PUBLISHED_DATE,
      'Authorization',
      `AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/${scope}, SignedHeaders=${vector.signed}, Signature=${vector.signature}`,
    ],
  };
  try {
    const expected = { service: 'service', regions: ['us-east-1'], presigned: false };
    const opened = await verifier.open(readSignature(request), expected);
    opened.finish(Buffer.from(vector.body ?? ''));
    return 'ok';
  } catch (error) {
    if (!(error instanceof SignatureError)) throw error;
    return error.problem;
  }
}

/** The request changed in one place, in every way that must break its signature. */
function* tampered(vector: PublishedVector): Generator<readonly [what: string, PublishedVector]> {
  const { target, headers } = vector;
  yield ['method', { ...vector, method: vector.method === 'GET' ? 'POST' : 'GET' }];
  yield ['body', { ...vector, body: `${vector.body ?? ''} ` }];
  yield ['path', { ...vector, target: target.replace(/^[^?]*/, (path) => `${path.replace(/\/$/, '')}/x`) }];
  yield ['query', { ...vector, target: `${target}${target.includes('?') ? '&' : '?'}Action=DeleteUser` }];
  if (target.includes('?')) yield ['query left out', { ...vector, target: target.replace(/\?.*/, '') }];
  if (target.includes('=')) yield ['value of the query', { ...vector, target: `${target}x` }];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!vector.signed.split(';').includes(name.toLowerCase())) continue;
    yield [`${name} changed`, { ...vector, headers: headers.with(i + 1, `${headers[i + 1] as string}x`) }];
    yield [`${name} twice`, { ...vector, headers: [...headers.slice(0, i), name, 'x', ...headers.slice(i)] }];
    yield [`${name} left out`, { ...vector, headers: headers.toSpliced(i, 2) }];
  }
  const last = vector.signature.endsWith('0') ? '1' : '0';
  yield ['signature', { ...vector, signature: vector.signature.slice(0, -1) + last }];
}

describe('S13: the vectors of the published test suite', () => {
  test.each(PUBLISHED_VECTORS)('$name', async (vector) => {
    // The one whose session token is added after signing is what S12 forbids.
    const unsignedToken = vector.name === 'post-sts-header-after';
    expect(await verify(vector)).toBe(unsignedToken ? 'mismatch' : 'ok');
    const changes = [...tampered(vector)];
    expect(changes.length).toBeGreaterThanOrEqual(5);
    for (const [what, change] of changes) expect(await verify(change), what).not.toBe('ok');
  });

  test('a body named by its hash is the body that must come', async () => {
    const form = PUBLISHED_VECTORS.find((vector) => vector.name === 'post-x-www-form-urlencoded') as PublishedVector;
    const other = 'Param1=value2';
    const hash = createHash('sha256').update(other).digest('hex');
    const at = form.headers.indexOf('x-amz-content-sha256') + 1;
    expect(await verify({ ...form, body: other })).not.toBe('ok');
    expect(await verify({ ...form, headers: form.headers.with(at, hash), body: other })).not.toBe('ok');
  });
});

describe('the canonical query', () => {
  test('sorts by encoded name and then value, and keeps repeated and empty parameters', () => {
    expect(canonicalQuery('b=2&a=z&a=b&c&d=&B=1')).toBe('B=1&a=b&a=z&b=2&c=&d=');
  });
  test('takes + for a space, as Go sends it, and leaves a broken escape as it stands', () => {
    expect(canonicalQuery('v=DockerVersion%3A+20.10')).toBe('v=DockerVersion%3A%2020.10');
    expect(canonicalQuery('v=100%&w=%zz')).toBe('v=100%25&w=%25zz');
  });
  test('leaves only X-Amz-Signature out, however it is written', () => {
    expect(canonicalQuery('X-Amz-Signature=ab&X%2DAmz-Signature=cd&X-Amz-Signature2=e&a=1')).toBe(
      'X-Amz-Signature2=e&a=1',
    );
  });
});

describe('the canonical path', () => {
  test('S13: encodes what is encoded once more, and normalises', () => {
    expect(canonicalPath('/a%2Fb/./c//../d/')).toBe('/a%252Fb/d/');
    expect(canonicalPath('/../../etc')).toBe('/etc');
  });
});
