import type { EncryptionConfiguration, ImageTagMutabilityExclusionFilter, Tag } from '@aws-sdk/client-ecr';
import { AwsError } from '@slipway/auth/contract';
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

/** Encryption with a key service cannot be offered here, so asking for it is refused rather than noted. */
export function encryptionFrom(value: EncryptionConfiguration | undefined): RepositoryRecord['encryption'] {
  const encryptionType = value?.encryptionType ?? 'AES256';
  if (encryptionType !== 'AES256' || value?.kmsKey !== undefined) {
    throw new AwsError(
      'KmsException',
      'There is no key management service here yet, so images cannot be encrypted under a key of it. Leave out ' +
        'encryptionConfiguration, or set encryptionType to AES256 (in Terraform encryption_type = "AES256").',
    );
  }
  return { encryptionType };
}

/** Reads resource tags within ECR's limits. */
export function tagsFrom(tags: readonly Tag[] | undefined): Record<string, string> {
  const result: Record<string, string> = {};
  for (const { Key: key, Value: value } of tags ?? []) {
    if (key === undefined || key.length < 1 || key.length > 128 || (value ?? '').length > 256 || /^aws:/i.test(key)) {
      throw new AwsError(
        'InvalidTagParameterException',
        "A tag's key has 1 to 128 characters and does not begin with 'aws:'; its value has at most 256 characters",
      );
    }
    if (Object.hasOwn(result, key))
      throw new AwsError('InvalidTagParameterException', `The tag key '${key}' is given twice`);
    Object.defineProperty(result, key, { value: value ?? '', enumerable: true, configurable: true, writable: true });
  }
  return limited(result);
}

export function limited(tags: Record<string, string>): Record<string, string> {
  if (Object.keys(tags).length > 50)
    throw new AwsError('TooManyTagsException', 'A repository can have at most 50 tags');
  return tags;
}
