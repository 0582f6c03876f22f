import { CreateRepositoryCommand, ECRClient } from '@aws-sdk/client-ecr';
import aws4 from 'aws4';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { awsCalls, ECS, FORM } from './testing/aws-calls.ts';
import { callers, type FrontDoor, openFrontDoor } from './testing/front-door.ts';

describe('who signs AWS calls', () => {
  let door: FrontDoor;
  beforeAll(async () => {
    door = await openFrontDoor();
  });
  afterAll(() => door[Symbol.asyncDispose]());
  beforeEach(() => {
    door.audit.length = 0;
    door.knobs.handled = 0;
    door.knobs.credentialsFail = false;
    door.knobs.authorizerFails = false;
  });
  const { post, ecs, sts } = awsCalls(() => door);

  test.each([
    ['S1', {}, false, 'MissingAuthenticationTokenException', 'MissingAuthenticationToken', 403],
    [
      'S2',
      { unsigned: { Authorization: 'AWS4-HMAC-SHA256 Credential=x' } },
      true,
      'IncompleteSignatureException',
      'IncompleteSignature',
      400,
    ],
    [
      'S3 unknown',
      { caller: { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' } },
      true,
      'UnrecognizedClientException',
      'InvalidClientTokenId',
      403,
    ],
    [
      'S3 inactive',
      { caller: { accessKeyId: 'AKIAINACTIVE', secretAccessKey: 'x' } },
      true,
      'UnrecognizedClientException',
      'InvalidClientTokenId',
      403,
    ],
    [
      'S4',
      { caller: { accessKeyId: 'AKIAADMIN', secretAccessKey: 'wrong' } },
      true,
      'InvalidSignatureException',
      'SignatureDoesNotMatch',
      403,
    ],
    ['S7 region', { region: 'mars-1' }, true, 'InvalidSignatureException', 'SignatureDoesNotMatch', 403],
    ['S7 service', { service: 'ecr' }, true, 'InvalidSignatureException', 'SignatureDoesNotMatch', 403],
    [
      'S15 expired',
      { caller: { accessKeyId: 'ASIAEXPIRED', secretAccessKey: 'x', sessionToken: 't' } },
      true,
      'ExpiredTokenException',
      'ExpiredToken',
      403,
    ],
    [
      'S15 other token',
      { caller: { ...callers.session, sessionToken: 'other' } },
      true,
      'UnrecognizedClientException',
      'InvalidClientTokenId',
      403,
    ],
  ] as const)(
    '%s: refused with the name each protocol has for it',
    async (_id, options, sign, jsonName, queryName, queryStatus) => {
      const json = await post({ target: `${ECS}.ListClusters`, ...options }, sign);
      expect([json.status, json.code]).toEqual([400, jsonName]);
      const form = {
        service: 'sts',
        body: 'Action=GetCallerIdentity&Version=2011-06-15',
        ...options,
        headers: { 'Content-Type': FORM },
      };
      const query = await post(form, sign);
      expect([query.status, query.code]).toEqual([queryStatus, queryName]);
      expect(query.text).toContain('<Type>Sender</Type>');
      expect(door.knobs.handled).toBe(0);
      await vi.waitFor(() => expect(door.audit).toHaveLength(2), { timeout: 60_000 });
    },
  );

  test('S7: the audit line tells the three causes apart that the caller sees as one', async () => {
    await ecs({ region: 'mars-1' });
    await ecs({ service: 's3' });
    await ecs({ caller: { accessKeyId: 'AKIAADMIN', secretAccessKey: 'wrong' } });
    await vi.waitFor(() => expect(door.audit).toHaveLength(3), { timeout: 60_000 });
    expect(door.audit.map(({ detail }) => detail)).toEqual([
      'scope region is mars-1 (access key AKIAADMIN)',
      'scope service is s3 (access key AKIAADMIN)',
      'the signature differs (access key AKIAADMIN)',
    ]);
  });

  test('S8: a body changed after signing is refused, chunked or not', async () => {
    const signed = aws4.sign(
      {
        method: 'POST',
        path: '/',
        service: 'ecs',
        region: 'us-east-1',
        headers: { Host: new URL(door.url).host, 'X-Amz-Target': `${ECS}.ListClusters` },
        body: '{}',
      },
      callers.admin,
    );
    const { Host: _host, 'Content-Length': _length, ...headers } = signed.headers as Record<string, string>;
    const stream = new ReadableStream({
      start: (controller) => (controller.enqueue(Buffer.from('{"a":1}')), controller.close()),
    });
    const answer = await fetch(`${door.url}/`, {
      method: 'POST',
      headers,
      body: stream,
      duplex: 'half',
    } as RequestInit);
    expect([answer.status, ((await answer.json()) as { __type: string }).__type]).toEqual([
      400,
      'InvalidSignatureException',
    ]);
  });

  test('S17: an unknown key is refused before the body is read', async () => {
    const caller = { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' };
    const { code } = await post({
      target: 'AmazonEC2ContainerRegistry_V20150921.UploadLayerPart',
      service: 'ecr',
      caller,
      body: Buffer.alloc(4 * 1024 * 1024),
    });
    expect(code).toBe('UnrecognizedClientException');
  });

  test('A9: when credentials or policies cannot be read, nothing runs and callers may try again', async () => {
    door.knobs.credentialsFail = true;
    expect(await ecs()).toMatchObject({ status: 503, code: 'ServiceUnavailable' });
    expect(await sts()).toMatchObject({ status: 503, code: 'ServiceUnavailable' });
    door.knobs.credentialsFail = false;
    door.knobs.authorizerFails = true;
    const { status, headers } = await ecs();
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    expect(door.knobs.handled).toBe(0);
  });

  test('A1: the endpoint handed back is the signed Host, which cannot be a made-up one', async () => {
    const target = 'AmazonEC2ContainerRegistry_V20150921.CreateRepository';
    const { text } = await post({
      target,
      service: 'ecr',
      body: '{"repositoryName":"aa"}',
      unsigned: { 'X-Forwarded-Host': 'evil.example', 'X-Forwarded-Proto': 'https' },
    });
    expect((JSON.parse(text) as { repository: { repositoryUri: string } }).repository.repositoryUri).toBe(
      `${door.url}/aa`,
    );
  });

  test('A11: X-Forwarded-For of a peer that is no trusted proxy is ignored', async () => {
    await ecs({ unsigned: { 'X-Forwarded-For': '203.0.113.9', x_forwarded_for: '203.0.113.9' } });
    await vi.waitFor(() => expect(door.audit).toHaveLength(1), { timeout: 60_000 });
    expect(door.audit[0]?.sourceIp).toBe('127.0.0.1');
  });

  test('S11: a presigned request works for the Query protocol only', async () => {
    const url = (service: string, query: string): string => {
      const { path } = aws4.sign(
        {
          method: 'GET',
          host: new URL(door.url).host,
          service,
          region: 'us-east-1',
          path: `/?${query}&X-Amz-Expires=60`,
          signQuery: true,
        },
        callers.admin,
      );
      return `${door.url}${path}`;
    };
    const good = await fetch(url('sts', 'Action=GetCallerIdentity&Version=2011-06-15'));
    expect([good.status, await good.text()]).toEqual([200, expect.stringContaining('user/admin')]);
    await vi.waitFor(() => expect(door.audit).toHaveLength(1), { timeout: 60_000 });
    expect(door.audit[0]).toMatchObject({ via: 'presigned' });
    const json = await fetch(url('ecs', 'a=b'), {
      method: 'POST',
      headers: { 'X-Amz-Target': `${ECS}.ListClusters` },
      body: '{}',
    });
    expect(((await json.json()) as { __type: string }).__type).toBe('IncompleteSignatureException');
  });

  test('A6: after 20 failures in a minute a caller is told to wait, while the right secret still works', async () => {
    const wrong = { accessKeyId: 'AKIAREADER', secretAccessKey: 'guess' };
    const codes: string[] = [];
    for (let i = 0; i < 22; i++) codes.push((await ecs({ caller: wrong })).code);
    expect(codes.slice(0, 20)).toEqual(Array.from({ length: 20 }, () => 'InvalidSignatureException'));
    const throttled = await ecs({ caller: wrong });
    expect([throttled.code, Number(throttled.headers.get('retry-after')) > 0]).toEqual(['ThrottlingException', true]);
    expect((await ecs({ caller: callers.reader })).status).toBe(200);
  });

  test('the SDK fixes a clock that is an hour off by our Date header', async () => {
    await using ecr = Object.assign(
      new ECRClient({
        endpoint: door.url,
        region: 'us-east-1',
        credentials: callers.admin,
        systemClockOffset: 3_600_000,
      }),
      {
        [Symbol.asyncDispose]: async () => ecr.destroy(),
      },
    );
    const create = new CreateRepositoryCommand({ repositoryName: 'aa' });
    await expect(ecr.send(create)).rejects.toThrow('Signature not yet current');
    await expect(ecr.send(create)).resolves.toMatchObject({ repository: { repositoryName: 'aa' } });
  });
});
