import {
  CreateClusterCommand,
  CreateServiceCommand,
  type CreateServiceCommandInput,
  DescribeServicesCommand,
  type Service,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { findService, setFollow } from '../services/index.ts';
import { account, openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
let cluster: string;
let clusters = 0;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api[Symbol.asyncDispose]());

async function newCluster(): Promise<void> {
  cluster = `services-follow-${++clusters}`;
  await api.ecs.send(new CreateClusterCommand({ clusterName: cluster }));
}

const create = (input: Partial<CreateServiceCommandInput>) =>
  api.ecs.send(new CreateServiceCommand({ cluster, serviceName: 'web', desiredCount: 0, ...input }));

async function described(service = 'web'): Promise<Service> {
  const { services } = await api.ecs.send(
    new DescribeServicesCommand({ cluster, services: [service], include: ['TAGS'] }),
  );
  if (services?.[0] === undefined) throw new Error(`service ${service} is missing`);
  return services[0];
}

describe('the tag slipway:follow', () => {
  const ref = () => ({ account, cluster, service: 'web' });
  const arn = () => `arn:aws:ecs:us-east-1:000000000000:service/${cluster}/web`;
  const rule = async () => (await findService(api.ports, ref()))?.follow;

  test.each([
    ['true', { mode: 'tags' }],
    ['pattern:v*', { mode: 'pattern', pattern: 'v*' }],
    ['semver:^1.2', { mode: 'semver', range: '^1.2' }],
    ['semver:>=1.2 <2 || 3.x', { mode: 'semver', range: '>=1.2 <2 || 3.x' }],
    ['false', undefined],
  ])('%s at creation', async (value, expected) => {
    await newCluster();
    const { taskDefinitionArn } = await api.define();
    await create({ taskDefinition: taskDefinitionArn, tags: [{ key: 'slipway:follow', value }] });
    expect(await rule()).toEqual(expected);
  });

  test('TagResource sets it, UntagResource clears it, and a bad value changes nothing', async () => {
    await newCluster();
    const { taskDefinitionArn } = await api.define();
    await create({ taskDefinition: taskDefinitionArn });
    const tag = (value: string) =>
      api.ecs.send(new TagResourceCommand({ resourceArn: arn(), tags: [{ key: 'slipway:follow', value }] }));
    await tag('true');
    expect(await rule()).toEqual({ mode: 'tags' });
    for (const bad of ['yes', 'pattern:', 'pattern:a b', 'semver:', 'semver:one', 'semver:a.b']) {
      await expect(tag(bad)).rejects.toThrow(/Invalid value .* of tag 'slipway:follow'/);
    }
    expect(await rule()).toEqual({ mode: 'tags' });
    await api.ecs.send(new UntagResourceCommand({ resourceArn: arn(), tagKeys: ['slipway:follow'] }));
    expect(await rule()).toBeUndefined();
    expect((await described()).tags).toEqual([]);
  });

  test('setting it needs what an UpdateService to the running revision needs, removing it what one without a revision does', async () => {
    await newCluster();
    const role = `arn:aws:iam::${account}:role/web-task`;
    const { taskDefinitionArn } = await api.define({ taskRoleArn: role });
    const rights = async (work: () => Promise<unknown>): Promise<string[]> => {
      api.asked.length = 0;
      await work();
      return api.asked.map(({ action, resources }) => `${action} ${resources[0]?.arn.split(':').at(-1)}`);
    };
    const update = `ecs:UpdateService service/${cluster}/web`;
    const pass = 'iam:PassRole role/web-task';
    const tag = { key: 'slipway:follow', value: 'true' };
    const created = await rights(() => create({ taskDefinition: taskDefinitionArn, tags: [tag] }));
    expect(created.filter((right) => right === update || right === pass)).toEqual([update, pass]);
    const follower = (await findService(api.ports, ref()))?.followedBy;
    expect(follower).toMatchObject({ type: 'user', arn: `arn:aws:iam::${account}:user/admin` });
    expect(
      await rights(() => api.ecs.send(new UntagResourceCommand({ resourceArn: arn(), tagKeys: [tag.key] }))),
    ).toEqual([`ecs:UntagResource service/${cluster}/web`, update]);
    expect((await findService(api.ports, ref()))?.followedBy).toBeUndefined();
    const set = () => api.ecs.send(new TagResourceCommand({ resourceArn: arn(), tags: [tag] }));
    expect(await rights(set)).toEqual([`ecs:TagResource service/${cluster}/web`, update, pass]);
    const other = () => api.ecs.send(new TagResourceCommand({ resourceArn: arn(), tags: [{ key: 'a', value: 'b' }] }));
    expect(await rights(other)).toEqual([`ecs:TagResource service/${cluster}/web`]);
    expect((await findService(api.ports, ref()))?.followedBy).toEqual(follower);
    for (const action of ['ecs:UpdateService', 'iam:PassRole']) {
      api.denied.add(action);
      await expect(set()).rejects.toMatchObject({ name: 'AccessDeniedException' });
      const name = `denied-${action.split(':')[0]}`;
      const made = create({ serviceName: name, taskDefinition: taskDefinitionArn, tags: [tag] });
      await expect(made).rejects.toMatchObject({ name: 'AccessDeniedException' });
      api.denied.delete(action);
    }
    api.denied.add('ecs:UpdateService');
    const untag = api.ecs.send(new UntagResourceCommand({ resourceArn: arn(), tagKeys: [tag.key] }));
    await expect(untag).rejects.toMatchObject({ name: 'AccessDeniedException' });
    api.denied.clear();
    expect(await rule()).toEqual({ mode: 'tags' });
  });

  test('setFollow shows as a tag', async () => {
    await newCluster();
    const { taskDefinitionArn } = await api.define();
    await create({ taskDefinition: taskDefinitionArn });
    const setter = { type: 'user', account, arn: `arn:aws:iam::${account}:user/setter`, id: 'AIDASETTER' } as const;
    await setFollow(api.ports, ref(), { mode: 'pattern', pattern: 'v*' }, setter);
    expect((await described()).tags).toEqual([{ key: 'slipway:follow', value: 'pattern:v*' }]);
    await setFollow(api.ports, ref(), undefined, setter);
    expect((await described()).tags).toEqual([]);
  });
});
