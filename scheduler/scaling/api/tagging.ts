import { AwsError } from '@slipway/auth/contract';
import { parseArn, requestTagKeys, requestTags, type Row, tagSentences, TagSet } from '@slipway/auth/kit';

import type { ServiceRef } from '../../services/index.ts';
import { changeTags, scalingKeys, targetId, type TargetRecord } from '../targets/index.ts';
import { operation, rowsOver, type Scene, type ScalingOperations } from './operation.ts';
import { nothing, required, struct, tags, text, texts } from './shapes.ts';

/** Tags of scalable targets: at most 50 (API reference, TagResource). */
export const scalingTags: TagSet = new TagSet({
  most: 50,
  refuse: ({ kind, key }) =>
    new AwsError(kind === 'too-many' ? 'TooManyTagsException' : 'ValidationException', tagSentences[kind](key)),
});

const byArn = { ResourceARN: required(text) } as const;

const mayTag =
  <I extends { readonly ResourceARN: string }>(
    action: string,
    contextOf: (input: NoInfer<I>) => ReturnType<typeof requestTags> = () => ({}),
  ) =>
  async (input: I, scene: Scene) => {
    const found = await targetByArn(scene, input.ResourceARN);
    const resource = { arn: input.ResourceARN, ...(found === undefined ? {} : { tags: found.record.tags }) };
    return [{ action: `application-autoscaling:${action}`, resources: [resource], context: contextOf(input) }] as const;
  };

/** Tags of scalable targets, by their ARN. */
export const tagOperations: ScalingOperations = {
  TagResource: operation({
    input: struct('TagResourceRequest', { ...byArn, Tags: required(tags) }),
    output: nothing,
    access: mayTag('TagResource', ({ Tags }) => requestTags(Tags)),
    handle: async (input, scene) => {
      const added = scalingTags.parse(Object.entries(input.Tags).map(([key, value]) => ({ key, value })));
      await changeTags(scene.api, (await require(scene, input.ResourceARN)).ref, (before) =>
        scalingTags.merge(before, added),
      );
      return {};
    },
  }),
  UntagResource: operation({
    input: struct('UntagResourceRequest', { ...byArn, TagKeys: required(texts) }),
    output: nothing,
    access: mayTag('UntagResource', ({ TagKeys }) => requestTagKeys(TagKeys)),
    handle: async (input, scene) => {
      for (const key of input.TagKeys) scalingTags.checkKey(key);
      const { ref } = await require(scene, input.ResourceARN);
      await changeTags(scene.api, ref, (before) => scalingTags.without(before, input.TagKeys));
      return {};
    },
  }),
  ListTagsForResource: operation({
    input: struct('ListTagsForResourceRequest', byArn),
    output: struct('ListTagsForResourceResponse', { Tags: tags }),
    access: mayTag('ListTagsForResource'),
    handle: async (input, scene) => ({ Tags: (await require(scene, input.ResourceARN)).record.tags }),
  }),
};

interface Found {
  readonly ref: ServiceRef;
  readonly record: TargetRecord;
}

async function require(scene: Scene, arn: string): Promise<Found> {
  const found = await targetByArn(scene, arn);
  if (found === undefined)
    throw new AwsError('ResourceNotFoundException', `No scalable target found for the ARN ${arn.slice(0, 200)}`);
  return found;
}

/** The target of an ARN: ids say nothing, so targets are gone through. */
async function targetByArn(scene: Scene, arn: string): Promise<Found | undefined> {
  const { account, region } = scene;
  const parsed = parseArn(arn);
  if (parsed?.service !== 'application-autoscaling' || parsed.region !== region || parsed.account !== account)
    return undefined;
  const rows: AsyncIterable<Row<{ readonly cluster: string; readonly record: TargetRecord }>> = rowsOver(
    scene,
    scalingKeys.targets,
    undefined,
  );
  for await (const { value } of rows) {
    const ref = { account, cluster: value.cluster, service: value.record.service };
    if (parsed.resource === `scalable-target/${targetId(ref)}`) return { ref, record: value.record };
  }
  return undefined;
}
