import * as ecs from '@aws-sdk/client-ecs';
import aws4 from 'aws4';
import { afterAll, beforeAll, describe, expect, expectTypeOf, test } from 'vitest';
import { Registry } from '@prometheus-io/client';
import { createGateway } from './gateway.ts';
import { awsJson, type ServiceDefinition, type WebService } from '../contract/index.ts';
import type { GatewayOptions } from './options.ts';
import type { GatewayRoute } from './index.ts';
import { callers, type FrontDoor, openFrontDoor } from './testing/front-door.ts';

const versions: Readonly<Record<string, string>> = { iam: '2010-05-08', sts: '2011-06-15' };
const targets: Readonly<Record<string, string>> = {
  ecs: 'AmazonEC2ContainerServiceV20141113',
  ecr: 'AmazonEC2ContainerRegistry_V20150921',
};
/** The least input each operation takes, where `{}` is not enough. */
const inputs: Readonly<Record<string, unknown>> = {
  CreateService: { serviceName: 'a' },
  RunTask: { taskDefinition: 'a' },
  CreateRepository: { repositoryName: 'aa' },
  UploadLayerPart: { repositoryName: 'aa', uploadId: 'u', partFirstByte: 0, partLastByte: 0, layerPartBlob: 'AA==' },
  CreateRole: 'RoleName=a&AssumeRolePolicyDocument={}',
  GetRole: 'RoleName=a',
  AddUserToGroup: 'GroupName=a&UserName=a',
  AssumeRoleWithWebIdentity: 'RoleArn=a&RoleSessionName=a&WebIdentityToken=a',
};

type Who = 'anonymous' | 'nobody' | 'reader' | 'admin' | 'expired';

describe('A10: every route and operation', () => {
  let door: FrontDoor;
  let routes: readonly GatewayRoute[];
  beforeAll(async () => {
    door = await openFrontDoor({ limited: { failures: { perSecond: 1000, burst: 1000 } } });
    routes = door.gateway.routes;
  });
  afterAll(() => door[Symbol.asyncDispose]());

  async function call(route: GatewayRoute, who: Who): Promise<{ status: number; text: string }> {
    const answer = route.kind === 'aws' ? await callAws(route, who) : await callWeb(route, who);
    return { status: answer.status, text: await answer.text() };
  }

  function callAws({ service, operation }: GatewayRoute, who: Who): Promise<Response> {
    const query = versions[service];
    const input = inputs[operation];
    const body =
      query === undefined
        ? JSON.stringify(input ?? {})
        : `Action=${operation}&Version=${query}${typeof input === 'string' ? `&${input}` : ''}`;
    const headers: Record<string, string> = {
      Host: new URL(door.url).host,
      'Content-Type': query === undefined ? 'application/x-amz-json-1.1' : 'application/x-www-form-urlencoded',
      ...(query === undefined ? { 'X-Amz-Target': `${targets[service]}.${operation}` } : {}),
    };
    const key =
      who === 'expired'
        ? { accessKeyId: 'ASIAEXPIRED', secretAccessKey: 'x', sessionToken: 'x' }
        : who === 'anonymous'
          ? undefined
          : callers[who];
    const signed =
      key === undefined
        ? headers
        : (aws4.sign({ method: 'POST', path: '/', service, region: 'us-east-1', headers, body }, key).headers as Record<
            string,
            string
          >);
    const { Host: _host, 'Content-Length': _length, ...sent } = signed;
    return fetch(`${door.url}/`, { method: 'POST', headers: sent, body });
  }

  async function callWeb({ method, path }: GatewayRoute, who: Who): Promise<Response> {
    const principal =
      who === 'expired'
        ? { ...callers.session.principal, expiresAt: Date.now() - 60_000 }
        : who === 'anonymous'
          ? undefined
          : callers[who].principal;
    const authorization = principal && `Basic ${(await door.tokens.issueAuthorization(principal)).token}`;
    return fetch(`${door.url}${path}`, {
      method: method as string,
      headers: authorization === undefined ? {} : { authorization },
    });
  }

  test('is closed to callers without credentials, with expired ones and without grants, and open to the right one', async () => {
    const closed = new Set([401, 403]);
    const refusals = /MissingAuthenticationToken|ExpiredToken|AccessDenied|UNAUTHORIZED|DENIED/;
    const seen: string[] = [];
    for (const route of routes.filter(({ kind }) => kind === 'aws' || kind === 'web')) {
      const label = `${route.service}:${route.operation}`;
      const refused = async (who: Who): Promise<boolean> => {
        const { status, text } = await call(route, who);
        return closed.has(status) || (status === 400 && refusals.test(text));
      };
      door.knobs.handled = 0;
      const kept = {
        anonymous: route.access !== 'anonymous',
        expired: route.access !== 'anonymous',
        nobody: route.access === 'policy',
      };
      const out = {
        anonymous: kept.anonymous && (await refused('anonymous')),
        expired: kept.expired && (await refused('expired')),
        nobody: kept.nobody && (await refused('nobody')),
      };
      expect({ label, ...out, handled: door.knobs.handled }).toEqual({ label, ...kept, handled: 0 });
      expect([label, 'admin', await refused('admin')]).toEqual([label, 'admin', false]);
      seen.push(label);
    }
    expect(seen.length).toBeGreaterThan(15);
    expect(seen).toContain('registry:PUT manifest');
  });

  test('lists the gateway itself too', () => {
    expect(routes.filter(({ kind }) => kind === 'own').map(({ path }) => path)).toEqual([
      '/healthz',
      '/readyz',
      '/metrics',
      '/token',
      '/token',
    ]);
  });
});

describe('what does not declare its access does not start', () => {
  const base = { region: 'us-east-1', account: '000000000000', metrics: new Registry() } as unknown as GatewayOptions;
  const service = (operations: object): ServiceDefinition => ({
    name: 'ecs',
    protocols: [awsJson('1.1', 'T')],
    schemas: ecs as never,
    operations: operations as never,
  });
  const web = (change: Partial<WebService>): WebService => ({
    name: 'w',
    prefix: '/w/',
    authentication: 'none',
    route: () => undefined,
    renderError: () => undefined,
    ...change,
  });

  test.each([
    [
      'an operation without access',
      { services: [service({ ListClusters: { handle: () => undefined } })] },
      'ecs:ListClusters does not declare',
    ],
    [
      'an operation with a made-up access',
      { services: [service({ ListClusters: { access: 'everybody', handle: () => undefined } })] },
      'ecs:ListClusters does not declare',
    ],
    [
      'an operation without handler',
      { services: [service({ ListClusters: { access: 'anonymous' } })] },
      'ecs:ListClusters has no handler',
    ],
    [
      'an operation that AWS does not have',
      { services: [service({ ListClusterz: { access: 'anonymous', handle: () => undefined } })] },
      'not an operation',
    ],
    [
      'a service declared twice',
      {
        services: [
          service({ ListClusters: { access: 'anonymous', handle: () => undefined } }),
          service({ ListClusters: { access: 'anonymous', handle: () => undefined } }),
        ],
      },
      'declared twice',
    ],
    [
      'a sample without route',
      { services: [], web: [web({ samples: [{ method: 'GET', path: '/w/' }] })] },
      'finds no route',
    ],
    [
      'a route without access',
      {
        services: [],
        web: [web({ samples: [{ method: 'GET', path: '/w/' }], route: () => ({ name: 'r' }) as never })],
      },
      'r does not declare',
    ],
    [
      'an upgrade without access',
      { services: [], upgrades: [{ path: '/ws', service: 'ecs' } as never] },
      '/ws does not declare',
    ],
  ])('%s', (_name, options, message) => {
    expect(() => createGateway({ ...base, ...options })).toThrow(message);
  });

  test('a gateway that does not audit, limit, or know the policies of repositories', () => {
    type LeftOut<T> = { [Name in keyof T]-?: undefined extends T[Name] ? Name : never }[keyof T];
    type Asked = 'audit' | 'rates' | 'repository' | 'credentials' | 'standing' | 'authorizer' | 'tokens';
    expectTypeOf<Extract<LeftOut<GatewayOptions>, Asked>>().toBeNever();
  });
});
