import { describe, expect, test } from 'vitest';

import { account, type Answer } from '../../balancing/testing/open-balancing.ts';
import { findInstance } from '../../cluster/index.ts';
import { openGroups } from '../testing/group-bench.ts';

const launching = 'autoscaling:EC2_INSTANCE_LAUNCHING';
const terminating = 'autoscaling:EC2_INSTANCE_TERMINATING';

/** A group `web` with a hook before service and one before the end. */
async function hooked(more: object = {}) {
  const bench = await openGroups();
  await bench.template();
  await bench.group({
    DesiredCapacity: 1,
    LifecycleHookSpecificationList: [
      { LifecycleHookName: 'greet', LifecycleTransition: launching, HeartbeatTimeout: 60, ...more },
      { LifecycleHookName: 'goodbye', LifecycleTransition: terminating, HeartbeatTimeout: 60, ...more },
    ],
  });
  const name = { AutoScalingGroupName: 'web' };
  return {
    ...bench,
    name,
    /** States as the API shows them. */
    shown: async (): Promise<string[]> =>
      ((await bench.described()).Instances as Answer[]).map(({ LifecycleState }) => LifecycleState as string),
    first: async (): Promise<string> => (await bench.machines())[0]?.id ?? '',
    answer: async (hook: string, result: string, more: object = {}): Promise<Answer> =>
      bench.api.call('CompleteLifecycleAction', {
        ...name,
        LifecycleHookName: hook,
        InstanceId: (await bench.machines())[0]?.id,
        LifecycleActionResult: result,
        ...more,
      }),
    join: async (): Promise<void> => bench.agents((await bench.machines()).map(({ id }) => id)),
  };
}

describe('lifecycle hooks', () => {
  test('are asked before a machine is in service, and before it ends', async () => {
    const bench = await hooked({ NotificationTargetARN: 'https://hooks.example.com/a', NotificationMetadata: 'hello' });
    await bench.look();
    expect(await bench.shown()).toEqual(['Pending']);
    await bench.look(1, 1_000);
    await bench.join();
    await bench.look(2, 1_000);
    expect(await bench.shown()).toEqual(['Pending:Wait']);
    expect((await bench.activities())[0]).toMatchObject({ StatusCode: 'MidLifecycleAction', Progress: 50 });
    const id = await bench.first();
    expect(bench.told).toHaveLength(1);
    expect(bench.told[0]).toMatchObject({
      url: 'https://hooks.example.com/a',
      headers: { 'slipway-signature': expect.stringMatching(/^t=\d+,v1=[0-9a-f]{64}$/) as string },
      body: {
        Origin: 'EC2',
        Destination: 'AutoScalingGroup',
        LifecycleHookName: 'greet',
        LifecycleTransition: launching,
        EC2InstanceId: id,
        NotificationMetadata: 'hello',
        LifecycleActionToken: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
      },
    });
    // By the token that the webhook was told.
    const token = bench.told[0]?.body.LifecycleActionToken as string;
    await bench.answer('greet', 'CONTINUE', { InstanceId: undefined, LifecycleActionToken: token });
    expect(await bench.shown()).toEqual(['Pending:Proceed']);
    await bench.look(1, 1_000);
    expect(await bench.shown()).toEqual(['InService']);
    expect((await bench.activities())[0]).toMatchObject({ StatusCode: 'Successful' });
    await bench.api.call('SetDesiredCapacity', { ...bench.name, DesiredCapacity: 0 });
    await bench.look(3, 5_000);
    expect(await bench.shown()).toEqual(['Terminating:Wait']);
    expect(bench.provider.machines.size).toBe(1);
    expect(bench.told.map(({ body }) => body.LifecycleHookName as string)).toEqual(['greet', 'goodbye']);
    await bench.answer('goodbye', 'CONTINUE');
    expect(await bench.shown()).toEqual(['Terminating:Proceed']);
    await bench.look(1, 1_000);
    expect(await bench.shown()).toEqual([]);
    expect(bench.provider.machines.size).toBe(0);
  });

  test.each([
    ['CONTINUE', 'InService'],
    ['ABANDON', undefined],
  ])('that nobody answers have %s as they say, when their time is over', async (DefaultResult, state) => {
    const bench = await hooked({ DefaultResult });
    await bench.look(2, 5_000);
    await bench.join();
    const id = await bench.first();
    // Asked at ten seconds, for sixty.
    await bench.look(11, 5_000);
    expect(await bench.shown()).toEqual(['Pending:Wait']);
    await bench.look(3, 5_000);
    const now = (await bench.machines()).find((one) => one.id === id);
    expect(now?.state).toBe(state);
    const told = (await bench.activities()).map(({ StatusMessage }) => StatusMessage as string);
    expect(told.some((one) => (one ?? '').endsWith('was abandoned: Heartbeat Timeout'))).toBe(state === undefined);
  });

  test('that go on have their time anew, up to a hundred times', async () => {
    const bench = await hooked();
    await bench.look(2, 1_000);
    await bench.join();
    const beat = async (): Promise<Answer> =>
      bench.api.call('RecordLifecycleActionHeartbeat', {
        ...bench.name,
        LifecycleHookName: 'greet',
        InstanceId: await bench.first(),
      });
    const id = await bench.first();
    for (let i = 0; i < 119; i++) {
      await beat();
      await bench.look(1, 50_000);
    }
    expect(await bench.shown()).toEqual(['Pending:Wait']);
    await beat();
    await bench.look(1, 51_000);
    expect((await bench.machines()).map((one) => one.id)).not.toContain(id);
  });

  test('that abandon a machine have another one made', async () => {
    const bench = await hooked();
    await bench.look(2, 1_000);
    await bench.join();
    const id = await bench.first();
    await bench.answer('greet', 'ABANDON');
    await bench.look(2, 1_000);
    expect(await bench.machines()).toHaveLength(1);
    expect(await bench.first()).not.toBe(id);
    expect(await bench.activities()).toContainEqual(
      expect.objectContaining({
        StatusCode: 'Cancelled',
        StatusMessage: expect.stringMatching(
          /was abandoned: Lifecycle Action Completed with ABANDON Result$/,
        ) as string,
      }),
    );
  });

  test('that are deleted let machines go that end, and not come those that come', async () => {
    const bench = await hooked();
    await bench.look(2, 1_000);
    await bench.join();
    const id = await bench.first();
    await bench.api.call('DeleteLifecycleHook', { ...bench.name, LifecycleHookName: 'greet' });
    await bench.look(2, 1_000);
    expect((await bench.machines()).map((one) => one.id)).not.toContain(id);
    await bench.settle();
    expect(await bench.shown()).toEqual(['InService']);
    await bench.api.call('SetDesiredCapacity', { ...bench.name, DesiredCapacity: 0 });
    await bench.look(2, 1_000);
    expect(await bench.shown()).toEqual(['Terminating:Wait']);
    await bench.api.call('DeleteLifecycleHook', { ...bench.name, LifecycleHookName: 'goodbye' });
    await bench.look(1, 1_000);
    expect(await bench.machines()).toEqual([]);
  });

  test('are not asked about what is gone already, nor when the group goes', async () => {
    const bench = await hooked();
    await bench.look(2, 1_000);
    await bench.join();
    await bench.answer('greet', 'CONTINUE');
    await bench.look(1, 1_000);
    expect(await bench.shown()).toEqual(['InService']);
    const id = await bench.first();
    bench.provider.machines.clear();
    await bench.agents([id], false);
    await bench.look(2, 20_000);
    expect((await bench.machines()).map((one) => one.id)).not.toContain(id);
    await bench.join();
    await bench.look(1, 1_000);
    await bench.answer('greet', 'CONTINUE');
    await bench.look(1, 1_000);
    expect(await bench.shown()).toEqual(['InService']);
    await bench.api.call('DeleteAutoScalingGroup', { ...bench.name, ForceDelete: true });
    await bench.look(3, 1_000);
    expect(await bench.described()).toBeUndefined();
  });

  test('are told again while their webhooks do not hear, by every server anew', async () => {
    const bench = await hooked({
      NotificationTargetARN: 'arn:aws:slipway:us-east-1:000000000000:webhook/https://a.example.com/',
    });
    bench.hears.status = 503;
    await bench.look(3, 1_000);
    expect(bench.told).toHaveLength(1);
    await bench.look(1, 10_000);
    expect(bench.told).toHaveLength(2);
    bench.restart();
    bench.hears.status = 200;
    await bench.look(5, 1_000);
    expect(bench.told).toHaveLength(3);
    expect(new Set(bench.told.map(({ headers }) => headers['slipway-delivery'])).size).toBe(1);
  });

  test('that wait with many machines hold up neither their drains nor other machines', async () => {
    const bench = await openGroups();
    await bench.template();
    const goodbye = { LifecycleHookName: 'goodbye', LifecycleTransition: terminating };
    await bench.group({ MaxSize: 7, DesiredCapacity: 7, LifecycleHookSpecificationList: [goodbye] });
    const leaving = await bench.settle();
    expect(leaving.map(({ state }) => state)).toEqual(Array.from({ length: 7 }, () => 'InService'));
    await bench.api.call('SetDesiredCapacity', { AutoScalingGroupName: 'web', DesiredCapacity: 0 });
    await bench.group({ AutoScalingGroupName: 'other', MaxSize: 3, DesiredCapacity: 3 });
    await bench.look(6, 5_000);
    const drained = await Promise.all(
      leaving.map(({ instance }) => findInstance(bench.ports, { account, cluster: 'web' }, instance)),
    );
    expect(drained.map((instance) => instance?.status)).toEqual(leaving.map(() => 'DRAINING'));
    expect((await bench.groups.instancesOf(account, 'other')).map(({ started }) => started)).toEqual([
      true,
      true,
      true,
    ]);
  });

  test('are put, described and changed', async () => {
    const bench = await hooked();
    const put = { ...bench.name, LifecycleHookName: 'greet' };
    await bench.api.call('PutLifecycleHook', { ...put, HeartbeatTimeout: 7200, DefaultResult: 'CONTINUE' });
    const { LifecycleHooks } = await bench.api.call('DescribeLifecycleHooks', bench.name);
    expect(LifecycleHooks).toEqual([
      {
        LifecycleHookName: 'greet',
        AutoScalingGroupName: 'web',
        LifecycleTransition: launching,
        HeartbeatTimeout: 7200,
        GlobalTimeout: 172_800,
        DefaultResult: 'CONTINUE',
      },
      expect.objectContaining({ LifecycleHookName: 'goodbye', GlobalTimeout: 6000, DefaultResult: 'ABANDON' }),
    ]);
    expect(await bench.api.call('DescribeLifecycleHookTypes')).toEqual({
      LifecycleHookTypes: [launching, terminating],
    });
    expect(
      await bench.api.access('PutLifecycleHook', { ...put, RoleARN: 'arn:aws:iam::000000000000:role/teller' }),
    ).toEqual([
      expect.stringMatching(/^autoscaling:PutLifecycleHook arn:.*autoScalingGroupName\/web$/) as string,
      'iam:PassRole arn:aws:iam::000000000000:role/teller',
    ]);
  });

  test.each([
    ['PutLifecycleHook', { LifecycleHookName: 'new' }, /LifecycleTransition is required/],
    ['PutLifecycleHook', { LifecycleHookName: 'greet', LifecycleTransition: terminating }, /cannot be changed/],
    ['PutLifecycleHook', { LifecycleHookName: 'greet', LifecycleTransition: 'x' }, /Invalid Lifecycle Transition: x/],
    ['PutLifecycleHook', { LifecycleHookName: 'greet', DefaultResult: 'MAYBE' }, /DefaultResult must be/],
    ['PutLifecycleHook', { LifecycleHookName: 'greet', HeartbeatTimeout: 29 }, /HeartbeatTimeout|heartbeatTimeout/],
    [
      'PutLifecycleHook',
      { LifecycleHookName: 'greet', NotificationTargetARN: 'arn:aws:sns:us-east-1:000000000000:topic' },
      /A topic of SNS as NotificationTargetARN is not supported .* Name a webhook/,
    ],
    [
      'PutLifecycleHook',
      { LifecycleHookName: 'greet', NotificationTargetARN: 'arn:aws:sqs:us-east-1:000000000000:queue' },
      /A queue of SQS/,
    ],
    ['PutLifecycleHook', { LifecycleHookName: 'greet', NotificationTargetARN: 'https://10.0.0.1/' }, /is private/],
    [
      'PutLifecycleHook',
      { LifecycleHookName: 'greet', NotificationTargetARN: 'http://a.example.com' },
      /cannot be told/,
    ],
    [
      'PutLifecycleHook',
      { LifecycleHookName: 'greet', RoleARN: 'arn:aws:iam::111111111111:role/x' },
      /RoleARN must be/,
    ],
    [
      'PutLifecycleHook',
      { LifecycleHookName: 'a', AutoScalingGroupName: 'none', LifecycleTransition: launching },
      /not found/,
    ],
    ['DeleteLifecycleHook', { LifecycleHookName: 'none' }, /No Lifecycle Hook found with name: none for ASG: web/],
    [
      'CompleteLifecycleAction',
      { LifecycleHookName: 'greet', LifecycleActionResult: 'CONTINUE', InstanceId: 'i-00000000000000000' },
      /No active Lifecycle Action found with instance ID i-00000000000000000/,
    ],
    [
      'CompleteLifecycleAction',
      { LifecycleHookName: 'greet', LifecycleActionResult: 'CONTINUE' },
      /LifecycleActionToken or/,
    ],
    [
      'CompleteLifecycleAction',
      { LifecycleHookName: 'none', LifecycleActionResult: 'CONTINUE', InstanceId: 'i-1' },
      /No Lifecycle Hook/,
    ],
  ])('refuse %s of %j', async (operation, input, why) => {
    const bench = await hooked();
    expect(await bench.refused(operation, input)).toMatch(why);
  });

  test('are at most fifty of a group', async () => {
    const bench = await hooked();
    const put = (index: number) => ({ LifecycleHookName: `h${index}`, LifecycleTransition: launching });
    for (let index = 2; index < 50; index++) await bench.api.call('PutLifecycleHook', { ...bench.name, ...put(index) });
    expect(await bench.refused('PutLifecycleHook', put(51))).toMatch(/^LimitExceeded: .*at most 50/);
  });
});
