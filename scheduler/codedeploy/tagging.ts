import type { Tags } from '@slipway/auth/kit';
import { requestTagKeys, tagList } from '@slipway/auth/kit';
import { transact } from '@slipway/storage/records';

import { toJson } from '../state/index.ts';

import { noApplication, noGroup } from './errors.ts';
import { codeDeployKeys, codeDeployPartition } from './keys.ts';
import { type Named, readArn } from './names.ts';
import { access, type CodeDeployApi, type CodeDeployOperations, codeDeployTags, placeOf } from './options.ts';
import type { ApplicationRecord, GroupRecord } from './records.ts';
import { application, group } from './store.ts';

/** TagResource, UntagResource and ListTagsForResource, of applications and deployment groups. */
export function tagOperations(api: CodeDeployApi): CodeDeployOperations {
  const change = (account: string, named: Named, next: (tags: Tags) => Tags): Promise<void> =>
    transact(api.records, codeDeployPartition(account), async (tx) => {
      const key =
        named.kind === 'application'
          ? codeDeployKeys.application(named.application)
          : codeDeployKeys.group(named.application, named.group);
      const found = await tx.get<ApplicationRecord | GroupRecord>(key);
      if (found === undefined) throw named.kind === 'group' ? noGroup(named.group) : noApplication(named.application);
      tx.put(key, toJson({ ...found, tags: next(found.tags) }));
    });
  return {
    TagResource: {
      access: ({ ResourceArn = '', Tags }) => [access('TagResource', ResourceArn, Tags)],
      handle: async ({ ResourceArn, Tags }, call) => {
        const named = readArn(placeOf(api, call), ResourceArn);
        const added = codeDeployTags.parse(Tags);
        await change(call.account, named, (tags) => codeDeployTags.merge(tags, added));
        return {};
      },
    },
    UntagResource: {
      access: ({ ResourceArn = '', TagKeys }) => [
        { action: 'codedeploy:UntagResource', resources: [{ arn: ResourceArn }], context: requestTagKeys(TagKeys) },
      ],
      handle: async ({ ResourceArn, TagKeys = [] }, call) => {
        const named = readArn(placeOf(api, call), ResourceArn);
        for (const key of TagKeys) codeDeployTags.checkKey(key);
        await change(call.account, named, (tags) => codeDeployTags.without(tags, TagKeys));
        return {};
      },
    },
    ListTagsForResource: {
      access: ({ ResourceArn = '' }) => [access('ListTagsForResource', ResourceArn)],
      handle: async ({ ResourceArn }, call) => {
        const named = readArn(placeOf(api, call), ResourceArn);
        const { tags } =
          named.kind === 'application'
            ? await application(api, call.account, named.application)
            : await group(api, call.account, named.application, named.group);
        return { Tags: tagList(tags) };
      },
    },
  };
}
