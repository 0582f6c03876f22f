import { AwsError, type ConditionContext } from '@slipway/auth/contract';
import { requestTagKeys, requestTags, tagSentences, TagSet, type Tags, type WireTag } from '@slipway/auth/kit';

import { groupMissing, invalid } from './errors.ts';
import { groupOfArn } from './names.ts';
import { type LogsOperations, mayTag, operation, type Scene } from './operation.ts';
import { byGroup, nothing, required, struct, tags, text, texts } from './shapes.ts';

/** Tags of log groups: at most 50, of letters, digits, spaces and `_.:/=+-@` (API reference, TagResource). */
export const logTags: TagSet = new TagSet({
  most: 50,
  characters: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u,
  refuse: ({ kind, key }) =>
    new AwsError(kind === 'too-many' ? 'TooManyTagsException' : 'InvalidParameterException', tagSentences[kind](key)),
});

export const wireTags = (given: Tags): WireTag[] => Object.entries(given).map(([key, value]) => ({ key, value }));

const byArn = { resourceArn: required(text) } as const;
const nameInArn = ({ resourceArn }: { readonly resourceArn: string }, scene: Scene): string =>
  groupOfArn(scene, resourceArn) ?? resourceArn;
const named = ({ logGroupName }: { readonly logGroupName: string }): string => logGroupName;
const setContext = (input: { readonly tags: Tags }): ConditionContext => requestTags(input.tags);

/** @throws ResourceNotFoundException for an ARN of something that has no tags here */
function groupOf(scene: Scene, resourceArn: string): string {
  const name = groupOfArn(scene, resourceArn);
  if (name !== undefined) return name;
  if (!resourceArn.startsWith('arn:')) throw invalid(`'${resourceArn.slice(0, 200)}' is not the ARN of a log group.`);
  throw groupMissing();
}

/** Tags of log groups, by their ARN, and by their name as older clients do. */
export const tagOperations: LogsOperations = {
  TagResource: operation({
    input: struct('TagResourceRequest', { ...byArn, tags: required(tags) }),
    output: nothing,
    access: mayTag('TagResource', nameInArn, setContext),
    handle: (input, scene) => add(scene, groupOf(scene, input.resourceArn), input.tags),
  }),
  UntagResource: operation({
    input: struct('UntagResourceRequest', { ...byArn, tagKeys: required(texts) }),
    output: nothing,
    access: mayTag('UntagResource', nameInArn, ({ tagKeys }) => requestTagKeys(tagKeys)),
    handle: (input, scene) => remove(scene, groupOf(scene, input.resourceArn), input.tagKeys),
  }),
  ListTagsForResource: operation({
    input: struct('ListTagsForResourceRequest', byArn),
    output: struct('ListTagsForResourceResponse', { tags }),
    access: mayTag('ListTagsForResource', nameInArn),
    handle: (input, scene) => shown(scene, groupOf(scene, input.resourceArn)),
  }),
  TagLogGroup: operation({
    input: struct('TagLogGroupRequest', { ...byGroup, tags: required(tags) }),
    output: nothing,
    access: mayTag('TagLogGroup', named, setContext),
    handle: (input, scene) => add(scene, input.logGroupName, input.tags),
  }),
  UntagLogGroup: operation({
    input: struct('UntagLogGroupRequest', { ...byGroup, tags: required(texts) }),
    output: nothing,
    access: mayTag('UntagLogGroup', named, (input) => requestTagKeys(input.tags)),
    handle: (input, scene) => remove(scene, input.logGroupName, input.tags),
  }),
  ListTagsLogGroup: operation({
    input: struct('ListTagsLogGroupRequest', byGroup),
    output: struct('ListTagsLogGroupResponse', { tags }),
    access: mayTag('ListTagsLogGroup', named),
    handle: (input, scene) => shown(scene, input.logGroupName),
  }),
};

async function add({ api, account }: Scene, name: string, given: Tags): Promise<object> {
  const added = logTags.parse(wireTags(given));
  await api.logs.changeGroup(account, name, (settings) => ({ ...settings, tags: logTags.merge(settings.tags, added) }));
  return {};
}

async function remove({ api, account }: Scene, name: string, keys: readonly string[]): Promise<object> {
  for (const key of keys) logTags.checkKey(key);
  await api.logs.changeGroup(account, name, (settings) => ({
    ...settings,
    tags: logTags.without(settings.tags, keys),
  }));
  return {};
}

async function shown({ api, account }: Scene, name: string): Promise<{ readonly tags: Tags }> {
  const group = await api.logs.group(account, name);
  if (group === undefined) throw groupMissing();
  return { tags: group.tags };
}
