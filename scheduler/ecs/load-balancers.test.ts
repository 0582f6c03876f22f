import {
  CreateServiceCommand,
  type CreateServiceCommandInput,
  DescribeServicesCommand,
  type LoadBalancer,
  type Service,
  UpdateServiceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openApi, type TestApi } from './testing/open-api.ts';

const groupArn = (name: string): string =>
  `arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/${name}/0123456789abcdef`;
const web = groupArn('web');

let api: TestApi;
let services = 0;
beforeAll(async () => {
  api = await openApi();
  await api.define({
    family: 'web',
    containerDefinitions: [
      {
        name: 'main',
        image: 'busybox',
        memory: 64,
        portMappings: [
          { containerPort: 80 },
          { containerPort: 53, protocol: 'udp' },
          { containerPortRange: '9000-9010' },
        ],
      },
    ],
  });
  await api.define({ family: 'bare' });
  api.groups.set(web, { targetType: 'instance', usedBy: 'web' });
  for (const name of ['one', 'two', 'three', 'four', 'five'])
    api.groups.set(groupArn(name), { targetType: 'instance', usedBy: 'web' });
  api.groups.set(groupArn('ip'), { targetType: 'ip', usedBy: 'web' });
  api.groups.set(groupArn('unused'), { targetType: 'instance', usedBy: undefined });
});
afterAll(() => api[Symbol.asyncDispose]());

const balancer = (more: LoadBalancer = {}): LoadBalancer => ({
  targetGroupArn: web,
  containerName: 'main',
  containerPort: 80,
  ...more,
});

const create = async (
  loadBalancers: LoadBalancer[],
  more: Partial<CreateServiceCommandInput> = {},
): Promise<Service> => {
  const serviceName = `web-${++services}`;
  const input = { serviceName, taskDefinition: 'web', desiredCount: 0, loadBalancers, ...more };
  return (await api.ecs.send(new CreateServiceCommand(input))).service ?? {};
};

describe('a service with load balancers', () => {
  test('reads back as on AWS, with the service-linked role and a grace period', async () => {
    const made = await create([balancer(), balancer({ targetGroupArn: groupArn('one'), containerPort: 9005 })]);
    const { services: read } = await api.ecs.send(new DescribeServicesCommand({ services: [made.serviceName ?? ''] }));
    expect(read?.[0]).toMatchObject({
      loadBalancers: [balancer(), balancer({ targetGroupArn: groupArn('one'), containerPort: 9005 })],
      roleArn: 'arn:aws:iam::000000000000:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS',
      healthCheckGracePeriodSeconds: 0,
    });
    expect(read?.[0]).not.toHaveProperty('networkConfiguration');
  });

  test('is created once, however often it is asked for, and not with others under its name', async () => {
    const made = await create([balancer()]);
    const again = { serviceName: made.serviceName, taskDefinition: 'web', desiredCount: 0 };
    const send = (loadBalancers?: LoadBalancer[]) =>
      api.ecs.send(new CreateServiceCommand({ ...again, ...(loadBalancers && { loadBalancers }) }));
    expect((await send([balancer()])).service?.serviceArn).toBe(made.serviceArn);
    await expect(send([balancer({ containerPort: 9000 })])).rejects.toThrow('Creation of service was not idempotent.');
    await expect(send()).rejects.toThrow('Creation of service was not idempotent.');
  });

  test('begins a deployment when they change, and none when only the grace period does', async () => {
    const { serviceName: service = '', deployments: [first] = [] } = await create([balancer()]);
    const update = async (input: object): Promise<Service> =>
      (await api.ecs.send(new UpdateServiceCommand({ service, ...input }))).service ?? {};
    const primary = ({ deployments = [] }: Service) => deployments.find(({ status }) => status === 'PRIMARY')?.id;
    const graced = await update({ healthCheckGracePeriodSeconds: 30 });
    expect([primary(graced), graced.healthCheckGracePeriodSeconds]).toEqual([first?.id, 30]);
    expect(primary(await update({ loadBalancers: [balancer()] }))).toBe(first?.id);
    const moved = await update({ loadBalancers: [balancer({ targetGroupArn: groupArn('two') })] });
    expect(primary(moved)).not.toBe(first?.id);
    expect(moved.loadBalancers).toEqual([balancer({ targetGroupArn: groupArn('two') })]);
    const none = await update({ loadBalancers: [] });
    expect(primary(none)).not.toBe(primary(moved));
    expect([none.loadBalancers, none.roleArn]).toEqual([[], undefined]);
  });

  test('is not moved to a revision that lacks the port', async () => {
    const { serviceName: service } = await create([balancer()]);
    await expect(api.ecs.send(new UpdateServiceCommand({ service, taskDefinition: 'bare' }))).rejects.toThrow(
      'The container main did not have a container port 80 defined.',
    );
  });

  test('waits for a listener that is made at the same time', async () => {
    api.groups.set(groupArn('late'), { targetType: 'instance', usedBy: undefined });
    const made = create([balancer({ targetGroupArn: groupArn('late') })]);
    api.groups.set(groupArn('late'), { targetType: 'instance', usedBy: 'web' });
    expect((await made).loadBalancers).toHaveLength(1);
  });

  const groups = ['one', 'two', 'three', 'four', 'five', 'web'].map((name) =>
    balancer({ targetGroupArn: groupArn(name) }),
  );
  test.each<readonly [string, LoadBalancer[], string]>([
    ['six groups', groups, 'load balancers can have at most 5 items, not 6.'],
    ['the same twice', [balancer(), balancer()], 'load balancers can not have duplicates'],
    ['no group', [{ containerName: 'main', containerPort: 80 }], 'Target group ARN can not be blank.'],
    ['no container', [balancer({ containerName: '' })], 'Container name can not be blank.'],
    ['no port', [balancer({ containerPort: 0 })], 'containerPort must be a whole number from 1 to 65535.'],
    [
      'a container that is not there',
      [balancer({ containerName: 'x' })],
      'The container x does not exist in the task definition.',
    ],
    [
      'a port that is not there',
      [balancer({ containerPort: 8999 })],
      'The container main did not have a container port 8999 defined.',
    ],
    [
      'a port of UDP',
      [balancer({ containerPort: 53 })],
      'The container main did not have a container port 53 defined.',
    ],
    [
      'a group that is not there',
      [balancer({ targetGroupArn: groupArn('nobody') })],
      `The target group with targetGroupArn ${groupArn('nobody')} does not exist.`,
    ],
    [
      'targets of another type',
      [balancer({ targetGroupArn: groupArn('ip') })],
      `The provided target group ${groupArn('ip')} has target type ip, which is incompatible with the bridge network mode specified in the task definition.`,
    ],
    [
      'a group that nothing forwards to',
      [balancer({ targetGroupArn: groupArn('unused') })],
      `The target group with targetGroupArn ${groupArn('unused')} does not have an associated load balancer.`,
    ],
    ['a Classic Load Balancer', [{ loadBalancerName: 'old', containerName: 'main', containerPort: 80 }], 'Classic'],
  ])('is refused with %s', { timeout: 60_000 }, async (_what, loadBalancers, message) => {
    const refused = create(loadBalancers);
    await expect(refused).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringContaining(message) as string,
    });
  });
});
