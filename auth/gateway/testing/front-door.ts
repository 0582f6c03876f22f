import { Registry } from '@prometheus-io/client';
import * as ecr from '@aws-sdk/client-ecr';
import * as ecs from '@aws-sdk/client-ecs';
import * as iam from '@aws-sdk/client-iam';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { openSqliteRecords } from '@slipway/storage/records';
import type { AuditLine } from '../../audit/index.ts';
import type { RateSettings } from '../../rates/index.ts';
import type { Credentials } from '../../sigv4/index.ts';
import { type Sealer, TokenService } from '../../tokens/index.ts';
import {
  type FrontAuthorizer,
  AwsError,
  awsJson,
  awsQuery,
  defineService,
  GatewayError,
  type Principal,
  type ServiceDefinition,
  type WebRoute,
  type WebService,
} from '../../contract/index.ts';
import { createGateway } from '../gateway.ts';
import { unwatched } from './unwatched.ts';
import type { GatewayOptions } from '../options.ts';
import type { Listening, ListenOptions } from '../listener.ts';

/** For parts whose log no test reads. */
export const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

export const ACCOUNT = '000000000000';
export const REGION = 'us-east-1';

const user = (name: string, accessKeyId: string): Principal => ({
  type: 'user',
  account: ACCOUNT,
  arn: `arn:aws:iam::${ACCOUNT}:user/${name}`,
  id: `AIDA${name.toUpperCase()}`,
  accessKeyId,
});

/** The callers of the tests: an administrator, a reader, a user without any grant, and keys that are refused. */
export const callers = {
  admin: { accessKeyId: 'AKIAADMIN', secretAccessKey: 'the-admin-secret', principal: user('admin', 'AKIAADMIN') },
  reader: { accessKeyId: 'AKIAREADER', secretAccessKey: 'the-reader-secret', principal: user('reader', 'AKIAREADER') },
  nobody: { accessKeyId: 'AKIANOBODY', secretAccessKey: 'the-nobody-secret', principal: user('nobody', 'AKIANOBODY') },
  stranger: {
    accessKeyId: 'AKIASTRANGER',
    secretAccessKey: 'the-stranger-secret',
    principal: {
      ...user('stranger', 'AKIASTRANGER'),
      account: '111111111111',
      arn: 'arn:aws:iam::111111111111:user/stranger',
    },
  },
  session: {
    accessKeyId: 'ASIASESSION',
    secretAccessKey: 'the-session-secret',
    sessionToken: 'the-session-token',
    principal: { ...user('session', 'ASIASESSION'), type: 'assumed-role' as const },
  },
} as const;

const readOnly = /:(?:Get|List|Describe|BatchGet|BatchCheck)/;

/** Grants by caller: all, reads only, nothing; the token restriction (a policy text) must allow as well. */
export const grants: FrontAuthorizer = {
  async authorize(principal, access) {
    const allowed =
      principal.id === 'AIDAADMIN' ||
      principal.id === 'AIDASESSION' ||
      (principal.id === 'AIDAREADER' && readOnly.test(access.action)) ||
      (principal.type === 'anonymous' &&
        access.resources.every(({ arn }) => arn.endsWith('repository/public')) &&
        readOnly.test(access.action));
    const within = (principal.restrictions ?? []).every((text) =>
      restrictionAllows(
        text as string,
        access.action,
        access.resources.map(({ arn }) => arn),
      ),
    );
    return allowed && within
      ? { allowed: true, reason: `the test's grants allow it`, statement: { policy: 'inline:test', statement: '0' } }
      : { allowed: false, reason: `no identity-based policy allows the ${access.action} action` };
  },
  async foresee({ id }, action) {
    const may = ['AIDAADMIN', 'AIDASESSION'].includes(id) || (id === 'AIDAREADER' && readOnly.test(action));
    return may ? undefined : { allowed: false, reason: `no identity-based policy allows the ${action} action` };
  },
};

function restrictionAllows(text: string, action: string, arns: readonly string[]): boolean {
  const { Statement } = JSON.parse(text) as {
    Statement: { Effect: string; Action: readonly string[]; Resource: string }[];
  };
  return arns.every((arn) =>
    Statement.some(({ Effect, Action, Resource }) => {
      // A policy's ARN may leave the account open.
      const named = Resource === '*' || Resource === arn || Resource === arn.replace(/:\d{12}:/, ':*:');
      return Effect === 'Allow' && Action.includes(action) && named;
    }),
  );
}

/** What the tests may change while a front door is open. */
export interface Knobs {
  credentialsFail: boolean;
  authorizerFails: boolean;
  /** Unique ids of principals that may no longer act. */
  readonly revoked: Set<string>;
  /** An action that nobody may any more, whatever was granted. */
  refused: string | undefined;
  /** How often the handler of an upload began to read one. */
  begun: number;
  /** How often a handler ran. */
  handled: number;
}

const policies: Map<string, string> = new Map();

function services(knobs: Knobs, tokens: TokenService): readonly ServiceDefinition[] {
  const ran = <T>(output: T): Promise<T> => {
    knobs.handled++;
    return Promise.resolve(output);
  };
  return [
    defineService({
      name: 'ecs',
      protocol: awsJson('1.1', 'AmazonEC2ContainerServiceV20141113'),
      client: ecs,
      operations: {
        ListClusters: {
          access: () => [{ action: 'ecs:ListClusters', resources: [{ arn: '*' }] }],
          handle: () => ran({ clusterArns: [`arn:aws:ecs:${REGION}:${ACCOUNT}:cluster/default`] }),
        },
        CreateService: {
          access: (input) => [
            {
              action: 'ecs:CreateService',
              resources: [{ arn: `arn:aws:ecs:${REGION}:${ACCOUNT}:service/default/${input.serviceName}` }],
            },
          ],
          handle: (input, call) =>
            ran({
              service: {
                ...(input.serviceName === undefined ? {} : { serviceName: input.serviceName }),
                ...(input.desiredCount === undefined ? {} : { desiredCount: input.desiredCount }),
                ...(input.tags === undefined ? {} : { tags: input.tags }),
                ...(input.deploymentConfiguration === undefined
                  ? {}
                  : { deploymentConfiguration: input.deploymentConfiguration }),
                createdAt: new Date(call.time.getTime()),
              },
            }),
        },
        DescribeClusters: {
          access: () => [{ action: 'ecs:DescribeClusters', resources: [{ arn: '*' }] }],
          handle: async (input) => {
            if (input.clusters?.[0] === 'broken') throw new Error('a secret of the inside: hunter2');
            throw new AwsError('ClusterNotFoundException', 'Cluster not found.');
          },
        },
        RunTask: {
          access: () => [{ action: 'ecs:RunTask', resources: [{ arn: '*' }] }],
          handle: async () => {
            throw new AwsError('ConflictException', 'The token was used before', {
              members: { resourceIds: ['a', 'b'], code: 'x' },
            });
          },
        },
      },
    }),
    defineService({
      name: 'ecr',
      protocol: awsJson('1.1', 'AmazonEC2ContainerRegistry_V20150921'),
      client: ecr,
      constraints: {
        repositoryName: { min: 2, max: 256, pattern: /^[a-z0-9/_.-]+$/ },
        imageTagMutability: { values: ['MUTABLE', 'IMMUTABLE'] },
      },
      operations: {
        CreateRepository: {
          access: (input) => [
            {
              action: 'ecr:CreateRepository',
              resources: [{ arn: `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/${input.repositoryName}` }],
            },
          ],
          handle: (input, call) =>
            ran({
              repository: {
                repositoryName: input.repositoryName ?? '',
                repositoryUri: `${call.endpoint}/${input.repositoryName}`,
                createdAt: new Date(1_700_000_000_123),
              },
            }),
        },
        UploadLayerPart: {
          bodyBytes: 32 * 1024 * 1024,
          access: () => [
            { action: 'ecr:UploadLayerPart', resources: [{ arn: `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/a` }] },
          ],
          handle: (input) => ran({ lastByteReceived: (input.layerPartBlob as Uint8Array).byteLength - 1 }),
        },
        GetAuthorizationToken: {
          access: () => [{ action: 'ecr:GetAuthorizationToken', resources: [{ arn: '*' }] }],
          handle: async (_input, call) => {
            const { token, expiresAt } = await tokens.issueAuthorization(call.principal);
            return ran({
              authorizationData: [
                { authorizationToken: token, expiresAt: new Date(expiresAt), proxyEndpoint: call.endpoint },
              ],
            });
          },
        },
      },
    }),
    defineService({
      name: 'iam',
      protocol: awsQuery('2010-05-08', 'https://iam.amazonaws.com/doc/2010-05-08/'),
      client: iam,
      constraints: { MaxSessionDuration: { min: 3600, max: 43_200, integer: true } },
      operations: {
        CreateRole: {
          access: (input) => [
            { action: 'iam:CreateRole', resources: [{ arn: `arn:aws:iam::${ACCOUNT}:role/${input.RoleName}` }] },
          ],
          handle: (input) => {
            policies.set(input.RoleName ?? '', input.AssumeRolePolicyDocument ?? '');
            return ran({
              Role: {
                RoleName: input.RoleName ?? '',
                RoleId: 'AROA1',
                Arn: `arn:aws:iam::${ACCOUNT}:role/${input.RoleName}`,
                Path: input.Path ?? '/',
                CreateDate: new Date(1_700_000_000_000),
                AssumeRolePolicyDocument: encodeURIComponent(input.AssumeRolePolicyDocument ?? ''),
                ...(input.Tags === undefined ? {} : { Tags: input.Tags }),
                ...(input.Description === undefined ? {} : { Description: input.Description }),
              },
            });
          },
        },
        GetRole: {
          access: (input) => [
            { action: 'iam:GetRole', resources: [{ arn: `arn:aws:iam::${ACCOUNT}:role/${input.RoleName}` }] },
          ],
          handle: async (input) => {
            throw new AwsError('NoSuchEntityException', `The role with name ${input.RoleName} cannot be found.`, {
              status: 404,
            });
          },
        },
        AddUserToGroup: {
          access: () => [{ action: 'iam:AddUserToGroup', resources: [{ arn: '*' }] }],
          handle: () => ran({}),
        },
        ListRoles: {
          access: () => [{ action: 'iam:ListRoles', resources: [{ arn: '*' }] }],
          handle: () => ran({ Roles: [], IsTruncated: false }),
        },
      },
    }),
    defineService({
      name: 'sts',
      protocol: awsQuery('2011-06-15', 'https://sts.amazonaws.com/doc/2011-06-15/'),
      load: () => import('@aws-sdk/client-sts'),
      operations: {
        GetCallerIdentity: {
          access: 'authenticated',
          handle: (_input, call) => ran({ Account: call.account, Arn: call.principal.arn, UserId: call.principal.id }),
        },
        AssumeRoleWithWebIdentity: {
          access: 'anonymous',
          handle: (input) => ran({ SubjectFromWebIdentityToken: `via ${input.RoleSessionName}` }),
        },
      },
    }),
  ];
}

/** A small registry: reads and writes of one manifest, the version check, and a route that streams. */
function registry(knobs: Knobs): WebService {
  const repositoryAccess =
    (action: string, name: string): WebRoute['access'] =>
    () => [{ action, resources: [{ arn: `arn:aws:ecr:${REGION}:${ACCOUNT}:repository/${name}` }] }];
  const statuses: Readonly<Record<GatewayError['kind'], readonly [number, string]>> = {
    unauthenticated: [401, 'UNAUTHORIZED'],
    denied: [403, 'DENIED'],
    'not-found': [404, 'NAME_UNKNOWN'],
    'method-not-allowed': [405, 'UNSUPPORTED'],
    throttled: [429, 'TOOMANYREQUESTS'],
    'too-large': [413, 'SIZE_INVALID'],
    'bad-request': [400, 'UNSUPPORTED'],
    unavailable: [503, 'UNAVAILABLE'],
  };
  return {
    name: 'registry',
    prefix: '/v2/',
    authentication: 'docker',
    samples: [
      { method: 'GET', path: '/v2/' },
      { method: 'GET', path: '/v2/a/manifests/latest' },
      { method: 'PUT', path: '/v2/a/manifests/latest' },
      { method: 'POST', path: '/v2/a/blobs/uploads/' },
    ],
    route(method, path) {
      if (path === '/v2/' || path === '/v2')
        return { name: 'version', access: 'authenticated', handle: async (ctx) => void (ctx.body = '{}') };
      const match = /^\/v2\/([a-z0-9/-]+)\/(manifests\/[\w.-]+|blobs\/uploads\/)$/.exec(path);
      if (match === null) return undefined;
      const name = match[1] as string;
      if (method === 'GET' && match[2] !== 'blobs/uploads/') {
        return {
          name: 'GET manifest',
          access: repositoryAccess('ecr:BatchGetImage', name),
          handle: async (ctx) => {
            knobs.handled++;
            if (name === 'broken') throw new Error('a secret of the inside: hunter2');
            ctx.body = '{"schemaVersion":2}';
          },
        };
      }
      if (method === 'PUT' || method === 'POST') {
        return {
          name: method === 'PUT' ? 'PUT manifest' : 'POST upload',
          access: repositoryAccess('ecr:PutImage', name),
          handle: async (ctx) => {
            let bytes = 0;
            knobs.begun++;
            for await (const chunk of ctx.req) bytes += (chunk as Buffer).byteLength;
            knobs.handled++;
            ctx.status = 201;
            ctx.body = String(bytes);
          },
        };
      }
      return undefined;
    },
    renderError(ctx, error) {
      const [status, code] = error instanceof GatewayError ? statuses[error.kind] : [500, 'UNKNOWN'];
      ctx.status = status;
      ctx.set('Content-Type', 'application/json');
      ctx.body = JSON.stringify({
        errors: [{ code, message: error instanceof GatewayError ? error.message : 'internal error' }],
      });
    },
  };
}

/** AES-256-GCM with a key that lives as long as the test. */
export function testSealer(): Sealer {
  const key = randomBytes(32);
  return {
    seal(plain, purpose) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(purpose));
      const body = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64');
    },
    open(sealed, purpose) {
      const bytes = Buffer.from(sealed, 'base64');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12))
        .setAAD(Buffer.from(purpose))
        .setAuthTag(bytes.subarray(12, 28));
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
    },
  };
}

export interface FrontDoor extends AsyncDisposable {
  readonly url: string;
  readonly listening: Listening;
  readonly gateway: ReturnType<typeof createGateway>;
  readonly tokens: TokenService;
  readonly knobs: Knobs;
  readonly audit: AuditLine[];
  readonly logged: { readonly fields: object; readonly message: string }[];
  readonly clock: Clock & { offset: number };
}

/** Opens a gateway on a free port of this machine, with real parts but for identity and policies. */
export async function openFrontDoor(
  { limited, ...change }: Partial<GatewayOptions> & { readonly limited?: RateSettings } = {},
  listen: Partial<ListenOptions> = {},
): Promise<FrontDoor> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-gateway-'));
  const clock = { ...systemClock, offset: 0, now: () => Date.now() + clock.offset };
  const records = await openSqliteRecords({ file: join(folder, 'records.sqlite') }, systemClock);
  const tokens = new TokenService({ records, clock, sealer: testSealer(), issuer: 'slipway:test', region: REGION });
  const knobs: Knobs = {
    credentialsFail: false,
    authorizerFails: false,
    revoked: new Set(),
    refused: undefined,
    begun: 0,
    handled: 0,
  };
  const audit: AuditLine[] = [];
  const logged: { fields: object; message: string }[] = [];
  const keep = (fields: object, message: string): void => void logged.push({ fields, message });
  const credentials: Credentials = {
    async find(accessKeyId, sessionToken) {
      if (knobs.credentialsFail) throw new Error('the store is gone');
      if (accessKeyId === 'AKIAINACTIVE') return { refused: 'inactive' };
      if (accessKeyId === 'ASIAEXPIRED') return { refused: 'expired' };
      const found = Object.values(callers).find((caller) => caller.accessKeyId === accessKeyId);
      if (found === undefined) return { refused: 'unknown' };
      if (('sessionToken' in found ? found.sessionToken : undefined) !== sessionToken) return { refused: 'bad-token' };
      return { secret: found.secretAccessKey, principal: found.principal };
    },
  };
  const gateway = createGateway({
    dockerChallenge: 'basic',
    hosts: ['x'],
    services: services(knobs, tokens),
    web: [registry(knobs)],
    credentials,
    standing: { standing: async (principal) => !knobs.revoked.has(principal.id) },
    authorizer: {
      authorize: (principal, access, call) => {
        if (knobs.authorizerFails) throw new Error('the policies are gone');
        if (access.action === knobs.refused)
          return Promise.resolve({
            allowed: false,
            reason: `no identity-based policy allows the ${access.action} action`,
          });
        return grants.authorize(principal, access, call);
      },
      foresee: (principal, action) => {
        if (knobs.authorizerFails) throw new Error('the policies are gone');
        return grants.foresee(principal, action);
      },
    },
    tokens,
    clock,
    log: { info: keep, warn: keep, error: keep },
    ...unwatched(REGION, limited),
    audit: { write: (moment, { facts }) => void audit.push({ ...moment, ...facts }) },
    metrics: new Registry(),
    region: REGION,
    account: ACCOUNT,
    ...change,
  });
  const listening = await gateway.listen({ host: '127.0.0.1', port: 0, ...listen });
  return {
    url: listening.url,
    listening,
    gateway,
    tokens,
    knobs,
    audit,
    logged,
    clock,
    async [Symbol.asyncDispose]() {
      await gateway.close(100);
      await records.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
