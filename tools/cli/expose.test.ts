import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, it, vi } from 'vitest';
import { balancerName, groupBeside, targetOf } from './expose.ts';
import { find, listOf, parseXml, textOf } from './query-api.ts';

const definition = (...containers: { name: string; ports?: number[]; protocol?: 'tcp' | 'udp' }[]) => ({
  family: 'web',
  revision: 3,
  containerDefinitions: containers.map(({ name, ports = [], protocol = 'tcp' as const }) => ({
    name,
    portMappings: ports.map((containerPort) => ({ containerPort, protocol })),
  })),
});

describe('what gets the requests', () => {
  it('is the only container with a port, or the one that is named', () => {
    const two = definition({ name: 'a', ports: [80, 81] }, { name: 'b', ports: [80] }, { name: 'c' });
    const one = definition({ name: 'a', ports: [80] }, { name: 'c' });
    expect(targetOf(one, undefined, undefined)).toEqual({ containerName: 'a', containerPort: 80 });
    expect(targetOf(two, 'b', undefined)).toEqual({ containerName: 'b', containerPort: 80 });
    expect(targetOf(two, 'a', 81)).toEqual({ containerName: 'a', containerPort: 81 });
    expect(targetOf(two, undefined, 81)).toEqual({ containerName: 'a', containerPort: 81 });
  });

  it.each([
    [definition({ name: 'a' }), undefined, undefined, 'has a container port: register a revision'],
    [definition({ name: 'a', ports: [53], protocol: 'udp' }), undefined, undefined, 'has a container port'],
    [
      definition({ name: 'a', ports: [80] }, { name: 'b', ports: [80] }),
      undefined,
      undefined,
      'Say it with --container',
    ],
    [definition({ name: 'a', ports: [80, 81] }), undefined, undefined, 'Say it with --container-port'],
    [definition({ name: 'a', ports: [80] }), 'b', undefined, 'web:3 has no container b, only a'],
    [definition({ name: 'a', ports: [80] }), 'a', 81, 'there are a:80'],
    [{ ...definition({ name: 'a', ports: [80] }), networkMode: 'none' as const }, 'a', 80, 'have no network'],
    [{}, undefined, undefined, 'has a container port'],
  ])('is said to be unclear or missing', (task, container, port, words) => {
    expect(() => targetOf(task, container, port)).toThrow(words);
  });
});

describe('the name of its load balancer', () => {
  it.each([
    ['default', 'web', 'web'],
    ['prod', 'web', 'prod-web'],
    ['default', 'my_web_', 'my-web'],
    ['default', 'a'.repeat(40), 'a'.repeat(32)],
  ])('of %s/%s is %s', (cluster, service, name) => {
    expect(balancerName(cluster, service)).toBe(name);
  });

  it.each(['internal-web', '___'])('cannot be %s', (service) => {
    expect(() => balancerName('default', service)).toThrow('--name');
  });
});

describe('answers of Query APIs', () => {
  it('are read with their lists, entities and empty elements', () => {
    const answer = parseXml(
      '<?xml version="1.0"?><R xmlns="x"><Tags><member><Key>a&amp;b</Key><Value/></member><member><Key>c</Key></member></Tags></R>',
    );
    expect(listOf(answer, 'Tags').map((tag) => textOf(tag, 'Key'))).toEqual(['a&b', 'c']);
    expect(textOf(answer, 'Value')).toBe('');
    expect(find(answer, 'Nothing')).toBeUndefined();
  });

  it.each(['', 'plain', '<', '</a>', '<a><b>', '<__proto__><x>1</x></__proto__>', '<a></b></c>'])(
    '%j disturbs nobody',
    (text) => {
      expect(() => parseXml(text)).not.toThrow();
      expect(({} as Record<string, unknown>)['x']).toBeUndefined();
    },
  );
});

describe('a second target group', () => {
  it('takes requests and is checked as the first one, whatever that was set to', async () => {
    const asked: URLSearchParams[] = [];
    const first =
      '<member><TargetGroupName>web</TargetGroupName><Protocol>HTTP</Protocol><ProtocolVersion>HTTP2</ProtocolVersion>' +
      '<Port>80</Port><VpcId>vpc-1</VpcId><TargetType>ip</TargetType><HealthCheckProtocol>HTTP</HealthCheckProtocol>' +
      '<HealthCheckPort>9000</HealthCheckPort><HealthCheckEnabled>true</HealthCheckEnabled><HealthCheckPath>/up</HealthCheckPath>' +
      '<HealthCheckIntervalSeconds>7</HealthCheckIntervalSeconds><HealthCheckTimeoutSeconds>3</HealthCheckTimeoutSeconds>' +
      '<HealthyThresholdCount>2</HealthyThresholdCount><UnhealthyThresholdCount>4</UnhealthyThresholdCount>' +
      '<Matcher><HttpCode>200-399</HttpCode></Matcher></member>';
    const server = createServer((request, response) => {
      void text(request).then((body) => {
        const input = new URLSearchParams(body);
        asked.push(input);
        const action = input.get('Action');
        if (action === 'CreateTargetGroup') return response.end('<R><TargetGroupArn>arn:next</TargetGroupArn></R>');
        if (input.has('TargetGroupArns.member.1')) return response.end(`<R><TargetGroups>${first}</TargetGroups></R>`);
        return response.writeHead(400).end('<R><Error><Code>TargetGroupNotFound</Code></Error></R>');
      });
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    vi.stubEnv('AWS_ENDPOINT_URL', `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIATEST');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    try {
      expect(await groupBeside('arn:web', 'default/web')).toBe('arn:next');
    } finally {
      vi.unstubAllEnvs();
      server.closeAllConnections();
      server.close();
    }
    expect(Object.fromEntries(asked.at(-1) ?? [])).toEqual({
      Action: 'CreateTargetGroup',
      Version: '2015-12-01',
      Name: 'web-next',
      Protocol: 'HTTP',
      ProtocolVersion: 'HTTP2',
      Port: '80',
      VpcId: 'vpc-1',
      TargetType: 'ip',
      HealthCheckProtocol: 'HTTP',
      HealthCheckPort: '9000',
      HealthCheckPath: '/up',
      HealthCheckIntervalSeconds: '7',
      HealthCheckTimeoutSeconds: '3',
      HealthyThresholdCount: '2',
      UnhealthyThresholdCount: '4',
      'Matcher.HttpCode': '200-399',
      'Tags.member.1.Key': 'slipway:expose',
      'Tags.member.1.Value': 'default/web',
    });
  });
});
