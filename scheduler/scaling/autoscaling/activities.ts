import { rowsOf } from '@slipway/auth/kit';

import { type ActivityRecord, groupArn, type GroupRecord } from '../groups/index.ts';
import { passes } from './filters.ts';
import { type AutoScalingOperations, mayList, operation, type Scene } from './operation.ts';
import { activity, filters, flag, list, type Of, paged, struct, text, texts } from './shapes.ts';

/** What groups did. */
export const activityOperations: AutoScalingOperations = {
  DescribeScalingActivities: operation({
    input: struct('DescribeScalingActivitiesType', {
      ActivityIds: texts,
      AutoScalingGroupName: text,
      IncludeDeletedGroups: flag,
      Filters: filters,
      ...paged,
    }),
    output: struct('ActivitiesType', { Activities: list(activity), NextToken: text }),
    access: mayList('DescribeScalingActivities'),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const { ActivityIds: ids = [], AutoScalingGroupName: group, IncludeDeletedGroups: deleted = false } = input;
      const name = ['DescribeScalingActivities', ids, group, deleted, input.Filters];
      const request = { maxResults: input.MaxRecords, nextToken: input.NextToken };
      const after = await api.pages.start(account, name, request);
      const groups = new Map((await api.groups.list(account)).map((one) => [one.name, one]));
      const fits = passes<ActivityRecord>(input.Filters, {
        Status: ({ status }) => [status],
      });
      const shown = (await api.groups.activities(account, group)).filter(
        (one) => (deleted || groups.has(one.group)) && (ids.length === 0 || ids.includes(one.id)),
      );
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rowsOf(
          shown.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1)),
          keyOf,
          after,
        ),
        (one) => (fits(one) ? viewActivity(scene, one, groups.get(one.group)) : undefined),
        { usual: 100, most: 100 },
      );
      return { Activities: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
};

/** The newest first. */
const keyOf = ({ startedAt, id }: ActivityRecord): string =>
  `${String(Number.MAX_SAFE_INTEGER - startedAt).padStart(16, '0')}/${id}`;

export function viewActivity(
  { region, account }: Scene,
  told: ActivityRecord,
  group: GroupRecord | undefined,
): Of<typeof activity> {
  return {
    ActivityId: told.id,
    AutoScalingGroupName: told.group,
    Description: told.description,
    Cause: told.cause,
    StartTime: new Date(told.startedAt),
    ...(told.endedAt === undefined ? {} : { EndTime: new Date(told.endedAt) }),
    StatusCode: told.status,
    ...(told.message === undefined ? {} : { StatusMessage: told.message }),
    Progress: told.endedAt === undefined ? 50 : 100,
    Details: '{}',
    ...(group === undefined ? {} : { AutoScalingGroupARN: groupArn(region, account, group) }),
  };
}
