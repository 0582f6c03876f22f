import aws4 from 'aws4';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { awsCalls, ECS, FORM } from './testing/aws-calls.ts';
import { callers, type FrontDoor, openFrontDoor } from './testing/front-door.ts';

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
  });
  const { post, ecs, sts } = awsCalls(() => door);

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

  test('S17: a body beyond the limit is refused without being read', async () => {
    const before = process.memoryUsage().rss;
    const { status, code } = await ecs({ body: Buffer.alloc(9 * 1024 * 1024, 32) });
    expect([status, code]).toEqual([413, 'RequestEntityTooLarge']);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
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
});
