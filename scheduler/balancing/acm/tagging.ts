import { AwsError } from '@slipway/auth/contract';
import { requestTagKeys, tagList, type TagProblem, TagSet } from '@slipway/auth/kit';

import { validation } from './errors.ts';
import { type AcmOperations, find, mayOn, operation, tagContext } from './operation.ts';
import { byArn, nothing, required, struct, tags } from './shapes.ts';

const sentences: Readonly<Record<TagProblem['kind'], (key: string) => string>> = {
  'key-length': () => 'Tag keys have 1 to 128 characters.',
  'key-characters': (key) => `Tag key '${key}' has characters that are not allowed.`,
  reserved: (key) => `Invalid Tag Key: "${key}". AWS internal tags cannot be changed with this API`,
  'value-length': (key) => `The value of tag '${key}' is longer than 256 characters.`,
  'value-characters': (key) => `The value of tag '${key}' has characters that are not allowed.`,
  duplicate: (key) => `The tag key '${key}' was specified more than once.`,
  'too-many': () => 'A certificate has at most 50 tags.',
};
const codes: Partial<Record<TagProblem['kind'], string>> = {
  duplicate: 'InvalidTagException',
  reserved: 'InvalidTagException',
  'too-many': 'TooManyTagsException',
};

/** Tags as ACM takes them. */
export const acmTags: TagSet = new TagSet({
  most: 50,
  characters: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u,
  refuse: ({ kind, key }) => new AwsError(codes[kind] ?? 'ValidationException', sentences[kind](key)),
});

const tagged = { ...byArn, Tags: required(tags) } as const;

/** Tags of certificates. */
export const tagOperations: AcmOperations = {
  AddTagsToCertificate: operation({
    input: struct('AddTagsToCertificateRequest', tagged),
    output: nothing,
    access: mayOn(
      'AddTagsToCertificate',
      ({ CertificateArn }) => CertificateArn,
      ({ Tags }) => tagContext(Tags),
    ),
    change: ({ CertificateArn, Tags }, scene, draft) => {
      const record = find(scene, draft, CertificateArn);
      draft.put('certificate', { ...record, tags: acmTags.merge(record.tags, acmTags.parse(some(Tags))) });
    },
    answer: () => ({}),
  }),
  RemoveTagsFromCertificate: operation({
    input: struct('RemoveTagsFromCertificateRequest', tagged),
    output: nothing,
    access: mayOn(
      'RemoveTagsFromCertificate',
      ({ CertificateArn }) => CertificateArn,
      ({ Tags }) => requestTagKeys(Tags.map(({ Key }) => Key)),
    ),
    change: ({ CertificateArn, Tags }, scene, draft) => {
      const record = find(scene, draft, CertificateArn);
      for (const { Key } of some(Tags)) acmTags.checkKey(Key);
      // One that is given with a value goes only where it has that value (ACM API reference).
      const gone = Tags.filter(({ Key, Value }) => Value === undefined || record.tags[Key] === Value);
      draft.put('certificate', {
        ...record,
        tags: acmTags.without(
          record.tags,
          gone.map(({ Key }) => Key),
        ),
      });
    },
    answer: () => ({}),
  }),
  ListTagsForCertificate: operation({
    input: struct('ListTagsForCertificateRequest', byArn),
    output: struct('ListTagsForCertificateResponse', { Tags: tags }),
    access: mayOn('ListTagsForCertificate', ({ CertificateArn }) => CertificateArn),
    read: ({ CertificateArn }, scene, balancing) => ({ Tags: tagList(find(scene, balancing, CertificateArn).tags) }),
  }),
};

function some<T>(given: readonly T[]): readonly T[] {
  if (given.length === 0) throw validation('Tags must be specified.');
  return given;
}
