import { expect, test } from 'vitest';

import { account, openWeb, region } from '../balancing/testing/open-balancing.ts';
import { targetGroups } from './balancing.ts';

test('services know target groups, listeners and rules by their ARNs, the default rule of a listener too', async () => {
  const { call, balancers, balancerArn, groupArn, listenerArn } = await openWeb();
  const groups = targetGroups(balancers, region);
  const name = balancerArn.split('/')[2] ?? '';
  expect(await groups.find(account, groupArn)).toEqual({ targetType: expect.any(String) as string, usedBy: name });

  const { Rules: made } = await call('CreateRule', {
    ListenerArn: listenerArn,
    Priority: 1,
    Conditions: [{ Field: 'host-header', Values: ['a.example.com'] }],
    Actions: [{ Type: 'fixed-response', FixedResponseConfig: { StatusCode: '200' } }],
  });
  const { Rules: all } = await call('DescribeRules', { ListenerArn: listenerArn });
  const ownArn: string = made[0].RuleArn;
  const defaultArn: string = all.find(({ IsDefault }: { IsDefault: boolean }) => IsDefault).RuleArn;
  const balancer = { name, type: 'application' };
  expect(await groups.rule(account, defaultArn)).toEqual({ kind: 'rule', balancer, groups: [groupArn] });
  expect(await groups.rule(account, ownArn)).toEqual({ kind: 'rule', balancer, groups: [] });
  expect(await groups.rule(account, listenerArn)).toEqual({ kind: 'listener', balancer, groups: [groupArn] });

  const wrong = [
    `${defaultArn}0`,
    // Another load balancer in the ARN than the one whose rule it is.
    defaultArn.replace(`/${name}/`, '/other/'),
    defaultArn.replace(account, '999999999999'),
    groupArn,
    'web',
  ];
  for (const arn of wrong) expect({ arn, rule: await groups.rule(account, arn) }).toEqual({ arn, rule: undefined });
  expect(await groups.find(account, listenerArn)).toBeUndefined();
});
