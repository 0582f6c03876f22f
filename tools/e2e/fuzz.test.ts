import { type ChildProcess, fork } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import aws4 from 'aws4';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

/**
 * Arbitrary paths, headers, policy documents, tokens and bodies against a whole installation: every answer is below 500, the server
 * lives on, and no input makes its event loop stand still.
 */
const numRuns = { nightly: 3000, release: 15_000 }[process.env['SLIPWAY_TEST_SIZE'] ?? ''] ?? 250;
/** The same cases in each usual run; longer ones draw others. */
const drawn = process.env['SLIPWAY_TEST_SIZE'] === undefined ? 20_261 : randomInt(2 ** 31);
const seed = Number(process.env['SLIPWAY_TEST_SEED'] ?? drawn);
/** Milliseconds. */
const longestStall = 50;
vi.setConfig({ testTimeout: 60_000 + numRuns * 100 });

interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

const data = mkdtempSync(join(tmpdir(), 'slipway-fuzz-'));
let server: ChildProcess;
let port: number;
let key: Key;
let token: string;

beforeAll(async () => {
  server = fork(join(import.meta.dirname, 'watched-server.ts'), {
    env: { ...process.env, SLIPWAY_DATA: data, SLIPWAY_PORT: '0', SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' },
  });
  const [ready] = (await once(server, 'message')) as [{ port: number; key: Key }];
  ({ port, key } = ready);
  await signed('ecr', { repositoryName: 'web' }, 'AmazonEC2ContainerRegistry_V20150921.CreateRepository');
  await signed('iam', { Version: '2010-05-08', Action: 'CreateUser', UserName: 'nobody' });
  const login = await signed('ecr', {}, 'AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken');
  token = /"authorizationToken":"([^"]+)"/.exec(login)?.[1] ?? '';
  if (token === '') throw new Error(`no token: ${login}`);
});

afterAll(async () => {
  const ended = once(server, 'exit');
  server.disconnect();
  await ended;
  rmSync(data, { recursive: true, force: true });
});

/** Sends bytes as they are; the whole answer, '' when the connection was closed without one. */
function raw(bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    socket.setTimeout(60_000, () => socket.destroy(new Error(`no answer within 60 s to ${bytes.slice(0, 200)}`)));
    socket.setEncoding('latin1').on('data', (chunk: string) => (answer += chunk));
    socket.on('close', () => resolve(answer)).on('error', reject);
  });
}

function request(method: string, path: string, headers: object, body = ''): Promise<string> {
  const lines = Object.entries({ Connection: 'close', ...headers, 'Content-Length': Buffer.byteLength(body) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return raw(`${method} ${path} HTTP/1.1\r\n${head}\r\n${Buffer.from(body).toString('latin1')}`);
}

/** A call signed by the administrator: JSON with a target, otherwise Query. */
function signed(
  service: string,
  body: object,
  target?: string,
  spoil = (text: string): string => text,
): Promise<string> {
  const text =
    target === undefined ? new URLSearchParams(body as Record<string, string>).toString() : JSON.stringify(body);
  const type = target === undefined ? 'application/x-www-form-urlencoded' : 'application/x-amz-json-1.1';
  const { headers } = aws4.sign(
    {
      host: `127.0.0.1:${port}`,
      method: 'POST',
      path: '/',
      service,
      region: 'us-east-1',
      headers: { 'Content-Type': type, ...(target === undefined ? {} : { 'X-Amz-Target': target }) },
      body: text,
    },
    key,
  );
  return request('POST', '/', { ...headers, Authorization: spoil(String(headers?.['Authorization'])) }, text);
}

/** Runs a property over inputs that a seed makes; the longest stall of the server meanwhile, in milliseconds. */
async function stallOver<T>(inputs: fc.Arbitrary<T>, send: (input: T) => Promise<string>): Promise<number> {
  await stall();
  await fc.assert(
    fc.asyncProperty(inputs, async (input) => {
      const answer = await send(input);
      // S3 has no 429: an address with too many failed logins is told to slow down as S3 tells it. Answers to HEAD have no body.
      const told = answer.slice(0, 1_000);
      expect(told).toMatch(/^$|^HTTP\/1\.1 ([1-4]\d\d |503 [^]*\r\nRetry-After: [^]*(?:<Code>SlowDown<|\r\n\r\n$))/);
    }),
    { numRuns, seed },
  );
  return stall();
}

async function stall(): Promise<number> {
  const answer = once(server, 'message');
  server.send('stall?');
  return ((await answer) as [number])[0];
}

/**
 * The stalls, in milliseconds, that inputs cause. A stall that an input causes comes again with that input, one of a busy machine does
 * not: the same inputs are sent up to three times, and only when each time was too long is there something to report. What is too
 * long is more where the machine makes even an idle server wait.
 */
async function stalls<T>(inputs: fc.Arbitrary<T>, send: (input: T) => Promise<string>): Promise<readonly number[]> {
  await stallOver(inputs, send); // modules that are loaded at a first call, and compilation
  const seen: number[] = [];
  while (seen.length < 3) {
    await stall();
    await sleep(500);
    const bound = Math.max(longestStall, 5 * (await stall()));
    const longest = await stallOver(inputs, send);
    if (longest <= bound) return [];
    seen.push(longest);
  }
  return seen;
}

const noise = fc.string({ unit: 'binary-ascii', maxLength: 80 });
const long = fc
  .tuple(
    fc.constantFrom('a', '/', '*', 'a*', '%2f', '..%2f', '-', '[', '{"a":', '${', '?a=b&'),
    fc.integer({ min: 1, max: 4000 }),
  )
  .map(([unit, times]) => unit.repeat(times));
const text = fc.oneof(
  noise,
  long.map((it) => it.slice(0, 7000)),
  fc.string({ unit: 'grapheme', maxLength: 60 }),
);
/** One line of a request's head: no line ends, one byte a character. */
const inLine = (value: string): string => value.replace(/[\r\n]/g, '').replace(/[^\0-\xff]/g, '?');

const segment = fc.oneof(
  fc.constantFrom(
    'v2',
    'web',
    'blobs',
    'uploads',
    'manifests',
    'tags',
    'list',
    'referrers',
    '_catalog',
    'token',
    'slipway',
    'webhooks',
    '..',
    '%00',
    '%',
    `sha256:${'0'.repeat(64)}`,
  ),
  text.map((it) => encodeURIComponent(it.toWellFormed()).slice(0, 4000)),
);
const shape = fc
  .tuple(
    fc.constantFrom(
      ['v2', 'web', 'blobs'],
      ['v2', 'web', 'manifests'],
      ['v2', 'web', 'blobs', 'uploads'],
      ['v2', 'web'],
      ['v2'],
    ),
    fc.array(segment, { maxLength: 3 }),
  )
  .map(([known, rest]) => [...known, ...rest]);
const path = fc
  .tuple(fc.oneof(shape, fc.array(segment, { maxLength: 7 })), noise)
  .map(([parts, query]) => inLine(`/${parts.join('/')}?${encodeURI(query)}`));
const method = fc.constantFrom('GET', 'HEAD', 'PUT', 'POST', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'BREW');
const headerName = fc.constantFrom(
  'Accept',
  'Range',
  'Content-Range',
  'Content-Type',
  'Authorization',
  'X-Amz-Target',
  'X-Amz-Date',
  'X-Forwarded-For',
  'Cookie',
  'If-None-Match',
  'Docker-Upload-UUID',
);

const anyJson = fc.jsonValue({ maxDepth: 6 });
const value = fc.oneof(text, fc.array(text, { maxLength: 20 }), anyJson);
const pattern = fc.oneof(
  fc
    .tuple(fc.constantFrom('*a', '?*', 'a*b', '*:', '**'), fc.integer({ min: 1, max: 400 }))
    .map(([unit, times]) => unit.repeat(times)),
  text,
);
const statement = fc.record(
  {
    Sid: value,
    Effect: fc.constantFrom('Allow', 'Deny', 'Maybe'),
    Principal: fc.oneof(fc.constantFrom('*', { AWS: '*' }), value),
    Action: fc.oneof(
      pattern,
      pattern.map((it) => `ecr:${it}`),
    ),
    NotAction: pattern,
    Resource: fc.oneof(
      pattern,
      fc.constant('*'),
      pattern.map((it) => `arn:aws:ecr:us-east-1:000000000000:repository/${it}`),
    ),
    Condition: fc.dictionary(
      fc.constantFrom(
        'StringLike',
        'ForAllValues:StringLike',
        'ArnLike',
        'IpAddress',
        'DateLessThan',
        'NumericEquals',
        'Null',
        'Nonsense',
      ),
      fc.dictionary(fc.constantFrom('aws:SourceIp', 'aws:username', 'ecr:ResourceTag/a', 'no'), value),
    ),
  },
  { requiredKeys: ['Effect'] },
);
/** Accepted ones, whose patterns reach the matcher. */
const stars = fc
  .array(fc.constantFrom('*', '?', 'a', 'Get', '*a'), { minLength: 1, maxLength: 120, size: 'max' })
  .map((them) => them.join(''));
const accepted = (principal: boolean): fc.Arbitrary<string> =>
  fc
    .array(
      fc.record({
        Effect: fc.constantFrom('Allow', 'Deny'),
        Action: fc.oneof(
          stars.map((it) => `ecr:${it}`),
          fc.constant('ecr:*'),
        ),
        Resource: fc.oneof(
          stars.map((it) => `arn:aws:ecr:*:*:repository/${it}`),
          fc.constant('*'),
        ),
        Condition: fc.record({ StringLike: fc.record({ 'aws:userid': stars, 'aws:username': stars }) }),
      }),
      { minLength: 1, maxLength: 8 },
    )
    .map((them) =>
      JSON.stringify({
        Version: '2012-10-17',
        Statement: them.map(({ Resource, ...it }) => (principal ? { ...it, Principal: '*' } : { ...it, Resource })),
      }),
    );
const policy = fc.oneof(
  fc
    .record({
      Version: fc.constantFrom('2012-10-17', '2008-10-17', 'x'),
      Statement: fc.oneof(statement, fc.array(statement, { maxLength: 8 })),
    })
    .map((it) => JSON.stringify(it)),
  anyJson.map((it) => JSON.stringify(it)),
  text,
);

describe(`no crash, no 5xx and no stall (SLIPWAY_TEST_SEED=${seed}, ${numRuns} inputs of each kind)`, () => {
  test('of paths and headers, with a login and without', async () => {
    expect(
      await stalls(
        fc.tuple(method, path, fc.boolean(), fc.array(fc.tuple(headerName, text), { maxLength: 4 })),
        ([verb, target, known, headers]) =>
          raw(
            `${verb} ${target} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: close\r\nContent-Length: 0\r\n${known ? `Authorization: Basic ${token}\r\n` : ''}` +
              `${headers.map(([name, it]) => `${name}: ${inLine(it)}\r\n`).join('')}\r\n`,
          ),
      ),
    ).toEqual([]);
  });

  test('of policy documents, given to be kept, for a repository, and to be simulated', async () => {
    expect(
      await stalls(
        fc.oneof(
          fc.tuple(fc.constantFrom('keep', 'repository', 'simulate'), policy, text),
          fc.tuple(fc.constantFrom('keep', 'simulate'), accepted(false), stars),
          fc.tuple(fc.constant('repository'), accepted(true), stars),
        ),
        ([use, document, name]) =>
          use === 'repository'
            ? signed(
                'ecr',
                { repositoryName: 'web', policyText: document },
                'AmazonEC2ContainerRegistry_V20150921.SetRepositoryPolicy',
              )
            : signed('iam', {
                Version: '2010-05-08',
                ...(use === 'keep'
                  ? { Action: 'PutUserPolicy', UserName: 'nobody', PolicyName: 'fuzz', PolicyDocument: document }
                  : {
                      Action: 'SimulateCustomPolicy',
                      'PolicyInputList.member.1': document,
                      'ActionNames.member.1': 'ecr:BatchGetImage',
                      'ResourceArns.member.1': `arn:aws:ecr:us-east-1:000000000000:repository/${name.toWellFormed().slice(0, 1000)}`,
                    }),
              }),
      ),
    ).toEqual([]);
  });

  test('of tokens: parts of a good one exchanged, and made-up ones', async () => {
    const parts = Buffer.from(token, 'base64').toString().replace(/^AWS:/, '').split('.');
    const part = fc.oneof(
      fc.constantFrom(...parts),
      anyJson.map((it) => Buffer.from(JSON.stringify(it)).toString('base64url')),
      text,
    );
    const made = fc.array(part, { minLength: 1, maxLength: 4 }).map((them) => them.join('.'));
    expect(
      await stalls(
        fc.tuple(made, fc.boolean(), fc.constantFrom('/v2/', '/v2/web/tags/list', '/token?scope=repository:web:pull')),
        ([jwt, basic, target]) =>
          request('GET', target, {
            Host: `127.0.0.1:${port}`,
            Authorization: basic
              ? `Basic ${Buffer.from(`AWS:${jwt}`).toString('base64').slice(0, 12_000)}`
              : `Bearer ${inLine(jwt).slice(0, 12_000)}`,
          }),
      ),
    ).toEqual([]);
  });

  test('of signatures that were tampered with', async () => {
    expect(
      await stalls(fc.tuple(fc.nat(400), fc.nat(400), text), ([from, to, put]) =>
        signed('ecs', {}, 'AmazonEC2ContainerServiceV20141113.ListClusters', (good) =>
          inLine(good.slice(0, from) + put + good.slice(to)),
        ),
      ),
    ).toEqual([]);
  });

  test('of the bodies of calls', async () => {
    expect(
      await stalls(
        fc.tuple(
          fc.constantFrom(
            'RegisterTaskDefinition',
            'CreateService',
            'RunTask',
            'TagResource',
            'ListTasks',
            'DescribeServices',
          ),
          fc.dictionary(
            fc.constantFrom(
              'family',
              'containerDefinitions',
              'serviceName',
              'taskDefinition',
              'cluster',
              'tags',
              'resourceArn',
              'placementConstraints',
              'services',
              'nextToken',
            ),
            fc.oneof(
              value,
              fc.array(
                fc.record(
                  { name: value, image: value, memory: value, expression: value, type: value, key: value },
                  { requiredKeys: [] },
                ),
                { maxLength: 4 },
              ),
            ),
          ),
        ),
        ([operation, body]) => signed('ecs', body, `AmazonEC2ContainerServiceV20141113.${operation}`),
      ),
    ).toEqual([]);
  });

  test('of the forms of calls about networks', async () => {
    const member = fc.constantFrom(
      ...'CidrBlock VpcId SubnetId GroupId GroupName NextToken MaxResults DestinationCidrBlock'.split(' '),
      ...'Filter.1.Name Filter.1.Value.1 Filter.2.Value Filter Resource.1 ResourceId.1 Tag.1.Key'.split(' '),
      ...'IpPermissions.1.IpProtocol IpPermissions.1.FromPort IpPermissions.1.IpRanges.1.CidrIp'.split(' '),
      ...'IpPermissions.1.Ipv6Ranges.1.CidrIpv6 TagSpecification.1.ResourceType TagSpecification.1.Tag.1.Key'.split(
        ' ',
      ),
    );
    const words = fc.constantFrom(
      '10.0.0.0/16',
      '0.0.0.0/0',
      '::/0',
      'tcp',
      '-1',
      '80',
      'vpc-id',
      'tag:a',
      'vpc',
      'sg-1',
    );
    const operations = fc.constantFrom(
      ...'CreateVpc CreateSubnet CreateSecurityGroup AuthorizeSecurityGroupIngress CreateTags'.split(' '),
      ...'DescribeVpcs DescribeSubnets DescribeSecurityGroups DescribeRouteTables CreateRoute'.split(' '),
    );
    const inputs = fc.tuple(operations, fc.dictionary(member, fc.oneof(words, text), { maxKeys: 8 }));
    expect(
      await stalls(inputs, ([Action, body]) => {
        const form = Object.entries(body).map(([key, it]) => [key, it.toWellFormed().slice(0, 2000)]);
        return signed('ec2', { Version: '2016-11-15', Action, ...Object.fromEntries(form) });
      }),
    ).toEqual([]);
  });

  test('and afterwards the same process answers as ever', async () => {
    expect(server.exitCode).toBe(null);
    expect(await request('GET', '/v2/', { Host: 'x', Authorization: `Basic ${token}` })).toMatch(/^HTTP\/1.1 200 /);
  });
});
