import {
  CompleteLayerUploadCommand,
  type ECRClient,
  InitiateLayerUploadCommand,
  PutImageCommand,
  UploadLayerPartCommand,
} from '@aws-sdk/client-ecr';
import { mediaTypes } from '../../images/index.ts';
import { sha256 } from '../../images/testing/index.ts';

/** Uploads a layer by the layer API, and returns its digest. */
export async function uploadLayer(ecr: ECRClient, repositoryName: string, bytes: Buffer): Promise<string> {
  const { uploadId } = await ecr.send(new InitiateLayerUploadCommand({ repositoryName }));
  await ecr.send(
    new UploadLayerPartCommand({
      repositoryName,
      uploadId,
      partFirstByte: 0,
      partLastByte: bytes.length - 1,
      layerPartBlob: bytes,
    }),
  );
  const { layerDigest } = await ecr.send(
    new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [sha256(bytes)] }),
  );
  return layerDigest as string;
}

/** Pushes a small image made of a seed by the ECR API alone. */
export async function putImage(
  ecr: ECRClient,
  repositoryName: string,
  seed: string,
  imageTag?: string,
  extra: object = {},
) {
  const config = Buffer.from(JSON.stringify({ seed }));
  const digest = await uploadLayer(ecr, repositoryName, config);
  const imageManifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: config.length },
    layers: [],
    ...extra,
  });
  const { image } = await ecr.send(new PutImageCommand({ repositoryName, imageManifest, imageTag }));
  return { imageManifest, imageDigest: image?.imageId?.imageDigest as string, config };
}
