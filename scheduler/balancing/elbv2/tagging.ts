import { requestTagKeys, requestTags, tagList, tagsAsSent, type TagSet } from '@slipway/auth/kit';

import { tagsOf } from '../api/index.ts';
import type { Balancing, NamedType, Tags } from '../records/index.ts';

import { notFound, unsupported, validation } from './errors.ts';
import { may, mayOn, type ElbOperations, operation, reference, type Scene, someOf } from './operation.ts';
import { arnOfRecord, type NamedByArn, readArn, typeOf } from './names.ts';
import { list, nothing, required, struct, tags, text, texts } from './shapes.ts';

/** Tags as ELB takes them. */
export const elbTags: TagSet = tagsOf({
  usual: 'ValidationError',
  codes: { duplicate: 'DuplicateTagKeys', 'too-many': 'TooManyTags' },
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
        requestTags(tagsAsSent(Tags)),
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
    if (named === undefined) throw notFound(typeOf(arn));
    const record = balancing.get(named.type, named.id);
    if (record !== undefined) return [named.type, record];
    if (isDefaultRule(balancing, named)) throw unsupported('Tags on a default rule', 'Tag the listener.');
    throw notFound(named.type);
  });
}

const isDefaultRule = (balancing: Balancing, { type, id }: NamedByArn): boolean =>
  type === 'listener-rule' && balancing.all('listener').some(({ defaultRuleId }) => defaultRuleId === id);
