import { CreateOpenIDConnectProviderCommand, CreateRoleCommand, PutRolePolicyCommand } from '@aws-sdk/client-iam';
import {
  AssumeRoleWithWebIdentityCommand,
  type AssumeRoleWithWebIdentityCommandInput,
  GetCallerIdentityCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ACCOUNT, type Installation, openInstallation, REGION } from '../testing/installation.ts';

const issuer = 'https://ci.example/org';
const audience = 'sts.amazonaws.com';
const subject = 'repo:team-a/web:ref:refs/heads/main';

type Signer = Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];

/** A small identity provider; the fetch that is handed in leads its https:// name to a server of this machine. */
const provider = { keys: [] as object[], requests: [] as string[], configuration: {} as object, huge: false };
const server = createServer((request, response) => {
  provider.requests.push(request.url ?? '');
  if (provider.huge) response.end(`{"pad":"${'x'.repeat(1_000_000)}"}`);
  else if (request.url === '/org/.well-known/openid-configuration')
    response.end(JSON.stringify(provider.configuration));
  else if (request.url === '/org/keys') response.end(JSON.stringify({ keys: provider.keys }));
  else response.writeHead(404).end();
});

let installation: Installation;
let sts: STSClient;
let signer: Signer;
let roleArn: string;

async function newKey(kid: string): Promise<Signer> {
  const pair = await generateKeyPair('RS256', { extractable: true });
  provider.keys.push({ ...(await exportJWK(pair.publicKey)), kid, alg: 'RS256', use: 'sig' });
  return pair.privateKey;
}

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  installation = await openInstallation({
    fetch: (url, init) => fetch(url.replace('https://ci.example', `http://127.0.0.1:${port}`), init),
  });
  signer = await newKey('first');
  const iam = installation.iam();
  const made = await iam.send(new CreateOpenIDConnectProviderCommand({ Url: issuer, ClientIDList: [audience] }));
  const trust = {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Federated: made.OpenIDConnectProviderArn },
        Action: 'sts:AssumeRoleWithWebIdentity',
        Condition: {
          StringEquals: { 'ci.example/org:aud': audience },
          StringLike: { 'ci.example/org:sub': 'repo:team-a/*' },
        },
      },
    ],
  };
  const { Role } = await iam.send(
    new CreateRoleCommand({ RoleName: 'ci-push', AssumeRolePolicyDocument: JSON.stringify(trust) }),
  );
  roleArn = Role?.Arn ?? '';
  const push = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'ecr:*', Resource: '*' }] };
  await iam.send(
    new PutRolePolicyCommand({ RoleName: 'ci-push', PolicyName: 'push', PolicyDocument: JSON.stringify(push) }),
  );
  // CI systems have no key: the operation is called unsigned.
  sts = new STSClient({
    endpoint: installation.url,
    region: REGION,
    maxAttempts: 1,
    credentials: { accessKeyId: '', secretAccessKey: '' },
  });
});

afterAll(async () => {
  sts.destroy();
  await installation[Symbol.asyncDispose]();
  await new Promise((resolve) => server.close(resolve));
});

beforeEach(() => {
  provider.configuration = { issuer, jwks_uri: `${issuer}/keys` };
  provider.requests.length = 0;
  provider.huge = false;
});

interface TokenChange {
  readonly iss?: string;
  readonly aud?: string | string[];
  readonly sub?: string;
  readonly exp?: string | number;
  readonly kid?: string;
  readonly key?: Signer | Uint8Array;
  readonly alg?: string;
  readonly more?: Record<string, unknown>;
}

function token(change: TokenChange = {}): Promise<string> {
  return new SignJWT({ repository: 'team-a/web', ...change.more })
    .setProtectedHeader({ alg: change.alg ?? 'RS256', kid: change.kid ?? 'first' })
    .setIssuer(change.iss ?? issuer)
    .setAudience(change.aud ?? audience)
    .setSubject(change.sub ?? subject)
    .setIssuedAt()
    .setExpirationTime(change.exp ?? '5 minutes')
    .sign(change.key ?? signer);
}

const assume = async (change: TokenChange = {}, more: Partial<AssumeRoleWithWebIdentityCommandInput> = {}) =>
  sts.send(
    new AssumeRoleWithWebIdentityCommand({
      RoleArn: roleArn,
      RoleSessionName: 'build-1',
      WebIdentityToken: await token(change),
      ...more,
    }),
  );

test('a token of a trusted provider becomes a session of the role', async () => {
  const answer = await assume();
  expect(answer).toMatchObject({
    SubjectFromWebIdentityToken: subject,
    Audience: audience,
    Provider: `arn:aws:iam::${ACCOUNT}:oidc-provider/ci.example/org`,
    AssumedRoleUser: { Arn: `arn:aws:sts::${ACCOUNT}:assumed-role/ci-push/build-1` },
  });
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken = '' } = answer.Credentials ?? {};
  const key = { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
  const identity = await installation.sts(key).send(new GetCallerIdentityCommand({}));
  expect(identity.Arn).toBe(answer.AssumedRoleUser?.Arn);
});

test('keys are fetched once for many tokens, and again when the provider has rotated them', async () => {
  await assume();
  provider.requests.length = 0;
  await Promise.all([assume(), assume(), assume()]);
  expect(provider.requests).toEqual([]);
});

describe('refused', () => {
  test.each<[string, TokenChange, string]>([
    ['another audience', { aud: 'somebody-else' }, 'InvalidIdentityTokenException'],
    ['another subject', { sub: 'repo:team-b/web' }, 'AccessDenied'],
    ['an unknown issuer', { iss: 'https://evil.example' }, 'InvalidIdentityTokenException'],
    ['an issuer without TLS', { iss: 'http://ci.example/org' }, 'InvalidIdentityTokenException'],
    ['an expired token', { exp: 1_700_000_000 }, 'ExpiredTokenException'],
    ['J1 a symmetric algorithm', { alg: 'HS256', key: new Uint8Array(32) }, 'InvalidIdentityTokenException'],
    ['an unknown key', { kid: 'unknown' }, 'InvalidIdentityTokenException'],
  ])('%s', async (_what, change, name) => {
    await expect(assume(change)).rejects.toMatchObject({ name });
  });

  test('a token signed by somebody else', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    await expect(assume({ key: privateKey })).rejects.toMatchObject({ name: 'InvalidIdentityTokenException' });
  });

  test('a text that is no token, without any request', async () => {
    await expect(assume({}, { WebIdentityToken: 'not.a.token' })).rejects.toMatchObject({
      name: 'InvalidIdentityTokenException',
    });
    expect(provider.requests).toEqual([]);
  });

  test('a role that does not exist, as one that does not trust', async () => {
    const missing = assume({}, { RoleArn: `${roleArn}-missing` });
    await expect(missing).rejects.toMatchObject({
      name: 'AccessDenied',
      message: 'Not authorized to perform sts:AssumeRoleWithWebIdentity',
    });
  });

  test('J14 a flood of unknown key ids does not become a flood of requests', async () => {
    await Promise.allSettled(Array.from({ length: 20 }, (_, index) => assume({ kid: `unknown-${index}` })));
    expect(provider.requests.length).toBeLessThanOrEqual(2);
  });
});

test('a provider that answers nonsense is reported as such', async () => {
  const iam = installation.iam();
  await iam.send(new CreateOpenIDConnectProviderCommand({ Url: 'https://ci.example/gone', ClientIDList: [audience] }));
  await expect(assume({ iss: 'https://ci.example/gone' })).rejects.toMatchObject({
    name: 'IDPCommunicationErrorException',
    message: expect.stringContaining('answered 404'),
  });
  provider.huge = true;
  await expect(assume({ iss: 'https://ci.example/gone' })).rejects.toMatchObject({
    name: 'IDPCommunicationErrorException',
  });
});

test('a rotated key works after the cooldown, without a restart', async () => {
  const rotated = await newKey('second');
  installation.clock.monotonic = () => performance.now() + 60_000;
  expect((await assume({ kid: 'second', key: rotated })).SubjectFromWebIdentityToken).toBe(subject);
});
