import { ECRClient, CreateRepositoryCommand } from '@aws-sdk/client-ecr';
import aws4 from 'aws4';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { callers, type FrontDoor, openFrontDoor } from './testing/front-door.ts';

interface CallOptions {
  readonly caller?: { readonly accessKeyId: string; readonly secretAccessKey: string; readonly sessionToken?: string };
  readonly service?: string;
  readonly region?: string;
  readonly target?: string;
  readonly body?: string | Buffer;
  readonly headers?: Record<string, string>;
  /** Added after signing. */
  readonly unsigned?: Record<string, string>;
}

const ECS = 'AmazonEC2ContainerServiceV20141113';
const FORM = 'application/x-www-form-urlencoded';

describe('AWS calls', () => {
  let door: FrontDoor;
  beforeAll(async () => {
    door = await openFrontDoor();
  });
  afterAll(() => door[Symbol.asyncDispose]());
  beforeEach(() => {
    door.audit.length = 0;
    door.logged.length = 0;
    door.knobs.handled = 0;
    door.knobs.credentialsFail = false;
    door.knobs.authorizerFails = false;
  });

  async function post(
    options: CallOptions,
    sign = true,
  ): Promise<{ status: number; headers: Headers; text: string; code: string }> {
    const body = options.body ?? '{}';
    const headers = {
      Host: new URL(door.url).host,
      'Content-Type': 'application/x-amz-json-1.1',
      ...(options.target === undefined ? {} : { 'X-Amz-Target': options.target }),
      ...options.headers,
    };
    const signed = sign
      ? aws4.sign(
          {
            method: 'POST',
            path: '/',
            service: options.service ?? 'ecs',
            region: options.region ?? 'us-east-1',
            headers,
            body: body as string,
          },
          options.caller ?? callers.admin,
        )
      : { headers };
    const {
      Host,
      'Content-Length': _,
      ...sent
    } = { ...(signed.headers as Record<string, string>), ...options.unsigned };
    void Host;
    const answer = await fetch(`${door.url}/`, { method: 'POST', headers: sent, body });
    const text = await answer.text();
    const code = text.startsWith('<')
      ? (/<Code>(.*?)<\/Code>/.exec(text)?.[1] ?? '')
      : text.startsWith('{')
        ? ((JSON.parse(text) as { __type?: string }).__type ?? '')
        : '';
    return { status: answer.status, headers: answer.headers, text, code };
  }
  const ecs = (options: CallOptions = {}): ReturnType<typeof post> =>
    post({ target: `${ECS}.ListClusters`, ...options });
  const sts = (options: CallOptions = {}): ReturnType<typeof post> =>
    post({
      service: 'sts',
      body: 'Action=GetCallerIdentity&Version=2011-06-15',
      ...options,
      headers: { 'Content-Type': FORM, ...options.headers },
    });

  test('an allowed call is answered with its request id, which the audit line carries', async () => {
    const { status, headers, text } = await ecs();
    expect({ status, type: headers.get('content-type'), text }).toEqual({
      status: 200,
      type: 'application/x-amz-json-1.1',
      text: '{"clusterArns":["arn:aws:ecs:us-east-1:000000000000:cluster/default"]}',
    });
    await vi.waitFor(() => expect(door.audit).toHaveLength(1), { timeout: 60_000 });
    expect(door.audit).toEqual([
      expect.objectContaining({
        requestId: headers.get('x-amzn-requestid'),
        service: 'ecs',
        operation: 'ListClusters',
        via: 'sigv4',
        sourceIp: '127.0.0.1',
        status: 200,
        principal: {
          type: 'user',
          arn: 'arn:aws:iam::000000000000:user/admin',
          account: '000000000000',
          accessKeyId: 'AKIAADMIN',
        },
        decisions: [
          {
            action: 'ecs:ListClusters',
            resources: ['*'],
            allowed: true,
            reason: "the test's grants allow it",
            statement: { policy: 'inline:test', statement: '0' },
          },
        ],
      }),
    ]);
  });

  test('a refusal says who may not do what to which resource, and why, and runs nothing', async () => {
    const { status, text } = await post({
      target: `${ECS}.CreateService`,
      body: '{"serviceName":"web"}',
      caller: callers.reader,
    });
    expect({ status, body: JSON.parse(text) as unknown }).toEqual({
      status: 403,
      body: {
        __type: 'AccessDeniedException',
        message:
          'User: arn:aws:iam::000000000000:user/reader is not authorized to perform: ecs:CreateService on resource: arn:aws:ecs:us-east-1:000000000000:service/default/web because no identity-based policy allows the ecs:CreateService action',
      },
    });
    expect(door.knobs.handled).toBe(0);
    await vi.waitFor(() => expect(door.audit).toHaveLength(1), { timeout: 60_000 });
    expect(door.audit[0]).toMatchObject({
      status: 403,
      error: 'AccessDeniedException',
      decisions: [{ allowed: false }],
    });
  });

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

  test('S17: a body beyond the limit is refused without being read', async () => {
    const before = process.memoryUsage().rss;
    const { status, code } = await ecs({ body: Buffer.alloc(9 * 1024 * 1024, 32) });
    expect([status, code]).toEqual([413, 'RequestEntityTooLarge']);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
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

  test.each([
    ['autoscaling', {}, '<ErrorResponse xmlns="http://slipway/"><Error><Type>Sender</Type><Code>InvalidAction</Code>'],
    ['ec2', {}, '<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>InvalidAction</Code>'],
    ['dynamodb', { target: 'DynamoDB_20120810.ListTables' }, '{"__type":"UnknownOperationException"'],
  ])('%s is not served, and says so in its own form, whatever its signature', async (service, more, form) => {
    const caller = { accessKeyId: 'AKIAUNKNOWN', secretAccessKey: 'x' };
    const body = 'Action=DescribeThings&Version=2011-01-01';
    const { status, text } = await post({ service, caller, body, headers: { 'Content-Type': FORM }, ...more });
    expect(status).toBe(400);
    expect(text).toContain('is not served here. This endpoint serves ecr, ecs, iam, sts');
    expect(text.startsWith(form)).toBe(true);
  });

  test.each([
    [
      'a large form',
      `Action=AssumeRoleWithWebIdentity&Version=2011-06-15&A=${'a'.repeat(70_000)}`,
      {},
      413,
      'RequestEntityTooLarge',
    ],
    ['many parameters', 'a&'.repeat(30_000), {}, 400, 'MalformedInput'],
    ['gzip', gzipSync('Action=AssumeRoleWithWebIdentity'), { 'Content-Encoding': 'gzip' }, 400, 'MalformedInput'],
  ])('S17: without a signature, %s is refused before it is read', async (_name, body, headers, status, code) => {
    const answer = await post({ body, headers: { 'Content-Type': FORM, ...headers } }, false);
    expect([answer.status, answer.code]).toEqual([status, code]);
  });

  test('S17: gzip holds at most 64 times what came, and 256 KiB of what is small, whatever the limit', async () => {
    const zipped = (times: number): Buffer => gzipSync(`{"serviceName":"${'a'.repeat(times)}"}`);
    const create = (body: Buffer): ReturnType<typeof post> =>
      post({ target: `${ECS}.CreateService`, body, headers: { 'Content-Encoding': 'gzip' } });
    expect((await create(zipped(250_000))).status).toBe(200);
    expect((await create(zipped(500_000))).code).toBe('RequestEntityTooLarge');
  });

  test('S17: an operation that carries data takes more than others do', async () => {
    const layerPartBlob = Buffer.alloc(3 * 1024 * 1024).toString('base64');
    const part = { repositoryName: 'aa', uploadId: 'u', partFirstByte: 0, partLastByte: 1, layerPartBlob };
    const service = 'ecr';
    const target = 'AmazonEC2ContainerRegistry_V20150921.UploadLayerPart';
    expect((await post({ service, target, body: JSON.stringify(part) })).status).toBe(200);
    const repositoryName = 'a'.repeat(2 * 1024 * 1024);
    const create = 'AmazonEC2ContainerRegistry_V20150921.CreateRepository';
    expect((await post({ service, target: create, body: JSON.stringify({ repositoryName }) })).status).toBe(413);
  });

  test('the answer to a gzip body is that to the plain one, and the signature covers what was sent', async () => {
    const body = gzipSync('{"serviceName":"zipped"}');
    const { status, text } = await post({
      target: `${ECS}.CreateService`,
      body,
      headers: { 'Content-Encoding': 'gzip' },
    });
    expect(status).toBe(200);
    expect(text).toContain('"serviceName":"zipped"');
    const bomb = gzipSync(Buffer.alloc(64 * 1024 * 1024));
    expect((await ecs({ body: bomb, headers: { 'Content-Encoding': 'gzip' } })).code).toBe('RequestEntityTooLarge');
    expect((await ecs({ body: 'not gzip', headers: { 'Content-Encoding': 'gzip' } })).code).toBe(
      'SerializationException',
    );
    expect((await ecs({ headers: { 'Content-Encoding': 'br' } })).code).toBe('SerializationException');
  });

  test.each([
    ['no JSON', '{', 'The request body is not valid JSON'],
    ['an array', '[]', 'START_ARRAY can not be converted to a structure'],
    ['a wrong type', '{"serviceName":1}', 'NUMBER_VALUE can not be converted to a String (at serviceName)'],
    [
      'a wrong nested type',
      '{"serviceName":"a","tags":[{"key":{}}]}',
      'START_OBJECT can not be converted to a String (at tags.1.member.key)',
    ],
    [
      'a prototype',
      '{"serviceName":"a","deploymentConfiguration":{"lifecycleHooks":[{"hookDetails":{"__proto__":{}}}]}}',
      'The map key __proto__ is not supported (at deploymentConfiguration.lifecycleHooks.1.member.hookDetails)',
    ],
  ])('%s is a SerializationException', async (_name, body, message) => {
    const { status, text } = await post({ target: `${ECS}.CreateService`, body });
    expect({ status, body: JSON.parse(text) as unknown }).toEqual({
      status: 400,
      body: { __type: 'SerializationException', message },
    });
  });

  test('unknown members are dropped, and null counts as absent', async () => {
    const body = '{"serviceName":"a","isAdmin":true,"__type":"x","desiredCount":null,"tags":[{"key":"k","nope":1}]}';
    const { text } = await post({ target: `${ECS}.CreateService`, body });
    expect((JSON.parse(text) as { service: object }).service).toEqual({
      serviceName: 'a',
      tags: [{ key: 'k' }],
      createdAt: expect.any(Number),
    });
  });

  test('unknown operations and actions have the names that AWS gives them', async () => {
    expect(await post({ target: `${ECS}.Nothing` })).toMatchObject({ status: 400, code: 'UnknownOperationException' });
    expect(await post({ target: 'Nothing' })).toMatchObject({ status: 400, code: 'UnknownOperationException' });
    const unknown = await sts({ body: 'Action=Nothing&Version=2011-06-15' });
    expect(unknown).toMatchObject({ status: 400, code: 'InvalidAction' });
    expect(unknown.text).toContain('Could not find operation Nothing for version 2011-06-15');
    expect((await sts({ body: 'Action=GetCallerIdentity' })).text).toContain('for version NO_VERSION_SPECIFIED');
    expect(await sts({ body: '' })).toMatchObject({ code: 'InvalidAction' });
    // IAM's action under a signature for STS.
    expect(await sts({ body: 'Action=ListRoles&Version=2010-05-08' })).toMatchObject({ code: 'InvalidAction' });
    expect(await sts({ body: `Action=GetCallerIdentity&Version=2011-06-15${'&a=b'.repeat(20_000)}` })).toMatchObject({
      code: 'MalformedInput',
    });
  });

  test('an error of ours says nothing of its inside, and the log has it under the request id', async () => {
    const { status, text, headers } = await post({
      target: `${ECS}.DescribeClusters`,
      body: '{"clusters":["broken"]}',
    });
    expect(status).toBe(500);
    expect(JSON.parse(text)).toEqual({
      __type: 'ServerException',
      message: expect.stringContaining(headers.get('x-amzn-requestid') ?? '?'),
    });
    expect(text).not.toContain('hunter2');
    expect(door.logged).toEqual([
      {
        message: 'an operation failed',
        fields: expect.objectContaining({ requestId: headers.get('x-amzn-requestid') }),
      },
    ]);
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

  test('H2: a hostile user agent is one escaped, shortened member of one line', async () => {
    const hostile = `"},{"status":200\t\u009b31m${'x'.repeat(4000)}`;
    expect((await ecs({ unsigned: { 'User-Agent': hostile } })).status).toBe(200);
    await vi.waitFor(() => expect(door.audit).toHaveLength(1), { timeout: 60_000 });
    expect(door.audit[0]?.userAgent).toBe(`"},{"status":200??31m${'x'.repeat(256 - 21)}`);
  });

  test('a wrong path is a plain 404', async () => {
    const answer = await fetch(`${door.url}/nothing`, { method: 'POST', body: '{}' });
    expect([answer.status, await answer.text()]).toEqual([404, 'There is nothing at this path.\n']);
    expect(answer.headers.get('x-amzn-requestid')).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('a client that goes away in the middle of its body leaves nothing behind', async () => {
    const { headers } = aws4.sign(
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
    const lines = Object.entries(headers as Record<string, string>).map(([name, value]) => `${name}: ${value}`);
    const socket = connect(door.listening.port, '127.0.0.1');
    socket.write(`POST / HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n{`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    socket.destroy();
    await vi.waitFor(() => expect(door.audit).toHaveLength(1), { timeout: 60_000 });
    expect([door.knobs.handled, door.logged, door.audit[0]?.status]).toEqual([0, [], 499]);
    expect((await ecs()).status).toBe(200);
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
