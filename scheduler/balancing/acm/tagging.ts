import { requestTagKeys, requestTags, tagList, tagsAsSent, type TagSet } from '@slipway/auth/kit';

import { tagsOf } from '../api/index.ts';

import { validation } from './errors.ts';
import { type AcmOperations, find, mayOn, operation, retag } from './operation.ts';
import { byArn, nothing, required, struct, tags } from './shapes.ts';

/** Tags as ACM takes them. */
export const acmTags: TagSet = tagsOf({
  usual: 'ValidationException',
  codes: { duplicate: 'InvalidTagException', reserved: 'InvalidTagException', 'too-many': 'TooManyTagsException' },
  sentences: {
    reserved: (key) => `Invalid Tag Key: "${key}". AWS internal tags cannot be changed with this API`,
    'too-many': () => 'A certificate has at most 50 tags.',
  },
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
      ({ Tags }) => requestTags(tagsAsSent(Tags)),
    ),
    change: ({ CertificateArn, Tags }, scene, draft) => {
      const record = find(scene, draft, CertificateArn);
      retag(draft, record, acmTags.merge(record.tags, acmTags.parse(some(Tags))));
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
      retag(
        draft,
        record,
        acmTags.without(
          record.tags,
          gone.map(({ Key }) => Key),
        ),
      );
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
