import type { EncryptionConfiguration, ImageTagMutabilityExclusionFilter } from '@aws-sdk/client-ecr';
import { AwsError } from '@slipway/auth/contract';
import { TagSet } from '@slipway/auth/kit';
import type { RepositoryRecord, TagExclusion, TagMutability } from '../images/index.ts';
import { invalidParameter } from './errors.ts';

const mutabilities: readonly string[] = [
  'MUTABLE',
  'IMMUTABLE',
  'MUTABLE_WITH_EXCLUSION',
  'IMMUTABLE_WITH_EXCLUSION',
] satisfies TagMutability[];

/** Reads a repository's tag mutability; filters belong to the two forms with exclusions and to no other. */
export function mutabilityFrom(
  value: string | undefined,
  filters: readonly ImageTagMutabilityExclusionFilter[] | undefined,
): Pick<RepositoryRecord, 'tagMutability' | 'tagExclusions'> {
  const tagMutability = (value ?? 'MUTABLE') as TagMutability;
  if (!mutabilities.includes(tagMutability)) {
    throw invalidParameter(
      `Invalid parameter at 'imageTagMutability' failed to satisfy constraint: 'Member must satisfy enum value set: [${mutabilities.join(', ')}]'`,
    );
  }
  const excludes = tagMutability.endsWith('_WITH_EXCLUSION');
  if (excludes !== (filters !== undefined && filters.length > 0)) {
    throw invalidParameter(
      excludes
        ? `imageTagMutability ${tagMutability} needs 1 to 5 imageTagMutabilityExclusionFilters`
        : `imageTagMutabilityExclusionFilters need an imageTagMutability of MUTABLE_WITH_EXCLUSION or IMMUTABLE_WITH_EXCLUSION`,
    );
  }
  return excludes ? { tagMutability, tagExclusions: (filters ?? []).map(exclusionFrom) } : { tagMutability };
}

function exclusionFrom(
  filter: ImageTagMutabilityExclusionFilter,
  _position: number,
  all: readonly unknown[],
): TagExclusion {
  if (all.length > 5) throw invalidParameter('At most 5 imageTagMutabilityExclusionFilters are allowed');
  const text = filter.filter ?? '';
  if (filter.filterType !== 'WILDCARD' || !/^[0-9a-zA-Z._*-]{1,128}$/.test(text) || text.split('*').length > 3) {
    throw invalidParameter(
      "An exclusion filter is of type WILDCARD: 1 to 128 letters, digits, '.', '_', '-', and at most two '*'",
    );
  }
  return { filterType: 'WILDCARD', filter: text };
}

/** Layers are stored as they were pushed, whatever keys there are, so asking for another encryption is refused rather than noted. */
export function encryptionFrom(value: EncryptionConfiguration | undefined): RepositoryRecord['encryption'] {
  const encryptionType = value?.encryptionType ?? 'AES256';
  if (encryptionType !== 'AES256' || value?.kmsKey !== undefined) {
    throw new AwsError(
      'KmsException',
      'Layers are stored as they were pushed, and are not encrypted under keys of KMS: encrypt the disk or the bucket. Leave out ' +
        'encryptionConfiguration, or set encryptionType to AES256 (in Terraform encryption_type = "AES256").',
    );
  }
  return { encryptionType };
}

/** Tags as ECR takes them (ECR API reference, `Tag`). */
export const ecrTags: TagSet = new TagSet({
  most: 50,
  refuse({ kind, key }) {
    if (kind === 'too-many') return new AwsError('TooManyTagsException', 'A repository can have at most 50 tags');
    if (kind === 'duplicate')
      return new AwsError('InvalidTagParameterException', `The tag key '${key}' is given twice`);
    return new AwsError(
      'InvalidTagParameterException',
      "A tag's key has 1 to 128 characters and does not begin with 'aws:'; its value has at most 256 characters",
    );
  },
});
