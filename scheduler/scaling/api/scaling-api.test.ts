import { describe, expect, test } from 'vitest';
import { openScaling } from '../testing/scaling-bench.ts';

const target = { MinCapacity: 1, MaxCapacity: 10 };
const action = { ScheduledActionName: 'a', Schedule: 'rate(1 day)', ScalableTargetAction: { MinCapacity: 2 } };

describe('scalable targets', () => {
  test('are registered, changed member by member, described and deregistered', async () => {
    const bench = await openScaling();
    const { ScalableTargetARN } = await bench.on('RegisterScalableTarget', { ...target, Tags: { team: 'shop' } });
    expect(ScalableTargetARN).toMatch(
      /^arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target\/[0-9a-f]{36}$/,
    );
    await bench.on('RegisterScalableTarget', { MaxCapacity: 20, SuspendedState: { DynamicScalingInSuspended: true } });
    expect(await bench.call('DescribeScalableTargets', { ServiceNamespace: 'ecs' })).toEqual({
      ScalableTargets: [
        {
          ...bench.web,
          MinCapacity: 1,
          MaxCapacity: 20,
          RoleARN:
            'arn:aws:iam::000000000000:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService',
          CreationTime: bench.clock.at / 1000,
          SuspendedState: {
            DynamicScalingInSuspended: true,
            DynamicScalingOutSuspended: false,
            ScheduledScalingSuspended: false,
          },
          ScalableTargetARN,
        },
      ],
    });
    expect((await bench.service())?.desiredCount).toBe(2);
    await bench.on('PutScheduledAction', action);
    await bench.on('DeregisterScalableTarget');
    expect((await bench.call('DescribeScalableTargets', { ServiceNamespace: 'ecs' })).ScalableTargets).toEqual([]);
    expect((await bench.call('DescribeScheduledActions', { ServiceNamespace: 'ecs' })).ScheduledActions).toEqual([]);
    expect(await bench.refused('DeregisterScalableTarget')).toBe(
      'ObjectNotFoundException: No scalable target registered for service namespace: ecs, resource ID: service/default/web, scalable dimension: ecs:service:DesiredCount',
    );
  });

  test.each([
    [
      {},
      'ValidationException: MinCapacity and MaxCapacity must be specified when a new scalable target is registered.',
    ],
    [{ MinCapacity: 3, MaxCapacity: 2 }, 'ValidationException: Maximum capacity cannot be less than minimum capacity'],
    [
      { ...target, ResourceId: 'service/default/none' },
      "ValidationException: ECS service doesn't exist: service/default/none",
    ],
    [{ ...target, ResourceId: 'service/web' }, /^ValidationException: Unsupported resource 'service\/web'/],
    [
      { ...target, ServiceNamespace: 'dynamodb' },
      /^ValidationException: The service namespace dynamodb is not supported by this installation/,
    ],
    [{ ...target, ServiceNamespace: 'nothing' }, /^ValidationException: .*ServiceNamespace.*enum/i],
    [
      { ...target, ScalableDimension: 'ecs:service:Other' },
      /^ValidationException: Unsupported service namespace, resource type or scalable dimension/,
    ],
    [{ ...target, MinCapacity: -1 }, /^ValidationException: .*MinCapacity/i],
    [{ ...target, MaxCapacity: 5001 }, /^ValidationException: .*MaxCapacity/i],
    [{ ...target, Tags: { 'aws:x': '1' } }, /^ValidationException: Tag keys starting with 'aws:'/],
  ])('are refused: %j', async (input, message) => {
    const bench = await openScaling();
    expect(await bench.refused('RegisterScalableTarget', input)).toMatch(message);
  });

  test('are no services with a task on each instance', async () => {
    const bench = await openScaling();
    await bench.make('other', { schedulingStrategy: 'DAEMON', desiredCount: 0 });
    expect(await bench.refused('RegisterScalableTarget', { ...target, ResourceId: 'service/default/other' })).toMatch(
      /scheduling strategy DAEMON/,
    );
  });

  test('come in pages, and tokens of other lists are refused', async () => {
    const bench = await openScaling();
    await bench.make('other');
    await bench.on('RegisterScalableTarget', target);
    await bench.on('RegisterScalableTarget', { ...target, ResourceId: 'service/default/other' });
    const list = { ServiceNamespace: 'ecs', MaxResults: 1 };
    const first = await bench.call('DescribeScalableTargets', list);
    expect(first.ScalableTargets.map((one: { ResourceId: string }) => one.ResourceId)).toEqual([
      'service/default/other',
    ]);
    const second = await bench.call('DescribeScalableTargets', { ...list, NextToken: first.NextToken });
    expect(second.ScalableTargets.map((one: { ResourceId: string }) => one.ResourceId)).toEqual([
      'service/default/web',
    ]);
    expect(second.NextToken).toBeUndefined();
    expect(await bench.refusal('DescribeScheduledActions', { ...list, NextToken: first.NextToken })).toBe(
      'InvalidNextTokenException: The next token supplied is invalid.',
    );
    expect(await bench.refusal('DescribeScalableTargets', { ...list, MaxResults: 51 })).toBe(
      'ValidationException: MaxResults must be a whole number from 1 to 50, not 51.',
    );
    const one = await bench.call('DescribeScalableTargets', {
      ServiceNamespace: 'ecs',
      ResourceIds: ['service/default/web'],
    });
    expect(one.ScalableTargets).toHaveLength(1);
    expect((await bench.call('DescribeScalableTargets', { ServiceNamespace: 'dynamodb' })).ScalableTargets).toEqual([]);
  });

  test('have tags, by which policies tell them apart', async () => {
    const bench = await openScaling();
    const { ScalableTargetARN: ResourceARN } = await bench.on('RegisterScalableTarget', {
      ...target,
      Tags: { team: 'shop' },
    });
    await bench.call('TagResource', { ResourceARN, Tags: { stage: 'prod' } });
    await bench.call('UntagResource', { ResourceARN, TagKeys: ['team'] });
    expect(await bench.call('ListTagsForResource', { ResourceARN })).toEqual({ Tags: { stage: 'prod' } });
    expect(await bench.access('DeregisterScalableTarget', bench.web)).toEqual([
      {
        action: 'application-autoscaling:DeregisterScalableTarget',
        resources: [{ arn: ResourceARN, tags: { stage: 'prod' } }],
        context: {
          'application-autoscaling:service-namespace': 'ecs',
          'application-autoscaling:scalable-dimension': 'ecs:service:DesiredCount',
        },
      },
    ]);
    expect(await bench.refused('RegisterScalableTarget', { Tags: { a: 'b' } })).toMatch(/Use TagResource/);
    expect(await bench.refusal('ListTagsForResource', { ResourceARN: `${ResourceARN}0` })).toMatch(
      /^ResourceNotFoundException/,
    );
  });

  test('need the right to scale the service itself', async () => {
    const bench = await openScaling();
    const asked = await bench.access('RegisterScalableTarget', { ...bench.web, ...target });
    expect(asked.map(({ action: name, resources }) => [name, resources[0]?.arn])).toEqual([
      ['application-autoscaling:RegisterScalableTarget', expect.stringContaining(':scalable-target/')],
      ['ecs:UpdateService', 'arn:aws:ecs:us-east-1:000000000000:service/default/web'],
    ]);
  });
});

describe('scheduled actions', () => {
  test('are put, described, changed member by member and deleted', async () => {
    const bench = await openScaling();
    await bench.on('RegisterScalableTarget', target);
    await bench.on('PutScheduledAction', { ...action, EndTime: 1_800_000_000 });
    await bench.on('PutScheduledAction', {
      ScheduledActionName: 'a',
      Schedule: 'cron(0 8 * * ? *)',
      Timezone: 'Europe/Berlin',
    });
    const { ScheduledActions } = await bench.call('DescribeScheduledActions', { ServiceNamespace: 'ecs' });
    expect(ScheduledActions).toEqual([
      {
        ...bench.web,
        ScheduledActionName: 'a',
        ScheduledActionARN: expect.stringMatching(
          /^arn:aws:autoscaling:us-east-1:000000000000:scheduledAction:[0-9a-f-]{36}:resource\/ecs\/service\/default\/web:scheduledActionName\/a$/,
        ),
        Schedule: 'cron(0 8 * * ? *)',
        Timezone: 'Europe/Berlin',
        EndTime: 1_800_000_000,
        ScalableTargetAction: { MinCapacity: 2 },
        CreationTime: bench.clock.at / 1000,
      },
    ]);
    await bench.on('DeleteScheduledAction', { ScheduledActionName: 'a' });
    expect(await bench.refused('DeleteScheduledAction', { ScheduledActionName: 'a' })).toMatch(
      /^ObjectNotFoundException/,
    );
  });

  test.each([
    [{ ...action, Schedule: undefined }, /Schedule must be specified/],
    [{ ...action, ScalableTargetAction: {} }, /MinCapacity, MaxCapacity or both/],
    [{ ...action, ScalableTargetAction: { MinCapacity: 3, MaxCapacity: 2 } }, /cannot be less/],
    [{ ...action, ScalableTargetAction: { MinCapacity: 5001 } }, /MinCapacity/i],
    [{ ...action, Schedule: 'cron(61 8 * * ? *)' }, /'61' is not valid in the field 'minutes'/],
    [{ ...action, Schedule: 'cron(0 8 * * ? *)', Timezone: 'Moon/Base' }, /is no time zone/],
    [{ ...action, StartTime: 2_000_000_000, EndTime: 1_900_000_000 }, /EndTime must be later/],
    [{ ...action, ScheduledActionName: 'a/b' }, /ScheduledActionName/i],
  ])('are refused: %j', async (input, message) => {
    const bench = await openScaling();
    await bench.on('RegisterScalableTarget', target);
    expect(await bench.refused('PutScheduledAction', input)).toMatch(message);
  });

  test('need a target', async () => {
    const bench = await openScaling();
    expect(await bench.refused('PutScheduledAction', action)).toMatch(
      /^ObjectNotFoundException: No scalable target registered/,
    );
  });
});
