import { activitiesKept, type ActivityRecord, dimension, resourceId, scalingKeys } from '../targets/index.ts';
import { mayList, operation, pageOf, type ScalingOperations } from './operation.ts';
import { flag, list, nextPage, oneTarget, refused, required, struct, text, time } from './shapes.ts';

const activity = struct('ScalingActivity', {
  ActivityId: required(text),
  ...oneTarget,
  Description: required(text),
  Cause: required(text),
  StartTime: required(time),
  EndTime: time,
  StatusCode: required(text),
  StatusMessage: text,
});

/** What scaling did, the newest first. */
export const activityOperations: ScalingOperations = {
  DescribeScalingActivities: operation({
    input: struct('DescribeScalingActivitiesRequest', {
      ServiceNamespace: oneTarget.ServiceNamespace,
      ResourceId: text,
      ScalableDimension: text,
      ...nextPage,
      IncludeNotScaledActivities: refused(
        flag,
        'What was not scaled is not kept: `slipway explain` says what a service waits for.',
      ),
    }),
    output: struct('DescribeScalingActivitiesResponse', { ScalingActivities: list(activity), NextToken: text }),
    access: mayList('DescribeScalingActivities'),
    handle: async (input, scene) => {
      const since = scene.api.clock.now() - activitiesKept;
      const { items, more } = await pageOf<ActivityRecord, ReturnType<typeof view>>(
        scene,
        ['DescribeScalingActivities'],
        input,
        { all: scalingKeys.activities, of: scalingKeys.activitiesOf },
        (cluster, record) => (record.at < since ? undefined : view(cluster, record)),
      );
      return { ScalingActivities: items, ...more };
    },
  }),
};

const view = (cluster: string, record: ActivityRecord) => ({
  ActivityId: record.id,
  ServiceNamespace: 'ecs',
  ResourceId: resourceId({ cluster, service: record.service }),
  ScalableDimension: dimension,
  Description: record.description,
  Cause: record.cause,
  StartTime: new Date(record.at),
  EndTime: new Date(record.at),
  StatusCode: record.status,
  StatusMessage: record.message,
});
