import { requestTagKeys, requestTags, rowsOf, TagSet, tagSentences } from '@slipway/auth/kit';
import type { AccessList, ConditionContext } from '@slipway/auth/contract';

import { type GroupTag, validation } from '../groups/index.ts';
import { passes } from './filters.ts';
import { type AutoScalingOperations, may, mayList, operation, reference, type Scene } from './operation.ts';
import { filters, nothing, type Of, paged, required, struct, tagDescriptions, tags, text } from './shapes.ts';

export type GroupTags = Of<typeof tags>;

const set = new TagSet({ most: 50, refuse: ({ kind, key }) => validation(tagSentences[kind](key)) });

/** Tags of a request for one group. @throws ValidationError */
export function checkedTags(given: GroupTags, group?: string): readonly GroupTag[] {
  for (const { ResourceType: type = 'auto-scaling-group', ResourceId: id = group } of given) {
    if (type !== 'auto-scaling-group') throw validation(`Invalid resource type for tag: ${type.slice(0, 100)}`);
    if (group !== undefined && id !== group)
      throw validation(`The tag is for ${(id ?? '').slice(0, 255)}, not for ${group}.`);
  }
  set.parse(given);
  return given.map(({ Key, Value = '', PropagateAtLaunch = false }) => ({
    key: Key,
    value: Value,
    propagate: PropagateAtLaunch,
  }));
}

/** The tags of a group as they are shown. */
export const tagsOf = ({
  name,
  tags: of,
}: {
  readonly name: string;
  readonly tags: readonly GroupTag[];
}): Of<typeof tagDescriptions> =>
  of.map(({ key, value, propagate }) => ({
    ResourceId: name,
    ResourceType: 'auto-scaling-group',
    Key: key,
    Value: value,
    PropagateAtLaunch: propagate,
  }));

/** What of a request's tags is for which group. @throws ValidationError without a group */
function byGroup(given: GroupTags): ReadonlyMap<string, GroupTags> {
  return Map.groupBy(given, ({ ResourceId: id }) => {
    if (id === undefined) throw validation('Each tag names its group as ResourceId.');
    return id;
  });
}

const access =
  (action: string, contextOf: (given: GroupTags) => ConditionContext) =>
  async ({ Tags: given }: { readonly Tags: GroupTags }, scene: Scene): Promise<AccessList> => {
    const refs = [];
    for (const name of new Set(given.map(({ ResourceId: id = '*' }) => id)))
      refs.push(reference(scene, await scene.api.groups.byName(scene.account, name), name));
    return [may(action, refs.length === 0 ? [{ arn: '*' }] : refs, contextOf(given))];
  };

/** Tags of groups. */
export const tagOperations: AutoScalingOperations = {
  CreateOrUpdateTags: operation({
    input: struct('CreateOrUpdateTagsType', { Tags: required(tags) }),
    output: nothing,
    access: access('CreateOrUpdateTags', (given) =>
      requestTags(Object.fromEntries(given.map(({ Key, Value = '' }) => [Key, Value]))),
    ),
    handle: async ({ Tags: given }, { api, account }) => {
      const changes = new Map(
        [...byGroup(given)].map(([name, some]) => {
          const added = checkedTags(some, name);
          return [
            name,
            (before: readonly GroupTag[]) => {
              const all = [...before.filter(({ key }) => !added.some((one) => one.key === key)), ...added];
              if (all.length > 50) throw validation(tagSentences['too-many'](''));
              return all;
            },
          ] as const;
        }),
      );
      await api.groups.changeTags(account, changes);
      return {};
    },
  }),
  DeleteTags: operation({
    input: struct('DeleteTagsType', { Tags: required(tags) }),
    output: nothing,
    access: access('DeleteTags', (given) => requestTagKeys(given.map(({ Key }) => Key))),
    handle: async ({ Tags: given }, { api, account }) => {
      const changes = new Map(
        [...byGroup(given)].map(
          ([name, some]) =>
            [
              name,
              (before: readonly GroupTag[]) =>
                before.filter(
                  ({ key, value }) => !some.some((one) => one.Key === key && (one.Value ?? value) === value),
                ),
            ] as const,
        ),
      );
      await api.groups.changeTags(account, changes);
      return {};
    },
  }),
  DescribeTags: operation({
    input: struct('TagsQuery', { Filters: filters, ...paged }),
    output: struct('TagsType', { Tags: tagDescriptions, NextToken: text }),
    access: mayList('DescribeTags'),
    handle: async ({ Filters, MaxRecords, NextToken }, { api, account }) => {
      const name = ['DescribeTags', Filters];
      const request = { maxResults: MaxRecords, nextToken: NextToken };
      const after = await api.pages.start(account, name, request);
      const rows = (await api.groups.list(account)).flatMap(tagsOf);
      const fits = passes<(typeof rows)[number]>(Filters, {
        'auto-scaling-group': ({ ResourceId }) => [ResourceId],
        key: ({ Key }) => [Key],
        value: ({ Value }) => [Value],
        'propagate-at-launch': ({ PropagateAtLaunch }) => [String(PropagateAtLaunch)],
      });
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rowsOf(
          rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
          keyOf,
          after,
        ),
        (row) => (fits(row) ? row : undefined),
      );
      return { Tags: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
};

const keyOf = ({
  ResourceId,
  Key,
}: {
  readonly ResourceId?: string | undefined;
  readonly Key?: string | undefined;
}): string => JSON.stringify([ResourceId, Key]);
