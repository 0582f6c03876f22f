import {
  BatchDeleteImageCommand,
  BatchGetImageCommand,
  CreateRepositoryCommand,
  type ECRClient,
  PutImageCommand,
  PutRegistryPolicyCommand,
  SetRepositoryPolicyCommand,
} from '@aws-sdk/client-ecr';
import * as open from '@aws-sdk/client-ecr-public';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient, loggedIn } from '../testing/docker-client.ts';
import { pushImage } from '../testing/push-image.ts';
import { region, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';
import { newUser } from '../testing/users.ts';

const everything = (Effect: string): string =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: ['*', { AWS: '*' }].map((Principal) => ({ Effect, Principal, Action: 'ecr:*' })),
  });

let registry: ServedRegistry;
let ecr: ECRClient;
let digest: string;
const blob = Buffer.from('{"seed":"private"}');

beforeAll(async () => {
  registry = await serveRegistry({ dockerChallenge: 'bearer' });
  ecr = ecrClient(registry);
  digest = await pushImage(registry, ecr, 'closed/app', 'private', 'v1');
  const client = new open.ECRPUBLICClient({ endpoint: registry.url, region, credentials: registry.credentials });
  await client.send(new open.CreateRepositoryCommand({ repositoryName: 'open/app' }));
  client.destroy();
  await pushImage(registry, ecr, 'open/app', 'private', 'v1');
  for (const repositoryName of ['closed/app', 'open/app'])
    await ecr.send(new SetRepositoryPolicyCommand({ repositoryName, policyText: everything('Allow'), force: true }));
  const policyText = everything('Allow').replaceAll('"Action"', '"Resource":"*","Action"');
  await ecr.send(new PutRegistryPolicyCommand({ policyText }));
});
afterAll(async () => {
  ecr.destroy();
  await registry[Symbol.asyncDispose]();
  if (registry.failures.length > 0)
    throw new Error('the registry failed on its own account', { cause: registry.failures });
});

/** Every route of a repository, by verb; `reads` are those of a pull. */
const routes = (name: string) => {
  const upload = `${name}/blobs/uploads/00000000-0000-4000-8000-000000000000`;
  const reads = [`${name}/manifests/v1`, `${name}/manifests/${digest}`, `${name}/blobs/${sha256(blob)}`];
  return {
    reads: reads.flatMap((path) => [['GET', path] as const, ['HEAD', path] as const]),
    writes: [
      ['PUT', `${name}/manifests/v2`],
      ['DELETE', `${name}/manifests/v1`],
      ['DELETE', `${name}/manifests/${digest}`],
      ['DELETE', `${name}/blobs/${sha256(blob)}`],
      ['POST', `${name}/blobs/uploads/`],
      ['POST', `${name}/blobs/uploads/?digest=${sha256(blob)}`],
      ['POST', `${name}/blobs/uploads/?mount=${sha256(blob)}&from=closed/app`],
      ['GET', upload],
      ['PATCH', upload],
      ['PUT', `${upload}?digest=${sha256(blob)}`],
      ['DELETE', upload],
    ] as const,
  };
};

/** What anybody gets without a login, and with the token that `/token` gives to anybody. */
async function asStranger(method: string, path: string): Promise<number[]> {
  const [name] = /^(?:open|closed)\/app/.exec(path) ?? [''];
  const scope = encodeURIComponent(`repository:${name}:pull,push,delete`);
  const given = (await (await fetch(`${registry.url}/token?scope=${scope}`)).json()) as { token: string };
  const answers = await Promise.all(
    [{}, { authorization: `Bearer ${given.token}` }].map((headers) =>
      fetch(`${registry.url}/v2/${path}`, { method, headers, ...(method === 'PUT' ? { body: '{}' } : {}) }),
    ),
  );
  return answers.map(({ status }) => status);
}

describe('under policies that allow everything to `Principal: "*"`', () => {
  test('a stranger reaches no route of a private repository, with whatever verb', async () => {
    const { reads, writes } = routes('closed/app');
    for (const [method, path] of [...reads, ...writes, ['GET', 'closed/app/tags/list'] as const])
      expect([method, path, ...(await asStranger(method, path))]).toEqual([method, path, 401, 401]);
    expect((await fetch(`${registry.url}/v2/_catalog`)).status).toBe(401);
    expect((await fetch(`${registry.url}/v2/closed/app/referrers/${digest}`)).status).toBe(401);
  });

  test('of a public one a stranger pulls, and does nothing else', async () => {
    const { reads, writes } = routes('open/app');
    for (const [method, path] of reads)
      expect([method, path, ...(await asStranger(method, path))]).toEqual([method, path, 200, 200]);
    for (const [method, path] of writes)
      expect([method, path, ...(await asStranger(method, path))]).toEqual([method, path, 401, 401]);
  });

  test('unsigned calls of both ECR APIs are refused, for both kinds of repository', async () => {
    for (const repositoryName of ['closed/app', 'open/app'])
      for (const [target, type] of [
        ['AmazonEC2ContainerRegistry_V20150921', 'BatchGetImage'],
        ['AmazonEC2ContainerRegistry_V20150921', 'BatchDeleteImage'],
        ['AmazonEC2ContainerRegistry_V20150921', 'DeleteRepository'],
        ['AmazonEC2ContainerRegistry_V20150921', 'GetAuthorizationToken'],
        ['SpencerFrontendService', 'DescribeImages'],
        ['SpencerFrontendService', 'BatchDeleteImage'],
      ] as const) {
        const answer = await fetch(registry.url, {
          method: 'POST',
          headers: { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': `${target}.${type}` },
          body: JSON.stringify({ repositoryName, imageIds: [{ imageTag: 'v1' }] }),
        });
        const { __type } = (await answer.json()) as { __type: string };
        expect([type, answer.status, __type]).toEqual([type, 400, expect.stringMatching(/MissingAuthenticationToken/)]);
      }
  });

  test('whoever is logged in may do it all, by both ways, without a policy of its own', async () => {
    const credentials = await newUser(registry, 'somebody', [
      { Effect: 'Allow', Action: 'ecr:GetAuthorizationToken', Resource: '*' },
    ]);
    const client = ecrClient(registry, credentials);
    const http = await loggedIn(registry, credentials);
    const repositoryName = 'closed/app';
    expect((await http('GET', '/v2/closed/app/manifests/v1')).status).toBe(200);
    expect((await http('POST', '/v2/closed/app/blobs/uploads/')).status).toBe(202);
    const got = await client.send(new BatchGetImageCommand({ repositoryName, imageIds: [{ imageTag: 'v1' }] }));
    const imageManifest = got.images?.[0]?.imageManifest;
    await client.send(new PutImageCommand({ repositoryName, imageTag: 'v3', imageManifest }));
    const gone = await client.send(new BatchDeleteImageCommand({ repositoryName, imageIds: [{ imageTag: 'v3' }] }));
    expect(gone.failures).toEqual([]);
    client.destroy();
  });
});

test("a public repository's own policy takes pulls from everybody again", async () => {
  const repositoryName = 'open/app';
  await ecr.send(new SetRepositoryPolicyCommand({ repositoryName, policyText: everything('Deny'), force: true }));
  for (const [method, path] of routes('open/app').reads)
    expect([method, path, ...(await asStranger(method, path))]).toEqual([method, path, 401, 401]);
});

test('ECR takes a policy in which two statements have one Sid', async () => {
  const repositoryName = 'twice/named';
  await ecr.send(new CreateRepositoryCommand({ repositoryName }));
  const statement = { Sid: 'ReadWrite', Effect: 'Allow', Principal: '*', Action: 'ecr:*' };
  const policyText = JSON.stringify({ Version: '2012-10-17', Statement: [statement, statement] });
  const set = await ecr.send(new SetRepositoryPolicyCommand({ repositoryName, policyText }));
  expect(set.policyText).toBe(policyText);
});
