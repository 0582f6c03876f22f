import { AwsError } from '@slipway/auth/contract';
import { arnOf, rowsOf } from '@slipway/auth/kit';
import { scanAll } from '@slipway/storage/records';

import { deleteSchedule, putSchedule, type ScheduleRecord } from '../following/index.ts';
import { groupKeys, groupsPartition, unsupported, validation } from '../groups/index.ts';
import { type AutoScalingOperations, mayList, mayOn, operation, type Scene } from './operation.ts';
import { list, nothing, number, type Of, oneGroup, paged, required, struct, text, texts, time } from './shapes.ts';

const said = {
  StartTime: time,
  EndTime: time,
  Recurrence: text,
  MinSize: number,
  MaxSize: number,
  DesiredCapacity: number,
  TimeZone: text,
} as const;
const named = { ScheduledActionName: required(text) } as const;
const request = struct('ScheduledUpdateGroupActionRequest', { ...named, ...said });
type Request = Of<typeof request>;
const failed = struct('FailedScheduledUpdateGroupActionRequest', { ...named, ErrorCode: text, ErrorMessage: text });
const shown = struct('ScheduledUpdateGroupAction', {
  AutoScalingGroupName: text,
  ScheduledActionName: text,
  ScheduledActionARN: text,
  Time: time,
  ...said,
});

/** Actions that one request of several may name (EC2 Auto Scaling API reference). */
const mostAtOnce = 50;

/** Scheduled actions of groups. */
export const scheduleOperations: AutoScalingOperations = {
  PutScheduledUpdateGroupAction: operation({
    input: struct('PutScheduledUpdateGroupActionType', { ...oneGroup, ...named, Time: time, ...said }),
    output: nothing,
    access: mayOn('PutScheduledUpdateGroupAction'),
    handle: async ({ Time, AutoScalingGroupName: group, ...input }, scene) => {
      if (Time !== undefined && input.StartTime !== undefined && Time.getTime() !== input.StartTime.getTime())
        throw validation('Time and StartTime must be the same when both are specified: leave Time out.');
      await put(scene, group, { ...input, StartTime: input.StartTime ?? Time });
      return {};
    },
  }),
  BatchPutScheduledUpdateGroupAction: operation({
    input: struct('BatchPutScheduledUpdateGroupActionType', {
      ...oneGroup,
      ScheduledUpdateGroupActions: required(list(request)),
    }),
    output: struct('BatchPutScheduledUpdateGroupActionAnswer', { FailedScheduledUpdateGroupActions: list(failed) }),
    access: mayOn('BatchPutScheduledUpdateGroupAction'),
    handle: async ({ AutoScalingGroupName: group, ScheduledUpdateGroupActions: all }, scene) => ({
      FailedScheduledUpdateGroupActions: await eachOf(
        all,
        ({ ScheduledActionName }) => ScheduledActionName,
        (one) => put(scene, group, one),
      ),
    }),
  }),
  DeleteScheduledAction: operation({
    input: struct('DeleteScheduledActionType', { ...oneGroup, ...named }),
    output: nothing,
    access: mayOn('DeleteScheduledAction'),
    handle: async ({ AutoScalingGroupName: group, ScheduledActionName: name }, { api, account }) => {
      await deleteSchedule(api, account, group, name);
      return {};
    },
  }),
  BatchDeleteScheduledAction: operation({
    input: struct('BatchDeleteScheduledActionType', { ...oneGroup, ScheduledActionNames: required(texts) }),
    output: struct('BatchDeleteScheduledActionAnswer', { FailedScheduledActions: list(failed) }),
    access: mayOn('BatchDeleteScheduledAction'),
    handle: async ({ AutoScalingGroupName: group, ScheduledActionNames: all }, { api, account }) => ({
      FailedScheduledActions: await eachOf(
        all,
        (name) => name,
        (name) => deleteSchedule(api, account, group, name),
      ),
    }),
  }),
  DescribeScheduledActions: operation({
    input: struct('DescribeScheduledActionsType', {
      AutoScalingGroupName: text,
      ScheduledActionNames: texts,
      StartTime: time,
      EndTime: time,
      ...paged,
    }),
    output: struct('ScheduledActionsType', { ScheduledUpdateGroupActions: list(shown), NextToken: text }),
    access: mayList('DescribeScheduledActions'),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const { AutoScalingGroupName: group, ScheduledActionNames: names, StartTime: from, EndTime: to } = input;
      const list = ['DescribeScheduledActions', group, names, from?.getTime(), to?.getTime()];
      const asked = { maxResults: input.MaxRecords, nextToken: input.NextToken };
      const after = await api.pages.start(account, list, asked);
      const prefix = group === undefined ? groupKeys.schedules : groupKeys.schedulesOf(group);
      const ids = new Set((await api.groups.list(account)).map(({ id }) => id));
      const rows = await scanAll<ScheduleRecord>(api.records, groupsPartition(account), { prefix, limit: 1000 });
      const fits = ({ name, next, groupId }: ScheduleRecord): boolean =>
        ids.has(groupId) &&
        (names === undefined || names.length === 0
          ? next >= (from?.getTime() ?? 0) && next <= (to?.getTime() ?? Infinity)
          : names.includes(name));
      const { items, nextToken } = await api.pages.page(
        account,
        list,
        asked,
        rowsOf(rows, ({ key }) => key, after),
        ({ value }) => (fits(value) ? view(scene, value) : undefined),
      );
      return { ScheduledUpdateGroupActions: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
};

const put = (
  { api, account }: Scene,
  group: string,
  input: Omit<Request, 'StartTime'> & { readonly StartTime?: Date | undefined },
): Promise<unknown> =>
  putSchedule(api, account, group, input.ScheduledActionName, {
    recurrence: input.Recurrence,
    timezone: input.TimeZone,
    startTime: input.StartTime?.getTime(),
    endTime: input.EndTime?.getTime(),
    min: input.MinSize,
    max: input.MaxSize,
    desired: input.DesiredCapacity,
  });

/** Does something for each, one after another. @returns those for which it was refused, and why */
async function eachOf<T>(
  all: readonly T[],
  nameOf: (one: T) => string,
  work: (one: T) => Promise<unknown>,
): Promise<Of<typeof failed>[]> {
  if (all.length > mostAtOnce)
    throw unsupported(`More than ${mostAtOnce} scheduled actions in a request`, 'Ask several times.');
  const refused: Of<typeof failed>[] = [];
  for (const one of all)
    try {
      await work(one);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      refused.push({ ScheduledActionName: nameOf(one), ErrorCode: error.code, ErrorMessage: error.message });
    }
  return refused;
}

function view({ region, account }: Scene, of: ScheduleRecord): Of<typeof shown> {
  const at = new Date(of.startTime ?? of.next);
  return {
    AutoScalingGroupName: of.group,
    ScheduledActionName: of.name,
    ScheduledActionARN: arnOf({
      service: 'autoscaling',
      region,
      account,
      resource: `scheduledUpdateGroupAction:${of.id}:autoScalingGroupName/${of.group}:scheduledActionName/${of.name}`,
    }),
    // The next run of what recurs, where nobody has said when it begins.
    Time: at,
    StartTime: at,
    ...(of.endTime === undefined ? {} : { EndTime: new Date(of.endTime) }),
    ...(of.recurrence === undefined ? {} : { Recurrence: of.recurrence }),
    ...(of.timezone === undefined ? {} : { TimeZone: of.timezone }),
    ...(of.min === undefined ? {} : { MinSize: of.min }),
    ...(of.max === undefined ? {} : { MaxSize: of.max }),
    ...(of.desired === undefined ? {} : { DesiredCapacity: of.desired }),
  };
}
