import { expect, test } from 'vitest';

import { parseAppSpec } from './appspec.ts';

const yaml = `version: 0.0
Resources:
  - TargetService:
      Type: AWS::ECS::Service
      Properties:
        TaskDefinition: "arn:aws:ecs:us-east-1:000000000000:task-definition/web:2"
        LoadBalancerInfo:
          ContainerName: "main"
          ContainerPort: 80
Hooks:
  - BeforeInstall: "https://hooks.test/before"
  - AfterAllowTraffic: PAUSE
`;
const read = {
  taskDefinition: 'arn:aws:ecs:us-east-1:000000000000:task-definition/web:2',
  containerName: 'main',
  containerPort: 80,
  hooks: [
    { event: 'BeforeInstall', target: 'https://hooks.test/before', where: 'line 11: Hooks[0].BeforeInstall' },
    { event: 'AfterAllowTraffic', target: 'PAUSE', where: 'line 12: Hooks[1].AfterAllowTraffic' },
  ],
};

test('YAML and JSON say the same, names of members in whatever case', () => {
  expect(parseAppSpec(yaml)).toEqual(read);
  const { hooks: _, ...rest } = read;
  const json = {
    version: 0.0,
    resources: [
      {
        web: {
          type: 'AWS::ECS::Service',
          properties: {
            taskDefinition: read.taskDefinition,
            loadBalancerInfo: { containerName: 'main', containerPort: 80 },
          },
        },
      },
    ],
  };
  expect(parseAppSpec(JSON.stringify(json))).toEqual({ ...rest, hooks: [] });
  expect(parseAppSpec(JSON.stringify(json, undefined, 2))).toEqual({ ...rest, hooks: [] });
});

test('everything that ECS has an AppSpec for is read', () => {
  const given = yaml.replace(
    'Hooks:',
    `        PlatformVersion: LATEST
        NetworkConfiguration: { AwsvpcConfiguration: { Subnets: [subnet-1], SecurityGroups: [sg-1], AssignPublicIp: ENABLED } }
        CapacityProviderStrategy: [ { Base: 1, CapacityProvider: FARGATE, Weight: 1 } ]
Hooks:`,
  );
  expect(parseAppSpec(given)).toMatchObject({
    platformVersion: 'LATEST',
    network: { subnets: ['subnet-1'], securityGroups: ['sg-1'], assignPublicIp: 'ENABLED' },
    providers: [{ capacityProvider: 'FARGATE', base: 1, weight: 1 }],
  });
});

test.each([
  [
    'an unknown member',
    yaml.replace('ContainerPort', 'ContainerDoor'),
    /line 9: .*LoadBalancerInfo\.ContainerDoor is not known/,
  ],
  ['no port', yaml.replace(/ +ContainerPort: 80\n/, ''), /line 8: .*ContainerPort is missing/],
  ['a port in words', yaml.replace('80', 'http'), /line 9: .*ContainerPort must be a whole number/],
  ['another version', yaml.replace('0.0', '1.0'), /line 1: version must be 0\.0/],
  [
    'another type',
    yaml.replace('AWS::ECS::Service', 'AWS::Lambda::Function'),
    /line 4: .*Type must be AWS::ECS::Service/,
  ],
  ['an unknown event', yaml.replace('BeforeInstall', 'BeforeLunch'), /line 11: Hooks\[0\]\.BeforeLunch is no event/],
  ['one event twice', yaml.replace('AfterAllowTraffic', 'BeforeInstall'), /line 12: .*twice/],
  ['no resources', 'version: 0.0\n', /line 1: Resources must be a list/],
  ['a broken text', 'version: 0.0\nResources: [', /line 2: /],
  ['a key twice', 'version: 0.0\nversion: 0.0\n', /line 2: /],
  ['nothing', '', /the AppSpec must be a map/],
  ['a text', 'hello', /the AppSpec must be a map/],
  ['an alias', yaml.replace('"main"', '*name'), /line 8: /],
  ['brackets without end', '['.repeat(16_384), /not valid/],
])('%s is refused with its line', (_, text, message) => {
  expect(() => parseAppSpec(text)).toThrow(message);
});
