import type * as sdk from '@aws-sdk/client-ecr';
import { AwsError, type Call, type Operations } from '@slipway/auth/contract';
import { hasDirectAccess } from '@slipway/storage/blobs';
import { layerUrl } from '../distribution/index.ts';
import { ImagesError, isDigest, parseDigest, type UploadAddress } from '../images/index.ts';
import { invalidParameter, operation } from './errors.ts';
import { onRepository, type EcrPorts, targetOf } from './ports.ts';

/** All parts but the last (ECR service quotas). */
const minimumPart = 5 * 1024 * 1024;
const preferredPart = 10 * 1024 * 1024;
const largestPart = 20 * 1024 * 1024;

/** Operations that move layers. */
export function layerOperations(ports: EcrPorts) {
  const { images } = ports;
  const { repositories, blobs, uploads, manifests } = images;

  return {
    BatchCheckLayerAvailability: operation({
      access: onRepository(ports, 'BatchCheckLayerAvailability'),
      handle: async (input: sdk.BatchCheckLayerAvailabilityCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        const repository = await repositories.get(account, name);
        const digests = input.layerDigests ?? [];
        if (digests.length < 1 || digests.length > 100)
          throw invalidParameter("'layerDigests' must have 1 to 100 entries");
        const layers: sdk.Layer[] = [];
        const failures: sdk.LayerFailure[] = [];
        for (const layerDigest of digests) {
          if (!isDigest(layerDigest)) {
            failures.push({ layerDigest, failureCode: 'InvalidLayerDigest', failureReason: 'Invalid layer digest' });
            continue;
          }
          const { blob } = await blobs.look(account, name, layerDigest);
          // Who asks is about to push: the answer must stay true until the manifest comes.
          const available =
            blob !== undefined && (!blob.leaseDue || (await blobs.renew(account, repository, layerDigest)));
          if (available && (await manifests.isArchivedBlob(account, name, layerDigest))) {
            layers.push({ layerDigest, layerAvailability: 'ARCHIVED', layerSize: blob.size });
            continue;
          }
          layers.push(
            available
              ? { layerDigest, layerAvailability: 'AVAILABLE', layerSize: blob.size }
              : { layerDigest, layerAvailability: 'UNAVAILABLE' },
          );
        }
        return { layers, failures };
      },
    }),

    GetDownloadUrlForLayer: operation({
      access: onRepository(ports, 'GetDownloadUrlForLayer'),
      handle: async (input: sdk.GetDownloadUrlForLayerCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        const repository = await repositories.get(account, name);
        const layerDigest = parseDigest(input.layerDigest ?? '');
        const { blob } = await blobs.look(account, name, layerDigest);
        if (blob === undefined) {
          throw new AwsError(
            'LayersNotFoundException',
            `The layer with digest '${layerDigest}' could not be found in the repository with name '${name}' in registry with id '${account}'`,
          );
        }
        if (await manifests.isArchivedBlob(account, name, layerDigest))
          throw new AwsError(
            'LayerInaccessibleException',
            `The layer with digest '${layerDigest}' belongs to archived images only; restore one of them with UpdateImageStorageClass`,
          );
        const { arn: caller } = call.principal;
        const refusal = await ports.policy.blob({ account, repository, digest: layerDigest, caller });
        if (refusal) throw new AwsError('LayerInaccessibleException', refusal.reason);
        const store = images.ports.blobs;
        const downloadUrl = hasDirectAccess(store)
          ? await store.directUrl(blob, { expiresInSeconds: 300 })
          : await layerUrl(images, call.endpoint, { account, repository: name, digest: layerDigest, caller });
        return { downloadUrl, layerDigest };
      },
    }),

    InitiateLayerUpload: operation({
      access: onRepository(ports, 'InitiateLayerUpload'),
      handle: async (input: sdk.InitiateLayerUploadCommandInput, call) => {
        const { account, name } = targetOf(input, call);
        const { id } = await uploads.start(account, name, call.principal.id);
        return { uploadId: id, partSize: preferredPart };
      },
    }),

    UploadLayerPart: operation({
      access: onRepository(ports, 'UploadLayerPart'),
      // 20 MiB as base64.
      bodyBytes: 32 * 1024 * 1024,
      handle: async (input: sdk.UploadLayerPartCommandInput, call) => {
        const address = addressOf(input, call);
        const { account: registryId, repository: repositoryName, id: uploadId } = address;
        await repositories.get(registryId, repositoryName);
        const part = input.layerPartBlob ?? new Uint8Array();
        if (part.length > largestPart) throw invalidParameter(`A layer part has at most ${largestPart} bytes`);
        const range = { start: input.partFirstByte ?? 0, end: input.partLastByte ?? -1 };
        if (range.end - range.start + 1 !== part.length)
          throw invalidParameter("'partFirstByte' and 'partLastByte' do not agree with the size of 'layerPartBlob'");
        const { size } = await describing(address, () => uploads.append(address, one(part), range));
        return { registryId, repositoryName, uploadId, lastByteReceived: size - 1 };
      },
    }),

    CompleteLayerUpload: operation({
      access: onRepository(ports, 'CompleteLayerUpload'),
      handle: async (input: sdk.CompleteLayerUploadCommandInput, call) => {
        const address = addressOf(input, call);
        const { account: registryId, repository: repositoryName, id: uploadId } = address;
        await repositories.get(registryId, repositoryName);
        if (input.layerDigests?.length !== 1) throw invalidParameter("'layerDigests' must have exactly one entry");
        const layerDigest = parseDigest(input.layerDigests[0] ?? '');
        const { blob } = await blobs.look(registryId, repositoryName, layerDigest);
        await describing(address, () => uploads.finishParts(address, layerDigest, minimumPart));
        if (blob !== undefined) {
          throw new AwsError(
            'LayerAlreadyExistsException',
            `The image layer '${layerDigest}' already exists in the repository with name '${repositoryName}' in registry with id '${registryId}'`,
          );
        }
        return { registryId, repositoryName, uploadId, layerDigest };
      },
    }),
  } satisfies Operations<typeof sdk>;
}

const addressOf = (
  input: { registryId?: string | undefined; repositoryName?: string | undefined; uploadId?: string | undefined },
  call: Call,
): UploadAddress => {
  const { account, name } = targetOf(input, call);
  return { account, repository: name, id: input.uploadId ?? '', principal: call.principal.id };
};

async function* one(part: Uint8Array): AsyncGenerator<Uint8Array> {
  yield part;
}

/** Refusals of an upload name the upload, and the last byte that counts. */
async function describing<T>({ account, repository, id }: UploadAddress, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof ImagesError)) throw error;
    if (error.code === 'UploadNotFound') {
      throw new AwsError(
        'UploadNotFoundException',
        `An upload with ID '${id.slice(0, 64)}' could not be found in the repository with name '${repository}' in the registry with id '${account}'`,
      );
    }
    if (error.code !== 'UploadRangeInvalid') throw error;
    const lastValidByteReceived = Number(error.detail['size'] ?? 0) - 1;
    throw new AwsError('InvalidLayerPartException', error.message, {
      members: { registryId: account, repositoryName: repository, uploadId: id, lastValidByteReceived },
    });
  }
}
