import { AwsError } from '@slipway/auth/contract';
import { requestTagKeys, requestTags, tagList, type TagProblem, TagSet } from '@slipway/auth/kit';

import type { Balancing, NamedType, Tags } from '../records/index.ts';

import { notFound, unsupported, validation } from './errors.ts';
import { may, mayOn, type ElbOperations, operation, reference, type Scene, someOf } from './operation.ts';
import { arnOfRecord, type NamedByArn, readArn } from './names.ts';
import { list, nothing, required, struct, tags, text, texts } from './shapes.ts';

const sentences: Readonly<Record<TagProblem['kind'], (key: string) => string>> = {
  'key-length': () => 'Tag keys have 1 to 128 characters.',
  'key-characters': (key) => `Tag key '${key}' has characters that are not allowed.`,
  reserved: (key) => `Tag keys starting with 'aws:' are reserved for internal use: '${key}'`,
  'value-length': (key) => `The value of tag '${key}' is longer than 256 characters.`,
  'value-characters': (key) => `The value of tag '${key}' has characters that are not allowed.`,
  duplicate: (key) => `The tag key '${key}' was specified more than once.`,
  'too-many': () => 'A resource has at most 50 tags.',
};
const codes: Partial<Record<TagProblem['kind'], string>> = {
  duplicate: 'DuplicateTagKeys',
  'too-many': 'TooManyTags',
};

/** Tags as ELB takes them. */
export const elbTags: TagSet = new TagSet({
  most: 50,
  characters: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u,
  refuse: ({ kind, key }) => new AwsError(codes[kind] ?? 'ValidationError', sentences[kind](key)),
});

/** Members in the order of their names, as a text: to compare what requests ask for. */
export const inOrder = (members: object): string =>
  JSON.stringify(Object.entries(members).toSorted(([a], [b]) => (a < b ? -1 : 1)));

/** As ELB: so many resources a request. */
const mostResources = 20;

/** Tags of everything that has an ARN. */
export const tagOperations: ElbOperations = {
  AddTags: operation({
    input: struct('AddTagsInput', { ResourceArns: required(texts), Tags: required(tags) }),
    output: nothing,
    access: ({ ResourceArns, Tags }, scene, balancing) => [
      may(
        'AddTags',
        ResourceArns.map((arn) => reference(scene, balancing, arn)),
        requestTags(Object.fromEntries(Tags.map(({ Key = '', Value = '' }) => [Key, Value]))),
      ),
    ],
    change: ({ ResourceArns, Tags }, scene, draft) => {
      const added = elbTags.parse(someOf(Tags, 'Tags'));
      for (const [type, record] of taggedBy(scene, draft, ResourceArns))
        draft.put(type, { ...record, tags: elbTags.merge(record.tags, added) } as never);
    },
    answer: () => ({}),
  }),
  RemoveTags: operation({
    input: struct('RemoveTagsInput', { ResourceArns: required(texts), TagKeys: required(texts) }),
    output: nothing,
    access: ({ ResourceArns, TagKeys }, scene, balancing) => [
      may(
        'RemoveTags',
        ResourceArns.map((arn) => reference(scene, balancing, arn)),
        requestTagKeys(TagKeys),
      ),
    ],
    change: ({ ResourceArns, TagKeys }, scene, draft) => {
      for (const key of TagKeys) elbTags.checkKey(key);
      for (const [type, record] of taggedBy(scene, draft, ResourceArns))
        draft.put(type, { ...record, tags: elbTags.without(record.tags, TagKeys) } as never);
    },
    answer: () => ({}),
  }),
  DescribeTags: operation({
    input: struct('DescribeTagsInput', { ResourceArns: required(texts) }),
    output: struct('DescribeTagsOutput', {
      TagDescriptions: list(struct('TagDescription', { ResourceArn: text, Tags: tags })),
    }),
    access: mayOn('DescribeTags', ({ ResourceArns }) => ResourceArns),
    read: ({ ResourceArns }, scene, balancing) => ({
      TagDescriptions: taggedBy(scene, balancing, ResourceArns).map(([type, { id, tags: of }]) => ({
        ResourceArn: arnOfRecord(scene, balancing, { type, id }),
        Tags: tagList(of),
      })),
    }),
  }),
};

type Tagged = readonly [NamedType, { readonly id: string; readonly tags: Tags }];

/** What the ARNs of a request name, each once. @throws the error of the first that is not there */
function taggedBy(scene: Scene, balancing: Balancing, arns: readonly string[]): readonly Tagged[] {
  if (arns.length > mostResources) throw validation(`Up to ${mostResources} resources can be named in a request`);
  return [...new Set(someOf(arns, 'Resource ARNs'))].map((arn) => {
    const named = readArn(scene, arn);
    if (named === undefined) throw notFound(kindOf(arn));
    const record = balancing.get(named.type, named.id);
    if (record !== undefined) return [named.type, record];
    if (isDefaultRule(balancing, named)) throw unsupported('Tags on a default rule', 'Tag the listener.');
    throw notFound(named.type);
  });
}

const isDefaultRule = (balancing: Balancing, { type, id }: NamedByArn): boolean =>
  type === 'listener-rule' && balancing.all('listener').some(({ defaultRuleId }) => defaultRuleId === id);

/** What an ARN of another account or region would be of. */
const kindOf = (arn: string): NamedType => {
  const [type = ''] = arn.split(':').slice(5).join(':').split('/');
  return type === 'targetgroup' || type === 'listener' || type === 'listener-rule' ? type : 'loadbalancer';
};
