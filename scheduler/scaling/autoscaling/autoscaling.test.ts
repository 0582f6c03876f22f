import { describe, expect, test } from 'vitest';

import { openGroups } from '../testing/group-bench.ts';

describe('Auto Scaling groups', () => {
  test('are made, described, changed and deleted', async () => {
    const bench = await openGroups();
    await bench.template();
    await bench.group({
      Tags: [{ Key: 'AmazonECSManaged', Value: 'true', PropagateAtLaunch: true, ResourceId: 'web' }],
      HealthCheckType: 'EC2',
      HealthCheckGracePeriod: 300,
      NewInstancesProtectedFromScaleIn: true,
    });
    expect(await bench.refused('CreateAutoScalingGroup')).toMatch(/^AlreadyExists: /);
    expect(await bench.described()).toMatchObject({
      AutoScalingGroupARN: expect.stringMatching(
        /^arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:[0-9a-f-]{36}:autoScalingGroupName\/web$/,
      ),
      LaunchTemplate: { LaunchTemplateName: 'web', Version: '$Default' },
      MinSize: 0,
      MaxSize: 4,
      DesiredCapacity: 0,
      DefaultCooldown: 300,
      AvailabilityZones: ['us-east-1a', 'us-east-1b'],
      Tags: [{ Key: 'AmazonECSManaged', Value: 'true', PropagateAtLaunch: true, ResourceType: 'auto-scaling-group' }],
      TerminationPolicies: ['Default'],
      NewInstancesProtectedFromScaleIn: true,
    });
    // The desired capacity follows bounds that leave it outside.
    await bench.api.call('UpdateAutoScalingGroup', {
      AutoScalingGroupName: 'web',
      MinSize: 2,
      MaxSize: 3,
      // As Terraform has it with every change.
      AvailabilityZoneDistribution: { CapacityDistributionStrategy: 'balanced-best-effort' },
    });
    expect(await bench.described()).toMatchObject({ MinSize: 2, MaxSize: 3, DesiredCapacity: 2 });
    const { Tags } = await bench.api.call('DescribeTags', { Filters: [{ Name: 'key', Values: ['AmazonECSManaged'] }] });
    expect(Tags).toHaveLength(1);
    await bench.api.call('DeleteTags', { Tags: [{ ResourceId: 'web', Key: 'AmazonECSManaged' }] });
    await bench.api.call('CreateOrUpdateTags', { Tags: [{ ResourceId: 'web', Key: 'team', Value: 'shop' }] });
    const filters = [{ Name: 'tag:team', Values: ['shop'] }];
    const { AutoScalingGroups } = await bench.api.call('DescribeAutoScalingGroups', { Filters: filters });
    expect(AutoScalingGroups).toHaveLength(1);
    await bench.settle();
    const { AutoScalingInstances } = await bench.api.call('DescribeAutoScalingInstances');
    expect(AutoScalingInstances).toHaveLength(2);
    expect(AutoScalingInstances[0]).toMatchObject({ LifecycleState: 'InService', ProtectedFromScaleIn: true });
    const { Reservations } = await bench.ec2('DescribeInstances', {
      Filters: [{ Name: 'instance-state-name', Values: ['running'] }],
    });
    expect(Reservations).toHaveLength(2);
    expect(Reservations[0].Instances[0].Tags).toContainEqual({ Key: 'aws:autoscaling:groupName', Value: 'web' });
    expect(await bench.refused('DeleteAutoScalingGroup')).toMatch(/^ResourceInUse: /);
    await bench.api.call('DeleteAutoScalingGroup', { AutoScalingGroupName: 'web', ForceDelete: true });
    await bench.look(3);
    expect(await bench.described()).toBeUndefined();
  });

  test('hand over the role of their machines, so whoever makes them needs the right to pass it', async () => {
    const bench = await openGroups();
    await bench.template();
    const group = {
      AutoScalingGroupName: 'web',
      MinSize: 0,
      MaxSize: 1,
      AvailabilityZones: ['us-east-1a'],
      LaunchTemplate: { LaunchTemplateName: 'web' },
    };
    expect(await bench.api.access('CreateAutoScalingGroup', group)).toEqual([
      'autoscaling:CreateAutoScalingGroup arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:*:autoScalingGroupName/web',
      'iam:PassRole arn:aws:iam::000000000000:role/node',
    ]);
  });

  test.each([
    [{ MinSize: 3, MaxSize: 2 }, /^ValidationError: Desired capacity|^ValidationError: Max bound/],
    [
      { DesiredCapacity: 9 },
      /^ValidationError: Desired capacity:9 must be between the specified min size:0 and max size:4$/,
    ],
    [{ MaxSize: 1001 }, /^ValidationError: .*'maxSize'.*less than or equal to 1000$/],
    [{ AvailabilityZones: [] }, /^ValidationError: At least one Availability Zone or VPC Subnet is required\.$/],
    [{ AvailabilityZones: ['moon'] }, /^ValidationError: Invalid availability zone: moon\. Zones here are us-east-1a/],
    [{ VPCZoneIdentifier: 'subnet-0' }, /^ValidationError: The subnet ID 'subnet-0' does not exist$/],
    [{ LaunchTemplate: undefined }, /^ValidationError: Valid requests must contain either LaunchTemplate/],
    [
      { LaunchTemplate: { LaunchTemplateName: 'none' } },
      /^ValidationError: You must use a valid .*none, does not exist/,
    ],
    [{ LaunchTemplate: { LaunchTemplateName: 'web', Version: '7' } }, /^ValidationError: .*has no version 7/],
    [{ HealthCheckType: 'ELB' }, /^ValidationError: HealthCheckType ELB is not supported/],
    [
      { AvailabilityZoneDistribution: { CapacityDistributionStrategy: 'balanced-only' } },
      /^ValidationError: The distribution balanced-only is not supported/,
    ],
    [
      { TerminationPolicies: ['AllocationStrategy'] },
      /^ValidationError: The termination policy AllocationStrategy is not supp/,
    ],
    [{ TargetGroupARNs: ['arn'] }, /^ValidationError: TargetGroupARNs is not supported.*in the service\.$/],
    [{ MaxInstanceLifetime: 86_400 }, /^ValidationError: MaxInstanceLifetime is not supported/],
    [
      { Tags: [{ Key: 'slipway:provider', Value: 'none' }] },
      /^ValidationError: There is no instance provider none.*There are map\.$/,
    ],
    [
      {
        LaunchTemplate: undefined,
        MixedInstancesPolicy: {
          LaunchTemplate: {
            LaunchTemplateSpecification: { LaunchTemplateName: 'web' },
            Overrides: [{ InstanceType: 'm5.large', WeightedCapacity: '2' }, { InstanceType: 'm5.xlarge' }],
          },
        },
      },
      /^ValidationError: You must specify WeightedCapacity for all overrides, or for none/,
    ],
  ])('%j is refused', async (wrong, refusal) => {
    const bench = await openGroups();
    await bench.template();
    const right = {
      MinSize: 0,
      MaxSize: 4,
      AvailabilityZones: ['us-east-1a'],
      LaunchTemplate: { LaunchTemplateName: 'web' },
    };
    const input = Object.fromEntries(Object.entries({ ...right, ...wrong }).filter(([, value]) => value !== undefined));
    expect(await bench.refused('CreateAutoScalingGroup', input)).toMatch(refusal);
  });

  test.each([
    [{ OnDemandPercentageAboveBaseCapacity: 101 }, /must be between 0 and 100/],
    [{ OnDemandBaseCapacity: -1 }, /whole number of 0 or more/],
    [{ SpotAllocationStrategy: 'cheapest' }, /Invalid SpotAllocationStrategy cheapest: it is one of lowest-price/],
    [{ SpotMaxPrice: '0.5' }, /SpotMaxPrice is not supported/],
    [{ SpotInstancePools: 2 }, /SpotInstancePools is not supported/],
  ])('a distribution of instances %j is refused', async (InstancesDistribution, refusal) => {
    const bench = await openGroups();
    await bench.template();
    const LaunchTemplate = { LaunchTemplateSpecification: { LaunchTemplateName: 'web' } };
    const input = {
      MinSize: 0,
      MaxSize: 4,
      AvailabilityZones: ['us-east-1a'],
      MixedInstancesPolicy: { LaunchTemplate, InstancesDistribution },
    };
    expect(await bench.refused('CreateAutoScalingGroup', input)).toMatch(refusal);
  });

  test('without an instance profile have no machines that could join, and are refused', async () => {
    const bench = await openGroups();
    await bench.template({ IamInstanceProfile: undefined });
    await expect(bench.group()).rejects.toThrow(
      /names no IamInstanceProfile: its machines would have no right to join/,
    );
  });

  test('refuse what would leave their bounds, come within the cooldown, or name what is not theirs', async () => {
    const bench = await openGroups();
    await bench.template();
    await bench.group({ MinSize: 1 });
    const [machine] = await bench.settle();
    expect(await bench.refused('SetDesiredCapacity', { DesiredCapacity: 5 })).toMatch(/above max value 4/);
    expect(await bench.refused('SetDesiredCapacity', { DesiredCapacity: 0 })).toMatch(/below min value 1/);
    await bench.api.call('SetDesiredCapacity', { AutoScalingGroupName: 'web', DesiredCapacity: 2 });
    expect(await bench.refused('SetDesiredCapacity', { DesiredCapacity: 3, HonorCooldown: true })).toMatch(
      /^ScalingActivityInProgress: /,
    );
    await bench.api.call('SetDesiredCapacity', { AutoScalingGroupName: 'web', DesiredCapacity: 1 });
    expect(
      await bench.api.refusal('TerminateInstanceInAutoScalingGroup', {
        InstanceId: machine?.id,
        ShouldDecrementDesiredCapacity: true,
      }),
    ).toMatch(/minSize \(1\)/);
    const InstanceIds = ['i-00000000000000000'];
    expect(await bench.refused('SetInstanceProtection', { InstanceIds, ProtectedFromScaleIn: true })).toMatch(
      /is not part of Auto Scaling group web/,
    );
    expect(await bench.refused('SuspendProcesses', { ScalingProcesses: ['Sleep'] })).toMatch(/'Sleep' does not exist/);
    expect(await bench.api.refusal('GetPredictiveScalingForecast', {})).toMatch(
      /^ValidationError: GetPredictiveScalingForecast is not supported/,
    );
    expect(await bench.api.refusal('SetDesiredCapacity', { AutoScalingGroupName: 'x', DesiredCapacity: 0 })).toBe(
      "ValidationError: AutoScalingGroup name not found - AutoScalingGroup 'x' not found",
    );
  });
});
