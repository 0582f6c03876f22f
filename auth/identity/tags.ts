import { TagSet, type TagProblem } from '../kit/index.ts';
import { invalidInput, limitExceeded } from './errors.ts';
import { quotas } from './limits.ts';

/** Tags as IAM and STS take them: two keys that differ in case only are one key. */
export const iamTags = new TagSet({
  most: quotas.tags,
  foldCase: true,
  refuse: ({ kind }) =>
    kind === 'too-many'
      ? limitExceeded(`Cannot exceed quota for TagsPerResource: ${quotas.tags}`)
      : invalidInput(sentences[kind]),
});

/** Characters and lengths of tags are constraints of the service model; what they let through is refused with these words. */
const sentences: Readonly<Record<Exclude<TagProblem['kind'], 'too-many'>, string>> = {
  reserved: 'Tag keys that start with "aws:" are reserved',
  duplicate: 'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
  'key-length': 'Tag keys have 1 to 128 characters',
  'key-characters': 'A tag key has characters that are not allowed',
  'value-length': 'Tag values have up to 256 characters',
  'value-characters': 'A tag value has characters that are not allowed',
};
