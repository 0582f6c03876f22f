import { expect, test } from 'vitest';
import { standingOf } from './capacity.ts';

const arn = 'arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:1:autoScalingGroupName/lab-hosts';

test('a provider is explained by what its leader says of it', () => {
  const managed = { autoScalingGroupArn: arn, managedScaling: { status: 'ENABLED', targetCapacity: 90 } } as const;
  const said = 'lab-hosts: 2 hosts take tasks, 2 of them have some; 1 come, 0 are emptied.';
  expect(standingOf({ name: 'lab', autoScalingGroupProvider: managed, updateStatusReason: said })).toEqual({
    name: 'lab',
    kind: 'hosts of the group lab-hosts, 90 % of them in use',
    standing: said,
  });
  expect(standingOf({ name: 'lab', autoScalingGroupProvider: managed }).standing).toMatch(
    /put-cluster-capacity-providers/,
  );
});

test('without managed scaling it says who makes hosts: nobody', () => {
  expect(standingOf({ name: 'lab', autoScalingGroupProvider: { autoScalingGroupArn: 'lab-hosts' } })).toMatchObject({
    kind: 'hosts of the group lab-hosts',
    standing: expect.stringMatching(/Managed scaling is off/),
  });
  expect(standingOf({ name: 'FARGATE' })).toMatchObject({ kind: 'of every account' });
});
