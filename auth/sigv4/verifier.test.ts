import aws4 from 'aws4';
import { describe, expect, test } from 'vitest';
import type { Credentials } from './credentials.ts';
import { readSignature, SignatureVerifier } from './verifier.ts';

const credentials: Credentials = {
  find: async (accessKeyId) =>
    accessKeyId === 'AKIAEXAMPLE'
      ? {
          secret: 'a-secret',
          principal: { type: 'user', account: '000000000000', arn: 'arn:aws:iam::000000000000:user/a', id: 'AIDA1' },
        }
      : { refused: 'unknown' },
};
const verifier = new SignatureVerifier({ credentials, clock: { now: () => Date.now() } });

describe('the verifier', () => {
  test('accepts what aws4 signs', async () => {
    const signed = aws4.sign(
      {
        service: 'ecs',
        region: 'us-east-1',
        method: 'POST',
        path: '/',
        host: '127.0.0.1:7500',
        headers: { 'X-Amz-Target': 'T.ListClusters', 'Content-Type': 'application/x-amz-json-1.1' },
        body: '{}',
      },
      { accessKeyId: 'AKIAEXAMPLE', secretAccessKey: 'a-secret' },
    );
    const rawHeaders = Object.entries(signed.headers ?? {}).flatMap(([name, value]) => [name, String(value)]);
    const opened = await verifier.open(readSignature({ method: 'POST', target: '/', rawHeaders }), {
      service: 'ecs',
      regions: ['us-east-1'],
      presigned: false,
    });
    expect(opened.finish(Buffer.from('{}')).id).toBe('AIDA1');
    expect(() => opened.finish(Buffer.from('{"a":1}'))).toThrow(/does not match/);
  });
});
