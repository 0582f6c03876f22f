import { AwsError } from '@slipway/auth/contract';
import { requestTagKeys, requestTags, tagSentences, TagSet, tagList as listed } from '@slipway/auth/kit';

import { notFound } from '../../metrics/index.ts';
import type { AlarmRecord } from '../store/index.ts';
import { AlarmMissing } from '../store/index.ts';
import { type AlarmOperations, arnIn, mayOn, operation, type Scene } from './operation.ts';
import { nothing, required, struct, tagList, text, texts } from './shapes.ts';

export const alarmTags: TagSet = new TagSet({
  most: 50,
  refuse: ({ kind, key }) => new AwsError('InvalidParameterValueException', tagSentences[kind](key)),
});

const byArn = { ResourceARN: required(text) } as const;
/** `arn:aws:cloudwatch:<region>:<account>:alarm:<name>`; an ARN of anything else is asked for as it is, and then not found. */
const nameIn = (arn: string): string => /^arn:[^:]*:cloudwatch:[^:]*:\d*:alarm:(.+)$/.exec(arn)?.[1] ?? arn;

async function find(scene: Scene, arn: string): Promise<AlarmRecord> {
  const alarm = await scene.api.alarms.find(scene.account, nameIn(arn));
  if (alarm === undefined || arnIn(scene, alarm.name) !== arn) throw unknown(arn);
  return alarm;
}

const unknown = (arn: string): AwsError =>
  notFound(`There is no alarm ${arn.slice(0, 300)}. Alarms are what has tags here.`);

async function amend(scene: Scene, arn: string, change: (alarm: AlarmRecord) => AlarmRecord): Promise<object> {
  const { name } = await find(scene, arn);
  try {
    await scene.api.alarms.amend(scene.account, [name], change);
  } catch (error) {
    throw error instanceof AlarmMissing ? unknown(arn) : error;
  }
  return {};
}

/** Tags of alarms. */
export const tagOperations: AlarmOperations = {
  TagResource: operation({
    input: struct('TagResourceInput', { ...byArn, Tags: required(tagList) }),
    output: nothing,
    access: mayOn(
      'TagResource',
      ({ ResourceARN }) => [nameIn(ResourceARN)],
      ({ Tags }) => requestTags(Object.fromEntries(Tags.map(({ Key, Value }) => [Key, Value]))),
    ),
    handle: ({ ResourceARN, Tags }, scene) => {
      const added = alarmTags.parse(Tags);
      return amend(scene, ResourceARN, (alarm) => ({ ...alarm, tags: alarmTags.merge(alarm.tags, added) }));
    },
  }),
  UntagResource: operation({
    input: struct('UntagResourceInput', { ...byArn, TagKeys: required(texts) }),
    output: nothing,
    access: mayOn(
      'UntagResource',
      ({ ResourceARN }) => [nameIn(ResourceARN)],
      ({ TagKeys }) => requestTagKeys(TagKeys),
    ),
    handle: ({ ResourceARN, TagKeys }, scene) => {
      for (const key of TagKeys) alarmTags.checkKey(key);
      return amend(scene, ResourceARN, (alarm) => ({ ...alarm, tags: alarmTags.without(alarm.tags, TagKeys) }));
    },
  }),
  ListTagsForResource: operation({
    input: struct('ListTagsForResourceInput', byArn),
    output: struct('ListTagsForResourceOutput', { Tags: tagList }),
    access: mayOn('ListTagsForResource', ({ ResourceARN }) => [nameIn(ResourceARN)]),
    handle: async ({ ResourceARN }, scene) => ({ Tags: listed((await find(scene, ResourceARN)).tags) }),
  }),
};
