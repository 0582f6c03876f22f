import { AwsError } from '@slipway/auth/contract';
import { requestTagKeys, requestTags, type Tags, tagSentences, TagSet, type WireTag } from '@slipway/auth/kit';

import { checkNotPending, findOwn, type KeysOperations, mayOn, operation, type Scene } from './operation.ts';
import { byKey, nothing, page, pageAnswer, required, struct, tags, texts } from './shapes.ts';

/** Tags of keys, in any characters. */
export const keyTags: TagSet = new TagSet({
  most: 50,
  refuse: ({ kind, key }) => new AwsError('TagException', tagSentences[kind](key)),
});

export const wireTags = (
  given: readonly { readonly TagKey: string; readonly TagValue: string }[] | undefined,
): WireTag[] => (given ?? []).map(({ TagKey, TagValue }) => ({ Key: TagKey, Value: TagValue }));

/** Tags as a request writes them, unchecked. */
export const tagsSent = (given: readonly { readonly TagKey: string; readonly TagValue: string }[] | undefined): Tags =>
  Object.fromEntries((given ?? []).map(({ TagKey, TagValue }) => [TagKey, TagValue]));

/** Tags of keys. */
export const tagOperations: KeysOperations = {
  TagResource: operation({
    input: struct('TagResourceRequest', { ...byKey, Tags: required(tags) }),
    output: nothing,
    access: mayOn('TagResource', ({ Tags }) => requestTags(tagsSent(Tags))),
    handle: async ({ KeyId, Tags }, scene) => {
      const added = keyTags.parse(wireTags(Tags));
      await retag(scene, KeyId, (before) => keyTags.merge(before, added));
      return {};
    },
  }),
  UntagResource: operation({
    input: struct('UntagResourceRequest', { ...byKey, TagKeys: required(texts) }),
    output: nothing,
    access: mayOn('UntagResource', ({ TagKeys }) => requestTagKeys(TagKeys)),
    handle: async ({ KeyId, TagKeys }, scene) => {
      for (const key of TagKeys) keyTags.checkKey(key);
      await retag(scene, KeyId, (before) => keyTags.without(before, TagKeys));
      return {};
    },
  }),
  ListResourceTags: operation({
    input: struct('ListResourceTagsRequest', { ...byKey, ...page }),
    output: struct('ListResourceTagsResponse', { Tags: tags, ...pageAnswer }),
    access: mayOn('ListResourceTags'),
    handle: async ({ KeyId }, scene) => {
      // At most fifty, so there is one page of them whatever size is asked for.
      const { key } = await findOwn(scene, KeyId);
      return { Tags: Object.entries(key.tags).map(([TagKey, TagValue]) => ({ TagKey, TagValue })), Truncated: false };
    },
  }),
};

async function retag(scene: Scene, id: string, change: (before: Tags) => Tags): Promise<void> {
  const { account, key } = await findOwn(scene, id);
  await scene.api.keys.change(account, key.id, (before) => {
    checkNotPending(scene, before);
    return { ...before, tags: change(before.tags) };
  });
}
