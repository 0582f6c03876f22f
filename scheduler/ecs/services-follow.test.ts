import { type CreateServiceCommandInput, TagResourceCommand, UntagResourceCommand } from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { findService, setFollow } from '../services/index.ts';
import { account, openApi, type TestApi } from './testing/open-api.ts';
import { createService, describeService } from './testing/services.ts';

let api: TestApi;
let cluster: string;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const create = (input: Partial<CreateServiceCommandInput>) => createService(api, { cluster, ...input });
const described = () => describeService(api, cluster);

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
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    await create({ taskDefinition: taskDefinitionArn, tags: [{ key: 'slipway:follow', value }] });
    expect(await rule()).toEqual(expected);
  });

  test('TagResource sets it, UntagResource clears it, and a bad value changes nothing', async () => {
    cluster = await api.newCluster();
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
    cluster = await api.newCluster();
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
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    await create({ taskDefinition: taskDefinitionArn });
    const setter = { type: 'user', account, arn: `arn:aws:iam::${account}:user/setter`, id: 'AIDASETTER' } as const;
    await setFollow(api.ports, ref(), { mode: 'pattern', pattern: 'v*' }, setter);
    expect((await described()).tags).toEqual([{ key: 'slipway:follow', value: 'pattern:v*' }]);
    await setFollow(api.ports, ref(), undefined, setter);
    expect((await described()).tags).toEqual([]);
  });
});

describe('the tag slipway:restart-on-secrets', () => {
  test('is true or false, at creation and later', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    const tagged = (value: string) => [{ key: 'slipway:restart-on-secrets', value }];
    const why = {
      name: 'InvalidParameterException',
      message: expect.stringContaining("use 'true' or 'false'") as string,
    };
    await expect(create({ taskDefinition: taskDefinitionArn, tags: tagged('yes') })).rejects.toMatchObject(why);
    await create({ taskDefinition: taskDefinitionArn, tags: tagged('true') });
    const resourceArn = `arn:aws:ecs:us-east-1:000000000000:service/${cluster}/web`;
    await expect(api.ecs.send(new TagResourceCommand({ resourceArn, tags: tagged('1') }))).rejects.toMatchObject(why);
    await api.ecs.send(new TagResourceCommand({ resourceArn, tags: tagged('false') }));
    const found = await findService(api.ports, { account, cluster, service: 'web' });
    expect(found?.tags['slipway:restart-on-secrets']).toBe('false');
  });
});

describe('the tag slipway:judge', () => {
  const ref = () => ({ account, cluster, service: 'web' });
  const arn = () => `arn:aws:ecs:us-east-1:000000000000:service/${cluster}/web`;
  const rule = async () => (await findService(api.ports, ref()))?.judge;
  const tag = (value: string) =>
    api.ecs.send(new TagResourceCommand({ resourceArn: arn(), tags: [{ key: 'slipway:judge', value }] }));
  const usual = { failed: 1, slow: 5, alpha: 1, beta: 5, within: 60, otherwise: 'rollback' };
  const open = async (value?: string): Promise<void> => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    await create({
      taskDefinition: taskDefinitionArn,
      ...(value === undefined ? {} : { tags: [{ key: 'slipway:judge', value }] }),
    });
  };

  test('stands for a rule, in full or in parts, at creation and later, and is cleared', async () => {
    await open('true');
    expect(await rule()).toEqual(usual);
    const { slow: _, ...failedOnly } = usual;
    for (const [value, expected] of [
      ['failed:0.5  slow:off', { ...failedOnly, failed: 0.5 }],
      [
        'slow:10 alpha:0.1 beta:20 within:5 else:continue',
        { ...usual, slow: 10, alpha: 0.1, beta: 20, within: 5, otherwise: 'continue' },
      ],
      ['failed:off else:wait', { slow: 5, alpha: 1, beta: 5, within: 60, otherwise: 'wait' }],
      ['false', undefined],
      ['failed:2', { ...usual, failed: 2 }],
    ] as const) {
      await tag(value);
      expect(await rule()).toEqual(expected);
    }
    await api.ecs.send(new UntagResourceCommand({ resourceArn: arn(), tagKeys: ['slipway:judge'] }));
    expect(await rule()).toBeUndefined();
  });

  test.each([
    ['yes', "'yes' is not a member"],
    ['', 'it is empty'],
    ['failed:off slow:off', 'nothing is left to judge by'],
    ['failed:1 failed:2', 'is there twice'],
    ['failed:0', 'not a number from 0.1 to 50'],
    ['failed:1e1', 'not a number from'],
    ['alpha:off', 'not a number from'],
    ['within:1441', 'not a number from 1 to 1440'],
    ['else:stop', 'else:rollback, else:continue and else:wait'],
    ['toString:1', 'is not a member'],
    ['constructor:1', 'is not a member'],
    [`failed:${'9'.repeat(200)}`, 'not a number from'],
  ])('%s is refused, and changes nothing', async (value, why) => {
    await open('failed:3');
    await expect(tag(value)).rejects.toMatchObject({
      name: 'InvalidParameterException',
      message: expect.stringContaining(why) as string,
    });
    expect(await rule()).toEqual({ ...usual, failed: 3 });
    const { taskDefinitionArn } = await api.define();
    const tags = [{ key: 'slipway:judge', value }];
    await expect(create({ serviceName: 'other', taskDefinition: taskDefinitionArn, tags })).rejects.toMatchObject({
      name: 'InvalidParameterException',
    });
  });

  test('setting and removing it needs the right to update the service', async () => {
    await open('true');
    const update = `ecs:UpdateService service/${cluster}/web`;
    const rights = async (work: () => Promise<unknown>): Promise<string[]> => {
      api.asked.length = 0;
      await work();
      return api.asked.map(({ action, resources }) => `${action} ${resources[0]?.arn.split(':').at(-1)}`);
    };
    const untag = () => api.ecs.send(new UntagResourceCommand({ resourceArn: arn(), tagKeys: ['slipway:judge'] }));
    expect(await rights(() => tag('true'))).toEqual([`ecs:TagResource service/${cluster}/web`, update]);
    expect(await rights(untag)).toEqual([`ecs:UntagResource service/${cluster}/web`, update]);
    api.denied.add('ecs:UpdateService');
    await expect(tag('true')).rejects.toMatchObject({ name: 'AccessDeniedException' });
    await expect(untag()).rejects.toMatchObject({ name: 'AccessDeniedException' });
    const { taskDefinitionArn } = await api.define();
    const tags = [{ key: 'slipway:judge', value: 'true' }];
    await expect(create({ serviceName: 'new', taskDefinition: taskDefinitionArn, tags })).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
    api.denied.clear();
    expect(await rule()).toBeUndefined();
  });

  test('a service whose task sets are made by somebody else is judged by nobody here', async () => {
    cluster = await api.newCluster();
    await create({ deploymentController: { type: 'EXTERNAL' } });
    await expect(tag('true')).rejects.toMatchObject({ message: expect.stringContaining('EXTERNAL') as string });
  });
});

describe('the tag slipway:rebalance', () => {
  const arn = () => `arn:aws:ecs:us-east-1:000000000000:service/${cluster}/web`;
  const tag = (value: string) =>
    api.ecs.send(new TagResourceCommand({ resourceArn: arn(), tags: [{ key: 'slipway:rebalance', value }] }));

  test('is set by those who may change the service, and says true or false', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    await create({ taskDefinition: taskDefinitionArn, tags: [{ key: 'slipway:rebalance', value: 'true' }] });
    expect((await described()).tags).toEqual([{ key: 'slipway:rebalance', value: 'true' }]);
    await tag('false');
    await expect(tag('yes')).rejects.toThrow("Invalid value 'yes' of tag 'slipway:rebalance': use 'true' or 'false'.");
    api.denied.add('ecs:UpdateService');
    await expect(tag('true')).rejects.toThrow(/ecs:UpdateService/);
    const removal = new UntagResourceCommand({ resourceArn: arn(), tagKeys: ['slipway:rebalance'] });
    await expect(api.ecs.send(removal)).rejects.toThrow(/ecs:UpdateService/);
    const made = { serviceName: 'other', taskDefinition: taskDefinitionArn };
    await expect(create({ ...made, tags: [{ key: 'slipway:rebalance', value: 'true' }] })).rejects.toThrow(
      /ecs:UpdateService/,
    );
    api.denied.clear();
    await api.ecs.send(removal);
    expect((await described()).tags).toEqual([]);
  });

  test('is refused where no task can be started before another one ends', async () => {
    cluster = await api.newCluster();
    const { taskDefinitionArn } = await api.define();
    const tags = [{ key: 'slipway:rebalance', value: 'true' }];
    await expect(
      create({ taskDefinition: taskDefinitionArn, schedulingStrategy: 'DAEMON', desiredCount: undefined, tags }),
    ).rejects.toThrow(/cannot be moved: the scheduling strategy is DAEMON/);
    const deploymentConfiguration = { maximumPercent: 100, minimumHealthyPercent: 50 };
    await expect(create({ taskDefinition: taskDefinitionArn, deploymentConfiguration, tags })).rejects.toThrow(
      /cannot be moved: maximumPercent is 100/,
    );
    await create({ taskDefinition: taskDefinitionArn, deploymentConfiguration });
    await expect(tag('true')).rejects.toThrow(/cannot be moved: maximumPercent is 100/);
    await tag('false');
  });
});
