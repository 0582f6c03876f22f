import { requestTagKeys, requestTags, tagsAsSent, tagSentences, TagSet } from '@slipway/auth/kit';

import { invalidParameter, markedForDeletion } from './errors.ts';
import { find, mayOn, operation, type SecretsOperations } from './operation.ts';
import { byId, nothing, required, struct, tags, texts } from './shapes.ts';

/** Tags of secrets, in any characters. */
export const secretTags: TagSet = new TagSet({
  most: 50,
  refuse: ({ kind, key }) => invalidParameter(tagSentences[kind](key)),
});

/** Tags of secrets. */
export const tagOperations: SecretsOperations = {
  TagResource: operation({
    input: struct('TagResourceRequest', { ...byId, Tags: required(tags) }),
    output: nothing,
    access: mayOn('TagResource', ({ Tags }) => requestTags(tagsAsSent(Tags))),
    handle: async ({ SecretId, Tags }, scene) => {
      const added = secretTags.parse(Tags);
      await retag(scene, SecretId, (before) => secretTags.merge(before, added));
      return {};
    },
  }),
  UntagResource: operation({
    input: struct('UntagResourceRequest', { ...byId, TagKeys: required(texts) }),
    output: nothing,
    access: mayOn('UntagResource', ({ TagKeys }) => requestTagKeys(TagKeys)),
    handle: async ({ SecretId, TagKeys }, scene) => {
      for (const key of TagKeys) secretTags.checkKey(key);
      await retag(scene, SecretId, (before) => secretTags.without(before, TagKeys));
      return {};
    },
  }),
};

async function retag(
  scene: Parameters<typeof find>[0],
  id: string,
  change: (before: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
): Promise<void> {
  if ((await find(scene, id)).deletionAt !== undefined) throw markedForDeletion();
  await scene.api.secrets.change(scene.account, id, (secret) => ({ ...secret, tags: change(secret.tags) }));
}
