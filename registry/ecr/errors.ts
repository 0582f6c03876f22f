import { AwsError, type Call, type Operation } from '@slipway/auth/contract';
import { MalformedPolicy } from '@slipway/auth/policy';
import { BlobStoreError } from '@slipway/storage/blobs';
import { StoreUnavailable } from '@slipway/storage/records';
import { ImagesError, type ImagesErrorCode } from '../images/index.ts';

/** The domain's refusals as the ECR API model names them. */
const exceptions: Readonly<Record<ImagesErrorCode, string>> = {
  RepositoryNameInvalid: 'InvalidParameterException',
  RepositoryNotFound: 'RepositoryNotFoundException',
  RepositoryAlreadyExists: 'RepositoryAlreadyExistsException',
  RepositoryNotEmpty: 'RepositoryNotEmptyException',
  RepositoryPolicyNotFound: 'RepositoryPolicyNotFoundException',
  LifecyclePolicyNotFound: 'LifecyclePolicyNotFoundException',
  RegistryPolicyNotFound: 'RegistryPolicyNotFoundException',
  TagInvalid: 'InvalidParameterException',
  DigestInvalid: 'InvalidParameterException',
  ManifestInvalid: 'InvalidParameterException',
  ManifestTooLarge: 'InvalidParameterException',
  ManifestNotFound: 'ImageNotFoundException',
  ManifestInUse: 'InvalidParameterException',
  PullRefused: 'LayerInaccessibleException',
  LayersNotFound: 'LayersNotFoundException',
  ReferencedImagesNotFound: 'ReferencedImagesNotFoundException',
  ImageTagAlreadyExists: 'ImageTagAlreadyExistsException',
  ImageDigestDoesNotMatch: 'ImageDigestDoesNotMatchException',
  BlobNotFound: 'LayersNotFoundException',
  BlobInUse: 'InvalidParameterException',
  BlobTooLarge: 'LimitExceededException',
  UploadNotFound: 'UploadNotFoundException',
  UploadRangeInvalid: 'InvalidLayerPartException',
  UploadSizeInvalid: 'InvalidLayerPartException',
  UploadDigestMismatch: 'InvalidLayerException',
  UploadEmpty: 'EmptyUploadException',
  UploadPartTooSmall: 'LayerPartTooSmallException',
  TooManyUploads: 'LimitExceededException',
  TooManyTags: 'LimitExceededException',
  TooManyImages: 'LimitExceededException',
  TooManyRepositories: 'LimitExceededException',
  PolicyInvalid: 'InvalidParameterException',
  LifecyclePolicyInvalid: 'InvalidParameterException',
};

export const invalidParameter = (message: string): AwsError => new AwsError('InvalidParameterException', message);

/** Any error in the words of the ECR API; what is none of ours stays as it is, and the gateway hides it. */
export function toAwsError(error: unknown): unknown {
  if (error instanceof ImagesError) return new AwsError(exceptions[error.code], error.message, { cause: error });
  if (error instanceof MalformedPolicy)
    return invalidParameter(
      `Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided': ${error.message}`,
    );
  if (error instanceof BlobStoreError || error instanceof StoreUnavailable) {
    return new AwsError('ServerException', 'The registry cannot use its storage right now. Try again.', {
      status: 503,
      cause: error,
    });
  }
  return error;
}

/** An operation whose refusals, those of its authorization included, come out in the words of the ECR API. */
export function operation<Input, Output>(definition: Operation<Input, Output>): Operation<Input, Output> {
  const { access, handle } = definition;
  return {
    ...definition,
    access: typeof access === 'function' ? (input, call) => translated(async () => access(input, call)) : access,
    handle: (input: Input, call: Call) => translated(() => handle(input, call)),
  };
}

async function translated<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw toAwsError(error);
  }
}
