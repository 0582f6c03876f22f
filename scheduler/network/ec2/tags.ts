import { AwsError } from '@slipway/auth/contract';
import { requestTagKeys, requestTags, rowsOf, tagsAsSent } from '@slipway/auth/kit';

import { type Network, type NounType, prefixes, type Tags } from '../records/index.ts';

import { invalidValue, missingParameter } from './errors.ts';
import { passing } from './filters.ts';
import { ec2Tags } from './noun.ts';
import { type Ec2Operations, may, mayList, operation, reference, type Scene } from './operation.ts';
import { as, filters, flag, list, nothing, number, required, struct, tag, text, texts } from './shapes.ts';

/** As EC2: so many things a request. */
const mostResources = 1000;

/** Tags of everything that has an id. */
export const tagOperations: Ec2Operations = {
  CreateTags: operation({
    input: struct('CreateTagsRequest', {
      Resources: required(as('ResourceId', texts)),
      Tags: required(as('Tag', list(tag))),
      DryRun: flag,
    }),
    output: nothing,
    access: ({ Resources, Tags: given }, scene, network) => [
      may(scene, 'CreateTags', refsOf(scene, network, Resources), requestTags(tagsAsSent(given))),
    ],
    change: ({ Resources, Tags: given }, _scene, draft) => {
      if (given.length === 0) throw missingParameter('Tag');
      const added = ec2Tags.parse(given);
      for (const id of checkedIds(Resources)) {
        const [type, record] = tagged(draft, id);
        draft.put(type, { ...record, tags: ec2Tags.merge(record.tags, added) } as never);
      }
      return {};
    },
  }),
  DeleteTags: operation({
    input: struct('DeleteTagsRequest', {
      Resources: required(as('ResourceId', texts)),
      Tags: as('Tag', list(tag)),
      DryRun: flag,
    }),
    output: nothing,
    access: ({ Resources, Tags: given = [] }, scene, network) => [
      may(scene, 'DeleteTags', refsOf(scene, network, Resources), requestTagKeys(given.map(({ Key = '' }) => Key))),
    ],
    change: ({ Resources, Tags: given }, _scene, draft) => {
      for (const { Key } of given ?? []) ec2Tags.checkKey(Key);
      for (const id of checkedIds(Resources)) {
        const [type, record] = tagged(draft, id);
        draft.put(type, { ...record, tags: remaining(record.tags, given) } as never);
      }
      return {};
    },
  }),
  DescribeTags: operation({
    input: struct('DescribeTagsRequest', { Filters: filters, MaxResults: number, NextToken: text, DryRun: flag }),
    output: struct('DescribeTagsResult', {
      Tags: as(
        'tagSet',
        list(struct('TagDescription', { Key: text, ResourceId: text, ResourceType: text, Value: text })),
      ),
      NextToken: text,
    }),
    access: mayList('DescribeTags'),
    read: async ({ Filters, MaxResults, NextToken }, scene, network) => {
      if (MaxResults !== undefined && (MaxResults < 5 || MaxResults > 1000))
        throw invalidValue(MaxResults, 'MaxResults', 'Expecting a value from 5 to 1000.');
      const passes = passing<TagRow>(Filters, {
        key: ({ key }) => key,
        value: ({ value }) => value,
        'resource-id': ({ id }) => id,
        'resource-type': ({ type }) => type,
      });
      const name = ['DescribeTags', Filters];
      const request = { maxResults: MaxResults, nextToken: NextToken };
      const after = await scene.api.pages.start(scene.account, name, request);
      const { items, nextToken } = await scene.api.pages.page(
        scene.account,
        name,
        request,
        rowsOf(allTags(network), ({ id, key }) => JSON.stringify([id, key]), after),
        (row) =>
          passes(row) ? { Key: row.key, ResourceId: row.id, ResourceType: row.type, Value: row.value } : undefined,
        { usual: 1000, most: 1000 },
      );
      return { Tags: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
};

interface TagRow {
  readonly id: string;
  readonly type: NounType;
  readonly key: string;
  readonly value: string;
}

const types = Object.keys(prefixes).filter((type) => type !== 'network-interface') as NounType[];

const allTags = (network: Network): TagRow[] =>
  types.flatMap((type) =>
    network.all(type).flatMap(({ id, tags }) => Object.entries(tags).map(([key, value]) => ({ id, type, key, value }))),
  );

/** The type of an id, by how it begins. */
const typeOf = (id: string): NounType | undefined => types.find((type) => id.startsWith(`${prefixes[type]}-`));

const refsOf = (scene: Scene, network: Network, ids: readonly string[]) =>
  ids.map((id) => reference(scene, network, typeOf(id) ?? 'vpc', id));

function checkedIds(ids: readonly string[]): readonly string[] {
  if (ids.length === 0) throw missingParameter('ResourceId');
  if (ids.length > mostResources)
    throw invalidValue(ids.length, 'ResourceId', `A request names at most ${mostResources} resources.`);
  return [...new Set(ids)];
}

/** @throws InvalidID */
function tagged(network: Network, id: string): readonly [NounType, { readonly id: string; readonly tags: Tags }] {
  const type = typeOf(id);
  const record = type && network.get(type, id);
  if (type === undefined || record === undefined)
    throw new AwsError(
      'InvalidID',
      `The ID '${id.slice(0, 100)}' is not valid: nothing here that can be tagged has it.`,
    );
  return [type, record];
}

/** Without tags all go; with a value, a tag goes only if it has that value. */
function remaining(
  tags: Tags,
  given: readonly { readonly Key?: string | undefined; readonly Value?: string | undefined }[] | undefined,
): Tags {
  if (given === undefined || given.length === 0) return {};
  return Object.fromEntries(
    Object.entries(tags).filter(
      ([key, value]) => !given.some((one) => one.Key === key && (one.Value === undefined || one.Value === value)),
    ),
  );
}
