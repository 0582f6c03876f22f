/** Everything the registry refuses. Each client API translates these codes into its own words in one table. */
export type ImagesErrorCode =
  | 'RepositoryNameInvalid'
  | 'RepositoryNotFound'
  | 'RepositoryAlreadyExists'
  | 'RepositoryNotEmpty'
  | 'RepositoryPolicyNotFound'
  | 'LifecyclePolicyNotFound'
  | 'RegistryPolicyNotFound'
  | 'TagInvalid'
  | 'DigestInvalid'
  | 'ManifestInvalid'
  | 'ManifestTooLarge'
  | 'ManifestNotFound'
  | 'ManifestInUse'
  | 'PullRefused'
  | 'LayersNotFound'
  | 'ReferencedImagesNotFound'
  | 'ImageTagAlreadyExists'
  | 'ImageDigestDoesNotMatch'
  | 'BlobNotFound'
  | 'BlobInUse'
  | 'BlobTooLarge'
  | 'UploadNotFound'
  | 'UploadRangeInvalid'
  | 'UploadSizeInvalid'
  | 'UploadDigestMismatch'
  | 'UploadEmpty'
  | 'UploadPartTooSmall'
  | 'TooManyUploads'
  | 'TooManyTags'
  | 'TooManyImages'
  | 'TooManyRepositories'
  | 'PolicyInvalid'
  | 'LifecyclePolicyInvalid';

/** A refusal that is the caller's to see. Nothing was changed. */
export class ImagesError extends Error {
  override readonly name = 'ImagesError';
  readonly code: ImagesErrorCode;
  /** What a client may want to act on, e.g. the digests that are missing or the bytes received so far. */
  readonly detail: Readonly<Record<string, string | number | readonly string[]>>;
  constructor(code: ImagesErrorCode, message: string, detail: ImagesError['detail'] = {}) {
    super(message);
    this.code = code;
    this.detail = detail;
  }
}
