import { CreateOpenIDConnectProviderCommand, CreateRoleCommand } from '@aws-sdk/client-iam';
import { AssumeRoleWithWebIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { generateKeyPair, SignJWT } from 'jose';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FailingWay, failures, UnhandledRejections } from '../../outbound/testing/index.ts';
import { ACCOUNT, type Installation, openInstallation, REGION } from '../testing/installation.ts';

/** A provider whose issuer is `https://ci.example/NAME`; whatever its name, it publishes `keys`. */
let keys: unknown = [];
const server = createServer((request, response) => {
  const [, name = '', path = ''] = /^\/([^/]+)(.*)$/.exec(request.url ?? '') ?? [];
  const issuer = `https://ci.example/${name}`;
  response.end(JSON.stringify(path === '/keys' ? { keys } : { issuer, jwks_uri: `${issuer}/keys` }));
});

let way: FailingWay;
let installation: Installation;
let sts: STSClient;
let broken: (() => Promise<Response>) | undefined;
const unhandled = new UnhandledRejections();
let made = 0;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  way = await FailingWay.open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  installation = await openInstallation({
    fetch: (url, init) => broken?.() ?? fetch(url.replace('https://ci.example', way.url), init),
  });
  const credentials = { accessKeyId: '', secretAccessKey: '' };
  sts = new STSClient({ endpoint: installation.url, region: REGION, maxAttempts: 1, credentials });
});
afterAll(async () => {
  sts.destroy();
  await installation[Symbol.asyncDispose]();
  await way[Symbol.asyncDispose]();
  await new Promise((resolve) => server.close(resolve));
  unhandled[Symbol.dispose]();
});

/** A token of a provider that is new, so that nothing of it is known yet; asked for twice, the second time at once after the first. */
async function assumeTwice(): Promise<unknown[]> {
  const name = `p${++made}`;
  const issuer = `https://ci.example/${name}`;
  const iam = installation.iam();
  const provider = { Url: issuer, ClientIDList: ['sts.amazonaws.com'] };
  const { OpenIDConnectProviderArn: Federated } = await iam.send(new CreateOpenIDConnectProviderCommand(provider));
  const Statement = { Effect: 'Allow', Principal: { Federated }, Action: 'sts:AssumeRoleWithWebIdentity' };
  const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
  await iam.send(new CreateRoleCommand({ RoleName: name, AssumeRolePolicyDocument }));
  const { privateKey } = await generateKeyPair('ES256');
  const WebIdentityToken = await new SignJWT({})
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .setIssuer(issuer)
    .setAudience('sts.amazonaws.com')
    .setSubject('me')
    .setExpirationTime('5 minutes')
    .sign(privateKey);
  const RoleArn = `arn:aws:iam::${ACCOUNT}:role/${name}`;
  const command = { RoleArn, RoleSessionName: 'build', WebIdentityToken };
  const names: unknown[] = [];
  for (const _time of [1, 2])
    await sts.send(new AssumeRoleWithWebIdentityCommand(command)).catch((error: Error) => names.push(error.name));
  return names;
}

describe.each(['configuration', 'keys'])('a provider that, asked for its %s,', (what) => {
  test.each(failures)('%s is an IDPCommunicationError', async (failure) => {
    way.fail = (call) => (call.endsWith(what) ? failure : undefined);
    expect(await assumeTwice()).toEqual(['IDPCommunicationErrorException', 'IDPCommunicationErrorException']);
    expect(await unhandled.take()).toEqual([]);
  });
});

test.each([
  [
    'throws',
    () => {
      throw new TypeError('no way');
    },
  ],
  ['rejects with what is no error', () => Promise.reject('no way')],
])('a client that %s is one as well', async (_how, fails) => {
  broken = fails;
  expect(await assumeTwice()).toEqual(['IDPCommunicationErrorException', 'IDPCommunicationErrorException']);
  broken = undefined;
  expect(await unhandled.take()).toEqual([]);
});

test.each([[[null]], [['key']], [[[]]], [[{}]], [[{ kty: 'EC', kid: 'one', crv: 1 }]], [{}], ['none'], [null]])(
  'keys that are none (%j) are refused in words of IAM, each time',
  async (published) => {
    way.fail = () => undefined;
    keys = published;
    for (const refused of await assumeTwice())
      expect(refused).toMatch(/^(IDPCommunicationError|InvalidIdentityToken)Exception$/);
    expect(await unhandled.take()).toEqual([]);
  },
);
