/** Shapes of the API of EC2 Auto Scaling (2011-01-01), written by hand as EC2's are. */
import { refused, required, type Shape, type ShapeValue, shapesOf, simpleShapes } from '@slipway/auth/kit';

export { refused, required, type Shape } from '@slipway/auth/kit';
export type Of<S> = ShapeValue<S>;

export const { text, number, flag, time } = simpleShapes;
export const { list, struct, operationSchema } = shapesOf({ namespace: 'com.amazonaws.autoscaling' });

/** An answer without members. */
export const nothing: Shape<object> = struct('Unit', {});
export const texts: Shape<readonly string[]> = list(text);

export const tag = struct('Tag', {
  Key: required(text),
  Value: text,
  ResourceId: text,
  ResourceType: text,
  PropagateAtLaunch: flag,
});
export const tags = list(tag);
export const tagDescriptions = list(
  struct('TagDescription', { Key: text, Value: text, ResourceId: text, ResourceType: text, PropagateAtLaunch: flag }),
);
export const filters = list(struct('Filter', { Name: text, Values: texts }));
export type Filters = Of<typeof filters>;

export const template = struct('LaunchTemplateSpecification', {
  LaunchTemplateId: text,
  LaunchTemplateName: text,
  Version: text,
});
export type Template = Of<typeof template>;

export const mixedPolicy = struct('MixedInstancesPolicy', {
  LaunchTemplate: struct('LaunchTemplate', {
    LaunchTemplateSpecification: template,
    Overrides: list(
      struct('LaunchTemplateOverrides', {
        InstanceType: text,
        WeightedCapacity: text,
        LaunchTemplateSpecification: refused(template, 'All machines of a group are made from one launch template.'),
        InstanceRequirements: refused(
          struct('InstanceRequirements', { AllowedInstanceTypes: texts, CpuManufacturers: texts }),
          'Name instance types, which the provider of machines understands.',
        ),
        ImageId: refused(text, 'All machines are of the image that the launch template names.'),
      }),
    ),
  }),
  InstancesDistribution: struct('InstancesDistribution', {
    OnDemandAllocationStrategy: text,
    OnDemandBaseCapacity: number,
    OnDemandPercentageAboveBaseCapacity: number,
    SpotAllocationStrategy: text,
    SpotInstancePools: refused(number, 'Types are tried in the order of the overrides: leave it out.'),
    SpotMaxPrice: text,
  }),
});
export const distribution = struct('AvailabilityZoneDistribution', { CapacityDistributionStrategy: text });
export type MixedPolicy = Of<typeof mixedPolicy>;

export const activity = struct('Activity', {
  ActivityId: text,
  AutoScalingGroupName: text,
  Description: text,
  Cause: text,
  StartTime: time,
  EndTime: time,
  StatusCode: text,
  StatusMessage: text,
  Progress: number,
  Details: text,
  AutoScalingGroupARN: text,
});

/** Members of a machine as two operations show it. */
export const instanceMembers = {
  InstanceId: text,
  InstanceType: text,
  AvailabilityZone: text,
  LifecycleState: text,
  HealthStatus: text,
  LaunchTemplate: template,
  ImageId: text,
  ProtectedFromScaleIn: flag,
  WeightedCapacity: text,
} as const;

export const oneGroup = { AutoScalingGroupName: required(text) } as const;
export const paged = { MaxRecords: number, NextToken: text } as const;
