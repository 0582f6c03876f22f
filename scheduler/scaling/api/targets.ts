import { requestTags, type WireTag } from '@slipway/auth/kit';

import { findService, serviceAccess } from '../../services/index.ts';
import {
  deregisterTarget,
  dimension,
  dropAlarms,
  type Registration,
  registerTarget,
  resourceId,
  scalingKeys,
  type Suspended,
  targetArn,
  type TargetRecord,
} from '../targets/index.ts';
import {
  mayList,
  mayOn,
  operation,
  parseResource,
  rowsOver,
  type Scene,
  type ScalingOperations,
  serviceOf,
} from './operation.ts';
import {
  list,
  nextPage,
  nothing,
  number,
  oneTarget,
  struct,
  suspendedState,
  tags,
  text,
  texts,
  time,
} from './shapes.ts';
import { scalingTags } from './tagging.ts';

const target = struct('ScalableTarget', {
  ...oneTarget,
  MinCapacity: number,
  MaxCapacity: number,
  RoleARN: text,
  CreationTime: time,
  SuspendedState: suspendedState,
  ScalableTargetARN: text,
});

/** Scalable targets: services that are scaled, and between which counts. */
export const targetOperations: ScalingOperations = {
  RegisterScalableTarget: operation({
    input: struct('RegisterScalableTargetRequest', {
      ...oneTarget,
      MinCapacity: number,
      MaxCapacity: number,
      // As for every namespace with a service-linked role, another role is read and not used (API reference).
      RoleARN: text,
      SuspendedState: suspendedState,
      Tags: tags,
    }),
    output: struct('RegisterScalableTargetResponse', { ScalableTargetARN: text }),
    access: async (input, scene) => {
      const ref = parseResource(scene.account, input.ResourceId);
      const scaled = await mayOn<typeof input>('RegisterScalableTarget', ({ Tags = {} }) => requestTags(Tags))(
        input,
        scene,
      );
      if (ref === undefined) return scaled;
      // Whoever has a service scaled needs the right to scale it (user guide, "Required permissions").
      const service = await findService(scene.api, ref);
      return [...scaled, serviceAccess(scene.api, 'ecs:UpdateService', ref, service)];
    },
    handle: async (input, scene) => {
      const ref = serviceOf(scene, input);
      const given: Registration = {
        min: input.MinCapacity,
        max: input.MaxCapacity,
        suspended: input.SuspendedState === undefined ? undefined : suspendedOf(input.SuspendedState),
        tags: input.Tags === undefined ? undefined : scalingTags.parse(wireTags(input.Tags)),
      };
      await registerTarget(scene.api, ref, given);
      return { ScalableTargetARN: targetArn(scene.region, ref) };
    },
  }),
  DeregisterScalableTarget: operation({
    input: struct('DeregisterScalableTargetRequest', oneTarget),
    output: nothing,
    access: mayOn('DeregisterScalableTarget'),
    handle: async (input, scene) => {
      const ref = serviceOf(scene, input);
      await dropAlarms(scene.api, ref, await deregisterTarget(scene.api, ref));
      return {};
    },
  }),
  DescribeScalableTargets: operation({
    input: struct('DescribeScalableTargetsRequest', {
      ServiceNamespace: oneTarget.ServiceNamespace,
      ResourceIds: texts,
      ScalableDimension: text,
      ...nextPage,
    }),
    output: struct('DescribeScalableTargetsResponse', { ScalableTargets: list(target), NextToken: text }),
    access: mayList('DescribeScalableTargets'),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const name = ['DescribeScalableTargets', input.ServiceNamespace, input.ResourceIds, input.ScalableDimension];
      const request = { nextToken: input.NextToken, maxResults: input.MaxResults };
      const after = await api.pages.start(account, name, request);
      const wanted = input.ResourceIds === undefined ? undefined : new Set(input.ResourceIds);
      const ours = input.ServiceNamespace === 'ecs' && (input.ScalableDimension ?? dimension) === dimension;
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        ours ? rowsOver<TargetRecord>(scene, scalingKeys.targets, after) : [],
        ({ cluster, record }) =>
          wanted?.has(resourceId({ cluster, service: record.service })) === false
            ? undefined
            : view(scene, cluster, record),
      );
      return { ScalableTargets: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
};

export const wireTags = (given: Readonly<Record<string, string>>): WireTag[] =>
  Object.entries(given).map(([key, value]) => ({ key, value }));

const suspendedOf = (given: {
  readonly DynamicScalingInSuspended?: boolean | undefined;
  readonly DynamicScalingOutSuspended?: boolean | undefined;
  readonly ScheduledScalingSuspended?: boolean | undefined;
}): Suspended => ({
  ...(given.DynamicScalingInSuspended === true ? { scaleIn: true } : {}),
  ...(given.DynamicScalingOutSuspended === true ? { scaleOut: true } : {}),
  ...(given.ScheduledScalingSuspended === true ? { scheduled: true } : {}),
});

function view({ account, region }: Scene, cluster: string, record: TargetRecord) {
  const ref = { account, cluster, service: record.service };
  return {
    ServiceNamespace: 'ecs',
    ResourceId: resourceId(ref),
    ScalableDimension: dimension,
    MinCapacity: record.min,
    MaxCapacity: record.max,
    RoleARN: roleArn(account),
    CreationTime: new Date(record.createdAt),
    SuspendedState: {
      DynamicScalingInSuspended: record.suspended?.scaleIn === true,
      DynamicScalingOutSuspended: record.suspended?.scaleOut === true,
      ScheduledScalingSuspended: record.suspended?.scheduled === true,
    },
    ScalableTargetARN: targetArn(region, ref),
  };
}

/** The service-linked role that AWS scales services of ECS with. */
const roleArn = (account: string): string =>
  `arn:aws:iam::${account}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService`;
