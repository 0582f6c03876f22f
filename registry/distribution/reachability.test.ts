import {
  BatchCheckLayerAvailabilityCommand,
  BatchGetImageCommand,
  GetDownloadUrlForLayerCommand,
  PutImageCommand,
} from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient, type Fetch } from '../testing/docker-client.ts';
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

describe('mounts and what a repository may serve', () => {
  test('M1: a blob of a repository the caller may not read does not exist for it', async () => {
    const secret = await push(admin, 'secret/app', 'secret layer');
    await push(guest, 'open/app', 'something');
    for (const method of ['GET', 'HEAD']) {
      expect((await guest(method, `/v2/open/app/blobs/${secret}`)).status).toBe(404);
      expect((await guest(method, `/v2/secret/app/blobs/${secret}`)).status).toBe(403);
    }
  });

  test('M2: mounting from a repository the caller may not pull starts an upload', async () => {
    const secret = await push(admin, 'secret/app', 'secret to mount');
    const response = await guest('POST', `/v2/open/app/blobs/uploads/?mount=${secret}&from=secret/app`);
    expect([response.status, response.headers.get('location')]).toEqual([
      202,
      expect.stringContaining('/v2/open/app/blobs/uploads/'),
    ]);
    expect((await guest('HEAD', `/v2/open/app/blobs/${secret}`)).status).toBe(404);
  });

  test('M3: mounting without a source works where the caller may pull the blob from somewhere, and only there', async () => {
    const secret = await push(admin, 'secret/app', 'secret without from');
    const shared = await push(guest, 'open/source', 'shared layer');
    expect((await guest('POST', `/v2/open/app/blobs/uploads/?mount=${secret}`)).status).toBe(202);
    expect((await guest('POST', `/v2/open/app/blobs/uploads/?mount=${shared}`)).status).toBe(201);
    expect((await guest('HEAD', `/v2/open/app/blobs/${shared}`)).headers.get('content-length')).toBe('12');
  });

  test('M4: a manifest is no way to read a blob that was never pushed here', async () => {
    const secret = await push(admin, 'secret/app', 'secret behind a manifest');
    expect(await codeOf(await putManifest(guest, 'open/app', 'steal', imageOf(secret, 24)))).toBe(
      '400 MANIFEST_BLOB_UNKNOWN',
    );
  });

  test('M5: referrers of a foreign digest are an empty list', async () => {
    const response = await guest('GET', `/v2/open/nowhere/referrers/${sha256('foreign')}`);
    expect([response.status, response.headers.get('content-type'), await response.json()]).toEqual([
      200,
      mediaTypes.ociIndex,
      { schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [] },
    ]);
  });

  test('M5: whatever names a foreign digest finds nothing: children, subjects, layers and images', async () => {
    const layer = await push(admin, 'secret/app', '{"m":5}');
    const image = imageOf(layer, 7);
    expect((await putManifest(admin, 'secret/app', 'v1', image)).status).toBe(201);
    await push(guest, 'open/app', 'something');
    const child = { mediaType: mediaTypes.ociManifest, digest: sha256(image), size: image.length };
    const index = JSON.stringify({ schemaVersion: 2, mediaType: mediaTypes.ociIndex, manifests: [child] });
    expect(await codeOf(await putManifest(guest, 'open/app', 'steal', index, mediaTypes.ociIndex))).toBe(
      '400 MANIFEST_BLOB_UNKNOWN',
    );
    const own = await push(guest, 'open/app', '{"own":5}');
    const known = await putManifest(guest, 'open/app', 'a', imageOf(own, 9, { subject: child }));
    const unknown = { ...child, digest: sha256('there is no such image') };
    const unknowing = await putManifest(guest, 'open/app', 'b', imageOf(own, 9, { subject: unknown }));
    // A subject elsewhere is answered like one that is nowhere.
    expect([known.status, unknowing.status]).toEqual([201, 201]);
    expect((await guest('GET', `/v2/open/app/manifests/${child.digest}`)).status).toBe(404);

    const key = await newUser(registry, 'ecr-guest', [
      { Effect: 'Allow', Action: 'ecr:*', Resource: 'arn:aws:ecr:*:*:repository/open/*' },
    ]);
    const ecr = ecrClient(registry, key);
    const repositoryName = 'open/app';
    const layers = await ecr.send(new BatchCheckLayerAvailabilityCommand({ repositoryName, layerDigests: [layer] }));
    expect(layers.layers).toEqual([{ layerDigest: layer, layerAvailability: 'UNAVAILABLE' }]);
    await expect(
      ecr.send(new GetDownloadUrlForLayerCommand({ repositoryName, layerDigest: layer })),
    ).rejects.toMatchObject({ name: 'LayersNotFoundException' });
    const got = await ecr.send(new BatchGetImageCommand({ repositoryName, imageIds: [{ imageDigest: child.digest }] }));
    expect([got.images, got.failures?.[0]?.failureCode]).toEqual([[], 'ImageNotFound']);
    await expect(
      ecr.send(new PutImageCommand({ repositoryName, imageManifest: image, imageTag: 'steal' })),
    ).rejects.toMatchObject({ name: 'LayersNotFoundException' });
    ecr.destroy();
  });

  test('M6: a blob deleted in one repository stays gone there while another has it', async () => {
    const digest = await push(admin, 'open/one', 'held twice');
    await push(admin, 'open/two', 'held twice');
    expect((await admin('GET', `/v2/open/one/blobs/${digest}`)).status).toBe(200);
    expect((await admin('DELETE', `/v2/open/one/blobs/${digest}`)).status).toBe(202);
    expect((await admin('HEAD', `/v2/open/two/blobs/${digest}`)).status).toBe(200);
    expect((await admin('GET', `/v2/open/one/blobs/${digest}`)).status).toBe(404);
    expect(await (await admin('GET', `/v2/open/two/blobs/${digest}`)).text()).toBe('held twice');
  });

  test('M7: bytes that exist elsewhere are still required and hashed in full', async () => {
    const digest = await push(admin, 'secret/app', 'exists already');
    const response = await guest('POST', `/v2/open/app/blobs/uploads/?digest=${digest}`, { body: 'not those bytes' });
    expect(await codeOf(response)).toBe('400 DIGEST_INVALID');
    expect((await guest('HEAD', `/v2/open/app/blobs/${digest}`)).status).toBe(404);
  });
});

test('with the account setting BLOB_MOUNTING off, a mount starts an upload', async () => {
  const digest = await push(admin, 'open/mount-source', 'mountable');
  const mount = async () =>
    (await admin('POST', `/v2/open/mount-target/blobs/uploads/?mount=${digest}&from=open/mount-source`)).status;
  const set = (value: string) =>
    registry.images.repositories.updateRegistry(account, (settings) => ({
      ...settings,
      settings: { ...settings.settings, BLOB_MOUNTING: value },
    }));
  await set('DISABLED');
  expect(await mount()).toBe(202);
  await set('ENABLED');
  expect(await mount()).toBe(201);
});
