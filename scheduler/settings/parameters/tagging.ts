import { AwsError } from '@slipway/auth/contract';
import { requestTagKeys, requestTags, tagList, tagsAsSent, tagSentences, TagSet } from '@slipway/auth/kit';

import { mayOn, operation, type ParametersOperations, type Scene } from './operation.ts';
import type { ParameterRecord } from './records.ts';
import { nothing, required, struct, tags, text, texts } from './shapes.ts';

/** Tags of parameters. */
export const parameterTags: TagSet = new TagSet({
  most: 50,
  characters: /^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$/u,
  refuse: ({ kind, key }) =>
    new AwsError(kind === 'too-many' ? 'TooManyTagsError' : 'ValidationException', tagSentences[kind](key)),
});

const tagged = { ResourceType: required(text), ResourceId: required(text) } as const;
const named = ({ ResourceId }: { readonly ResourceId: string }): readonly string[] => [ResourceId];

/** Tags of parameters, which are called resources here. */
export const tagOperations: ParametersOperations = {
  AddTagsToResource: operation({
    input: struct('AddTagsToResourceRequest', { ...tagged, Tags: required(tags) }),
    output: nothing,
    access: mayOn('AddTagsToResource', named, ({ Tags }) => requestTags(tagsAsSent(Tags))),
    handle: async (input, scene) => {
      const added = parameterTags.parse(input.Tags);
      await retag(scene, input, (before) => parameterTags.merge(before, added));
      return {};
    },
  }),
  RemoveTagsFromResource: operation({
    input: struct('RemoveTagsFromResourceRequest', { ...tagged, TagKeys: required(texts) }),
    output: nothing,
    access: mayOn('RemoveTagsFromResource', named, ({ TagKeys }) => requestTagKeys(TagKeys)),
    handle: async (input, scene) => {
      for (const key of input.TagKeys) parameterTags.checkKey(key);
      await retag(scene, input, (before) => parameterTags.without(before, input.TagKeys));
      return {};
    },
  }),
  ListTagsForResource: operation({
    input: struct('ListTagsForResourceRequest', tagged),
    output: struct('ListTagsForResourceResult', { TagList: tags }),
    access: mayOn('ListTagsForResource', named),
    handle: async (input, scene) => ({ TagList: tagList((await find(scene, input)).tags) }),
  }),
};

interface Tagged {
  readonly ResourceType: string;
  readonly ResourceId: string;
}

/** @throws InvalidResourceType, InvalidResourceId */
async function find({ api, account }: Scene, { ResourceType: type, ResourceId: id }: Tagged): Promise<ParameterRecord> {
  if (type !== 'Parameter')
    throw new AwsError('InvalidResourceType', `There is no ${type} here: only parameters have tags (Parameter).`);
  const found = await api.parameters.find(account, id);
  if (found === undefined) throw new AwsError('InvalidResourceId', `There is no parameter ${id.slice(0, 200)}.`);
  return found;
}

async function retag(
  scene: Scene,
  input: Tagged,
  change: (before: ParameterRecord['tags']) => ParameterRecord['tags'],
): Promise<void> {
  const { name } = await find(scene, input);
  await scene.api.parameters.change(scene.account, name, (before) => ({ ...before, tags: change(before.tags) }));
}
