import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { expect, test, vi } from 'vitest';
import { parseXml } from '../query-api.ts';
import { allowedIn, listenersIn, makeBalancer } from './balancers.ts';

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

test('of a load balancer of its name that somebody else made, nothing is changed', async () => {
  const asked: (string | null)[] = [];
  const answers: Readonly<Record<string, string>> = {
    DescribeLoadBalancers: '<LoadBalancerArn>arn:a</LoadBalancerArn><DNSName>d</DNSName>',
    DescribeTags: '<Tags><member><Key>slipway:expose</Key><Value>prod/web</Value></member></Tags>',
  };
  const answer = async (request: IncomingMessage): Promise<string> => {
    const action = new URLSearchParams(await text(request)).get('Action');
    asked.push(action);
    return `<R>${answers[action ?? ''] ?? ''}</R>`;
  };
  const server = createServer((request, response) => {
    answer(request).then(
      (xml) => response.end(xml),
      () => response.destroy(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  const service = {
    name: 'prod-web',
    line: 1,
    volumes: [],
    containers: [],
    healthPath: '/',
    publish: [{ container: 'web', containerPort: 8080, port: 80 }],
  };
  try {
    await expect(makeBalancer('default', service, '10.0.0.0/8')).rejects.toThrow('did not make for default/prod-web');
  } finally {
    vi.unstubAllEnvs();
    server.closeAllConnections();
    server.close();
  }
  expect(asked).toEqual(['DescribeLoadBalancers', 'DescribeTags']);
});
