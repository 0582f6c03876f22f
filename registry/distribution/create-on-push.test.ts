import { CreateRepositoryCommand, PutImageCommand } from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ecrClient, type Fetch, loggedIn } from '../testing/docker-client.ts';
import { codeOf, imageOf, openPlayground, type Playground, push, putManifest } from '../testing/playground.ts';
import { account, type ServedRegistry } from '../testing/serve-registry.ts';
import { newUser } from '../testing/users.ts';

let playground: Playground;
let registry: ServedRegistry;
let admin: Fetch;
let guest: Fetch;
beforeAll(async () => {
  playground = await openPlayground();
  ({ registry, admin, guest } = playground);
});
afterAll(() => playground[Symbol.asyncDispose]());

describe('create on push', () => {
  test('who may not create repositories is told so', async () => {
    expect(await codeOf(await guest('POST', '/v2/secret/new/blobs/uploads/'))).toBe('403 DENIED');
    const pusher = await loggedIn(
      registry,
      await newUser(registry, 'pusher', [
        {
          Effect: 'Allow',
          Action: [
            'ecr:GetAuthorizationToken',
            'ecr:InitiateLayerUpload',
            'ecr:UploadLayerPart',
            'ecr:CompleteLayerUpload',
            'ecr:PutImage',
          ],
          Resource: '*',
        },
      ]),
    );
    const refused = await pusher('POST', '/v2/pusher/new/blobs/uploads/');
    expect([refused.status, await refused.text()]).toEqual([403, expect.stringContaining('ecr:CreateRepository')]);
  });

  test('with the setting off, a push into a repository that is not there is refused', async () => {
    await registry.images.repositories.updateRegistry(account, (settings) => ({
      ...settings,
      createOnPush: false,
    }));
    expect(await codeOf(await admin('POST', '/v2/open/never-made/blobs/uploads/'))).toBe('404 NAME_UNKNOWN');
    await registry.images.repositories.updateRegistry(account, (settings) => ({
      ...settings,
      createOnPush: true,
    }));
  });
});

test("an image pushed by docker's API is the image the ECR API shows, and an immutable tag is refused in the words docker prints", async () => {
  const ecr = ecrClient(registry);
  await ecr.send(new CreateRepositoryCommand({ repositoryName: 'open/fixed', imageTagMutability: 'IMMUTABLE' }));
  const digest = await push(admin, 'open/fixed', '{"fixed":1}');
  expect((await putManifest(admin, 'open/fixed', 'v1', imageOf(digest, 11))).status).toBe(201);
  await expect(
    ecr.send(new PutImageCommand({ repositoryName: 'open/fixed', imageTag: 'v1', imageManifest: imageOf(digest, 11) })),
  ).rejects.toMatchObject({ name: 'ImageAlreadyExistsException' });
  expect((await putManifest(admin, 'open/fixed', 'v1', imageOf(digest, 11))).status).toBe(201);
  const refused = await putManifest(admin, 'open/fixed', 'v1', imageOf(digest, 11, { annotations: { other: 'yes' } }));
  expect([refused.status, await refused.text()]).toEqual([
    400,
    expect.stringContaining('cannot be overwritten because the tag is immutable'),
  ]);
  ecr.destroy();
});
