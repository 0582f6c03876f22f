import {
  BatchCheckLayerAvailabilityCommand,
  CompleteLayerUploadCommand,
  CreateRepositoryCommand,
  type ECRClient,
  GetDownloadUrlForLayerCommand,
  InitiateLayerUploadCommand,
  UploadLayerPartCommand,
} from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient } from '../testing/docker-client.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';
import { uploadLayer } from './testing/push.ts';

let registry: ServedRegistry;
let ecr: ECRClient;
let made = 0;

beforeAll(async () => {
  registry = await serveRegistry();
  ecr = ecrClient(registry);
});
afterAll(async () => {
  ecr.destroy();
  await registry[Symbol.asyncDispose]();
  if (registry.failures.length > 0)
    throw new Error('the registry failed on its own account', { cause: registry.failures });
});

const newRepository = async (settings: object = {}): Promise<string> => {
  const repositoryName = `team/app-${++made}`;
  await ecr.send(new CreateRepositoryCommand({ repositoryName, ...settings }));
  return repositoryName;
};

test('InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload: parts in order, the last may be small', async () => {
  const repositoryName = await newRepository();
  const bytes = Buffer.alloc(6 * 1024 * 1024, 'layer');
  const { uploadId, partSize } = await ecr.send(new InitiateLayerUploadCommand({ repositoryName }));
  expect(partSize).toBe(10 * 1024 * 1024);
  const part = (from: number, to: number) =>
    ecr.send(
      new UploadLayerPartCommand({
        repositoryName,
        uploadId,
        partFirstByte: from,
        partLastByte: to - 1,
        layerPartBlob: bytes.subarray(from, to),
      }),
    );
  const half = 5 * 1024 * 1024;
  expect((await part(0, half)).lastByteReceived).toBe(half - 1);
  await expect(part(half + 1, half + 2)).rejects.toMatchObject({
    name: 'InvalidLayerPartException',
    lastValidByteReceived: half - 1,
    uploadId,
  });
  expect((await part(half, bytes.length)).lastByteReceived).toBe(bytes.length - 1);
  await expect(
    ecr.send(new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [sha256('other')] })),
  ).rejects.toMatchObject({ name: 'InvalidLayerException' });
  const done = await ecr.send(
    new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [sha256(bytes)] }),
  );
  expect(done).toMatchObject({ registryId: account, repositoryName, uploadId, layerDigest: sha256(bytes) });
  await expect(part(0, 1)).rejects.toMatchObject({ name: 'UploadNotFoundException' });
  await expect(uploadLayer(ecr, repositoryName, bytes)).rejects.toMatchObject({ name: 'LayerAlreadyExistsException' });
});

test('CompleteLayerUpload refuses an upload without parts, and one with a small part before the last', async () => {
  const repositoryName = await newRepository();
  const { uploadId } = await ecr.send(new InitiateLayerUploadCommand({ repositoryName }));
  const complete = () =>
    ecr.send(new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [sha256('ab')] }));
  await expect(complete()).rejects.toMatchObject({ name: 'EmptyUploadException' });
  for (const [at, text] of ['a', 'b'].entries()) {
    await ecr.send(
      new UploadLayerPartCommand({
        repositoryName,
        uploadId,
        partFirstByte: at,
        partLastByte: at,
        layerPartBlob: Buffer.from(text),
      }),
    );
  }
  await expect(complete()).rejects.toMatchObject({ name: 'LayerPartTooSmallException' });
});

test('BatchCheckLayerAvailability and GetDownloadUrlForLayer: the URL gives the bytes to whoever has it, and only those', async () => {
  const repositoryName = await newRepository();
  const bytes = Buffer.from('downloadable');
  const layerDigest = await uploadLayer(ecr, repositoryName, bytes);
  const { layers, failures } = await ecr.send(
    new BatchCheckLayerAvailabilityCommand({
      repositoryName,
      layerDigests: [layerDigest, sha256('absent'), 'nonsense'],
    }),
  );
  expect(layers).toEqual([
    { layerDigest, layerAvailability: 'AVAILABLE', layerSize: bytes.length },
    { layerDigest: sha256('absent'), layerAvailability: 'UNAVAILABLE' },
  ]);
  expect(failures).toEqual([
    { layerDigest: 'nonsense', failureCode: 'InvalidLayerDigest', failureReason: 'Invalid layer digest' },
  ]);
  const { downloadUrl } = await ecr.send(new GetDownloadUrlForLayerCommand({ repositoryName, layerDigest }));
  expect(await (await fetch(downloadUrl as string)).text()).toBe('downloadable');
  expect((await fetch((downloadUrl as string).replace(/..$/, 'AA'))).status).toBe(403);
  // R6: nor does anybody get it from what the server writes down.
  await expect.poll(() => registry.told()).toMatch(/"operation":"GET layer".*"status":403/);
  expect(await registry.told()).not.toContain(new URL(downloadUrl as string).pathname.slice(-40));
  await expect(
    ecr.send(new GetDownloadUrlForLayerCommand({ repositoryName, layerDigest: sha256('absent') })),
  ).rejects.toMatchObject({ name: 'LayersNotFoundException' });
});
