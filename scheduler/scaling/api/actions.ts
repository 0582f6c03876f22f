import {
  actionArn,
  type ActionRecord,
  deleteAction,
  dimension,
  putAction,
  resourceId,
  scalingKeys,
} from '../targets/index.ts';
import { mayList, mayOn, operation, pageOf, type Scene, type ScalingOperations, serviceOf } from './operation.ts';
import { list, nextPage, nothing, number, oneTarget, required, struct, text, texts, time } from './shapes.ts';

const bounds = struct('ScalableTargetAction', { MinCapacity: number, MaxCapacity: number });
const named = { ScheduledActionName: required(text) } as const;

const scheduledAction = struct('ScheduledAction', {
  ...named,
  ScheduledActionARN: required(text),
  ...oneTarget,
  Schedule: required(text),
  Timezone: text,
  StartTime: time,
  EndTime: time,
  ScalableTargetAction: bounds,
  CreationTime: required(time),
});

/** Scheduled actions: other bounds of a target at a time, once or again and again. */
export const actionOperations: ScalingOperations = {
  PutScheduledAction: operation({
    input: struct('PutScheduledActionRequest', {
      ...oneTarget,
      ...named,
      Schedule: text,
      Timezone: text,
      StartTime: time,
      EndTime: time,
      ScalableTargetAction: bounds,
    }),
    output: nothing,
    access: mayOn('PutScheduledAction'),
    handle: async (input, scene) => {
      await putAction(scene.api, serviceOf(scene, input), input.ScheduledActionName, {
        schedule: input.Schedule,
        timezone: input.Timezone,
        startTime: input.StartTime?.getTime(),
        endTime: input.EndTime?.getTime(),
        min: input.ScalableTargetAction?.MinCapacity,
        max: input.ScalableTargetAction?.MaxCapacity,
      });
      return {};
    },
  }),
  DeleteScheduledAction: operation({
    input: struct('DeleteScheduledActionRequest', { ...oneTarget, ...named }),
    output: nothing,
    access: mayOn('DeleteScheduledAction'),
    handle: async (input, scene) => {
      await deleteAction(scene.api, serviceOf(scene, input), input.ScheduledActionName);
      return {};
    },
  }),
  DescribeScheduledActions: operation({
    input: struct('DescribeScheduledActionsRequest', {
      ServiceNamespace: oneTarget.ServiceNamespace,
      ResourceId: text,
      ScalableDimension: text,
      ScheduledActionNames: texts,
      ...nextPage,
    }),
    output: struct('DescribeScheduledActionsResponse', { ScheduledActions: list(scheduledAction), NextToken: text }),
    access: mayList('DescribeScheduledActions'),
    handle: async (input, scene) => {
      const { ScheduledActionNames: names } = input;
      const { items, more } = await pageOf<ActionRecord, ReturnType<typeof view>>(
        scene,
        ['DescribeScheduledActions', names],
        input,
        { all: scalingKeys.actions, of: scalingKeys.actionsOf },
        (cluster, record) => (names?.includes(record.name) === false ? undefined : view(scene, cluster, record)),
      );
      return { ScheduledActions: items, ...more };
    },
  }),
};

function view({ account, region }: Scene, cluster: string, record: ActionRecord) {
  const ref = { account, cluster, service: record.service };
  return {
    ScheduledActionName: record.name,
    ScheduledActionARN: actionArn(region, ref, record),
    ServiceNamespace: 'ecs',
    ResourceId: resourceId(ref),
    ScalableDimension: dimension,
    Schedule: record.schedule,
    ...(record.timezone === undefined ? {} : { Timezone: record.timezone }),
    ...(record.startTime === undefined ? {} : { StartTime: new Date(record.startTime) }),
    ...(record.endTime === undefined ? {} : { EndTime: new Date(record.endTime) }),
    ScalableTargetAction: {
      ...(record.min === undefined ? {} : { MinCapacity: record.min }),
      ...(record.max === undefined ? {} : { MaxCapacity: record.max }),
    },
    CreationTime: new Date(record.createdAt),
  };
}
