import { expect, test } from 'vitest';
import { parseXml } from '../query-api.ts';
import { allowedIn, listenersIn } from './balancers.ts';

const [web, next] = [
  'arn:aws:elasticloadbalancing:r:1:targetgroup/web/1',
  'arn:aws:elasticloadbalancing:r:1:targetgroup/web-next/2',
];

test('a listener that deployments share out among groups has all of them', () => {
  const action = (top: string, ...tuples: string[]): string =>
    `<DefaultActions><member><Type>forward</Type>${top}<ForwardConfig><TargetGroups>${tuples
      .map((arn, i) => `<member><TargetGroupArn>${arn}</TargetGroupArn><Weight>${i}</Weight></member>`)
      .join('')}</TargetGroups></ForwardConfig></member></DefaultActions>`;
  const answer = parseXml(
    `<R><DescribeListenersResult><Listeners><member><ListenerArn>a</ListenerArn><Port>80</Port>${action(
      `<TargetGroupArn>${web}</TargetGroupArn>`,
      web,
    )}</member><member><ListenerArn>b</ListenerArn><Port>81</Port>${action(
      '',
      next,
      web,
    )}</member></Listeners></DescribeListenersResult></R>`,
  );
  expect(listenersIn(answer)).toEqual([
    { arn: 'a', port: 80, groups: [web] },
    { arn: 'b', port: 81, groups: [next, web] },
  ]);
});

test('whom a security group lets in is read from its own permissions', () => {
  const permission = (port: number, ...ranges: string[]): string =>
    `<item><ipProtocol>tcp</ipProtocol><fromPort>${port}</fromPort><toPort>${port}</toPort><ipRanges>${ranges
      .map((range) => `<item><cidrIp>${range}</cidrIp></item>`)
      .join('')}</ipRanges></item>`;
  const group = (...permissions: string[]): string =>
    `<item><groupId>sg</groupId><ipPermissions>${permissions.join('')}</ipPermissions><ipPermissionsEgress>${permission(
      1,
      '0.0.0.0/0',
    )}</ipPermissionsEgress></item>`;
  const answer = (...groups: string[]) => parseXml(`<R><securityGroupInfo>${groups.join('')}</securityGroupInfo></R>`);
  expect(allowedIn(answer())).toEqual([]);
  expect(allowedIn(answer(group()))).toEqual([]);
  expect(
    allowedIn(answer(group(permission(80, '10.0.0.0/8', '1.2.3.4/32'), permission(81, '10.0.0.0/8')), group())),
  ).toEqual([
    { fromPort: '80', toPort: '80', range: '10.0.0.0/8' },
    { fromPort: '80', toPort: '80', range: '1.2.3.4/32' },
    { fromPort: '81', toPort: '81', range: '10.0.0.0/8' },
  ]);
});
