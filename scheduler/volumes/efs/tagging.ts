import { requestTagKeys, requestTags, tagList, type Tags, tagsAsSent } from '@slipway/auth/kit';

import { toJson } from '../../state/index.ts';

import { badRequest, noAccessPoint, noFileSystem, notDone } from './errors.ts';
import { efsKeys } from './keys.ts';
import { access, type EfsApi, type EfsOperations, efsTags, mayList } from './options.ts';
import type { AccessPointRecord, FileSystemRecord } from './records.ts';

const accountPreference = {
  ResourceIdPreference: {
    ResourceIdType: 'LONG_ID',
    Resources: ['FILE_SYSTEM', 'MOUNT_TARGET'],
  },
} as const;

/** Tags of file systems and access points, and the preferences of an account, which has no choice. */
export function tagOperations(api: EfsApi): EfsOperations {
  const { fileSystems } = api;
  const isPoint = (account: string, text: string): boolean => fileSystems.idIn(account, text).startsWith('fsap-');
  const refOf = (account: string, text: string) =>
    isPoint(account, text) ? fileSystems.accessPointRef(account, text) : fileSystems.fileSystemRef(account, text);
  const change = (account: string, text: string, next: (tags: Tags) => Tags): Promise<void> =>
    fileSystems.transact(account, async (tx) => {
      const id = fileSystems.idIn(account, text);
      const point = isPoint(account, text);
      const key = point ? efsKeys.accessPoint(id) : efsKeys.fileSystem(id);
      const found = await tx.get<FileSystemRecord | AccessPointRecord>(key);
      if (found === undefined) throw point ? noAccessPoint(text) : noFileSystem(text);
      tx.put(key, toJson({ ...found, tags: next(found.tags) }));
    });
  return {
    TagResource: {
      access: async ({ ResourceId = '', Tags }, { account }) => [
        access('TagResource', await refOf(account, ResourceId), requestTags(tagsAsSent(Tags))),
      ],
      handle: async ({ ResourceId = '', Tags }, { account }) => {
        const added = efsTags.parse(Tags);
        await change(account, ResourceId, (tags) => efsTags.merge(tags, added));
        return {};
      },
    },
    UntagResource: {
      access: async ({ ResourceId = '', TagKeys }, { account }) => [
        access('UntagResource', await refOf(account, ResourceId), requestTagKeys(TagKeys)),
      ],
      handle: async ({ ResourceId = '', TagKeys = [] }, { account }) => {
        for (const key of TagKeys) efsTags.checkKey(key);
        await change(account, ResourceId, (tags) => efsTags.without(tags, TagKeys));
        return {};
      },
    },
    ListTagsForResource: {
      access: async ({ ResourceId = '' }, { account }) => [
        access('ListTagsForResource', await refOf(account, ResourceId)),
      ],
      handle: async ({ ResourceId = '', NextToken }, { account }) => {
        // All of them are one page.
        if (NextToken !== undefined) throw badRequest('The token is not one of this list.');
        const { tags } = isPoint(account, ResourceId)
          ? await fileSystems.accessPoint(account, ResourceId)
          : await fileSystems.fileSystem(account, ResourceId);
        return { Tags: tagList(tags) };
      },
    },
    DescribeAccountPreferences: {
      access: () => [mayList('DescribeAccountPreferences')],
      handle: () => Promise.resolve(structuredClone(accountPreference) as never),
    },
    PutAccountPreferences: {
      access: () => [mayList('PutAccountPreferences')],
      handle: ({ ResourceIdType }) => {
        if (ResourceIdType !== 'LONG_ID') throw notDone(`'${ResourceIdType ?? ''}'`, 'Ids are long; say LONG_ID.');
        return Promise.resolve(structuredClone(accountPreference) as never);
      },
    },
  };
}
