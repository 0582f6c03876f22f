import * as ecs from '@aws-sdk/client-ecs';
import * as iam from '@aws-sdk/client-iam';
import aws4 from 'aws4';
import { gzipSync } from 'node:zlib';
import { expect, test, vi } from 'vitest';
import { awsJson, awsQuery, defineService, type ServiceDefinition } from '../contract/index.ts';
import { callers, type FrontDoor, openFrontDoor } from './testing/front-door.ts';

/** Who can never do what is asked for is refused before a large body is unpacked, parsed or decoded. */
const target = 'AmazonEC2ContainerServiceV20141113';

/** Counts what is done for a request: how often somebody wants to decode, what is needed, and handles. */
interface Work {
  /** Decoding loads the model first. */
  loads: number;
  lists: number;
  handled: number;
}

function services(work: Work, action = 'ecs:RegisterTaskDefinition'): readonly ServiceDefinition[] {
  return [
    defineService<typeof ecs>({
      name: 'ecs',
      protocol: awsJson('1.1', target),
      load: async () => {
        work.loads++;
        return ecs;
      },
      limits: { bodyBytes: 100_000, needs: (operation) => `ecs:${operation}` },
      operations: {
        RegisterTaskDefinition: {
          access: ({ family = '' }) => {
            work.lists++;
            return [{ action, resources: [{ arn: `arn:aws:ecs:us-east-1:000000000000:task-definition/${family}:*` }] }];
          },
          handle: async () => {
            work.handled++;
            return {};
          },
        },
      },
    }),
    defineService<typeof iam>({
      name: 'iam',
      protocol: awsQuery('2010-05-08', 'https://iam.amazonaws.com/doc/2010-05-08/'),
      load: async () => {
        work.loads++;
        return iam;
      },
      limits: { needs: (operation) => (operation === 'CreateRole' ? 'iam:CreateRole' : undefined) },
      operations: {
        CreateRole: {
          access: () => [{ action: 'iam:CreateRole', resources: [{ arn: '*' }] }],
          handle: async () => ({ Role: undefined }),
        },
      },
    }),
  ];
}

interface Sent {
  readonly caller: { readonly accessKeyId: string; readonly secretAccessKey: string };
  readonly body: string | Buffer;
  readonly encoding?: string;
  readonly service?: 'ecs' | 'iam';
}

async function send(door: FrontDoor, { caller, body, encoding, service = 'ecs' }: Sent): Promise<[number, string]> {
  const { Host: _host, ...sent } = aws4.sign(
    {
      method: 'POST',
      path: '/',
      service,
      region: 'us-east-1',
      headers: {
        Host: new URL(door.url).host,
        'Content-Type': service === 'ecs' ? 'application/x-amz-json-1.1' : 'application/x-www-form-urlencoded',
        ...(service === 'ecs' ? { 'X-Amz-Target': `${target}.RegisterTaskDefinition` } : {}),
        ...(encoding === undefined ? {} : { 'Content-Encoding': encoding }),
      },
      body: body as string,
    },
    caller,
  ).headers as Record<string, string>;
  delete sent['Content-Length'];
  const answer = await fetch(`${door.url}/`, { method: 'POST', headers: sent, body });
  return [answer.status, await answer.text()];
}

const containers = (count: number): string => `{"containerDefinitions":[${'{},'.repeat(count - 1)}{}]}`;
const refusal = (action: string, resource: string): string =>
  `User: ${callers.nobody.principal.arn} is not authorized to perform: ${action} on resource: ${resource} because no identity-based policy allows the ${action} action`;

test('2.8 million containers in 8 KB of gzip are refused before anything of them is unpacked', async () => {
  const work: Work = { loads: 0, lists: 0, handled: 0 };
  await using door = await openFrontDoor({ services: services(work) });
  const body = gzipSync(containers(2_800_000), { level: 9 });
  expect(body.byteLength).toBeLessThan(10_000);
  const [status, text] = await send(door, { caller: callers.nobody, body, encoding: 'gzip' });
  expect([status, JSON.parse(text)]).toEqual([
    400,
    { __type: 'AccessDeniedException', message: refusal('ecs:RegisterTaskDefinition', '*') },
  ]);
  expect(work).toEqual({ loads: 0, lists: 0, handled: 0 });
  await vi.waitFor(() => expect(door.audit).toHaveLength(1), { timeout: 60_000 });
  expect(door.audit[0]).toMatchObject({
    operation: 'RegisterTaskDefinition',
    error: 'AccessDeniedException',
  });
  // Who may meets the limits of bodies; unpacking stops at them.
  const [, limited] = await send(door, { caller: callers.admin, body, encoding: 'gzip' });
  expect(limited).toContain('RequestEntityTooLarge');
  expect(work).toEqual({ loads: 0, lists: 0, handled: 0 });
});

test("a large body is refused by its service's limit, and before that to who may never; of a small one the refusal names the resource", async () => {
  const work: Work = { loads: 0, lists: 0, handled: 0 };
  await using door = await openFrontDoor({ services: services(work) });
  expect((await send(door, { caller: callers.nobody, body: containers(20_000) }))[1]).toContain('AccessDenied');
  expect((await send(door, { caller: callers.nobody, body: `${'{'.repeat(30_000)}` }))[1]).toContain('AccessDenied');
  expect(work).toEqual({ loads: 0, lists: 0, handled: 0 });
  expect((await send(door, { caller: callers.admin, body: containers(40_000) }))[1]).toContain('RequestEntityTooLarge');
  expect(work.loads).toBe(0);
  const [, text] = await send(door, { caller: callers.nobody, body: '{"family":"web","containerDefinitions":[]}' });
  expect(JSON.parse(text)).toMatchObject({
    message: refusal('ecs:RegisterTaskDefinition', 'arn:aws:ecs:us-east-1:000000000000:task-definition/web:*'),
  });
  expect(await send(door, { caller: callers.admin, body: `{"family":"web","containerDefinitions":[]}` })).toEqual([
    200,
    '{}',
  ]);
  expect(work.handled).toBe(1);
});

test('a long form is refused when its action is known, before its members are decoded', async () => {
  const work: Work = { loads: 0, lists: 0, handled: 0 };
  await using door = await openFrontDoor({ services: services(work) });
  const body = `Action=CreateRole&Version=2010-05-08&AssumeRolePolicyDocument=${'a'.repeat(20_000)}`;
  const [status, text] = await send(door, { caller: callers.nobody, body, service: 'iam' });
  expect([status, text]).toEqual([403, expect.stringContaining(refusal('iam:CreateRole', '*'))]);
  expect(work.loads).toBe(0);
});

test('an authorizer that cannot say refuses, and a service that says a wrong need is found out', async () => {
  const work: Work = { loads: 0, lists: 0, handled: 0 };
  await using door = await openFrontDoor({ services: services(work, 'ecs:CreateService') });
  door.knobs.authorizerFails = true;
  const [status] = await send(door, { caller: callers.admin, body: containers(10_000) });
  expect(status).toBe(503);
  door.knobs.authorizerFails = false;
  const [failed] = await send(door, { caller: callers.admin, body: '{"family":"web","containerDefinitions":[]}' });
  expect([failed, work.handled]).toEqual([500, 0]);
  expect(JSON.stringify(door.logged.map(({ fields }) => String((fields as { err?: unknown }).err)))).toContain(
    "RegisterTaskDefinition was thought to need ecs:RegisterTaskDefinition: mend the 'needs' of its service",
  );
});
