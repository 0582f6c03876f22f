import {
  CreateClusterCommand,
  CreateServiceCommand,
  DeleteTaskDefinitionsCommand,
  DeregisterTaskDefinitionCommand,
  DescribeTaskDefinitionCommand,
  DeleteAccountSettingCommand,
  ListAccountSettingsCommand,
  ListClustersCommand,
  ListTagsForResourceCommand,
  PutAccountSettingCommand,
  PutAccountSettingDefaultCommand,
  RunTaskCommand,
  StopTaskCommand,
  TagResourceCommand,
  UntagResourceCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { sweepDefinitions } from '../tasks/index.ts';
import { account, openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const tagsOf = async (resourceArn: string | undefined) =>
  (await api.ecs.send(new ListTagsForResourceCommand({ resourceArn }))).tags;

describe('tags', () => {
  test('every kind of resource takes and loses tags, and its tags reach the authorizer', async () => {
    const instance = await api.addInstance();
    const { taskDefinitionArn } = await api.define();
    const { tasks } = await api.ecs.send(new RunTaskCommand({ taskDefinition: taskDefinitionArn }));
    const { service } = await api.ecs.send(
      new CreateServiceCommand({ serviceName: 'tagged', taskDefinition: taskDefinitionArn, desiredCount: 0 }),
    );
    const arns = [
      'arn:aws:ecs:us-east-1:000000000000:cluster/default',
      instance,
      taskDefinitionArn,
      tasks?.[0]?.taskArn,
      service?.serviceArn,
    ];
    for (const resourceArn of arns) {
      await api.ecs.send(
        new TagResourceCommand({
          resourceArn,
          tags: [
            { key: 'a', value: '1' },
            { key: 'b', value: '' },
          ],
        }),
      );
      await api.ecs.send(new TagResourceCommand({ resourceArn, tags: [{ key: 'a', value: '2' }] }));
      expect(await tagsOf(resourceArn)).toEqual([
        { key: 'a', value: '2' },
        { key: 'b', value: '' },
      ]);
      expect(api.asked.at(-1)).toEqual({
        action: 'ecs:ListTagsForResource',
        resources: [{ arn: resourceArn, tags: { a: '2', b: '' } }],
      });
      await api.ecs.send(new UntagResourceCommand({ resourceArn, tagKeys: ['a', 'nothing'] }));
      expect(await tagsOf(resourceArn)).toEqual([{ key: 'b', value: '' }]);
    }
  });

  test('what is not there, has no tags, or would have too many is refused', async () => {
    const tag = (resourceArn: string, tags: { key: string; value: string }[]) =>
      api.ecs.send(new TagResourceCommand({ resourceArn, tags }));
    const ecs = 'arn:aws:ecs:us-east-1:000000000000';
    const cluster = `${ecs}:cluster`;
    await expect(tag(`${cluster}/nothing`, [])).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    await expect(tag(`${ecs}:capacity-provider/x`, [])).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
    await expect(tag(`${ecs}:daemon-definition/x`, [])).rejects.toMatchObject({ name: 'InvalidParameterException' });
    await expect(tag('default', [])).rejects.toThrow(/not an ECS ARN/);
    const many = Array.from({ length: 51 }, (_, n) => ({ key: `k${n}`, value: '' }));
    await expect(tag(`${cluster}/default`, many)).rejects.toThrow(/50/);
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'full', tags: many.slice(0, 50) }));
    await expect(tag(`${cluster}/full`, [{ key: 'one-more', value: '' }])).rejects.toThrow(/50/);
  });

  test('tags at creation need ecs:TagResource', async () => {
    const { taskDefinitionArn } = await api.define();
    api.denied.add('ecs:TagResource');
    const create = (tags: { key: string; value: string }[]) =>
      api.ecs.send(
        new CreateServiceCommand({ serviceName: 'untagged', taskDefinition: taskDefinitionArn, desiredCount: 0, tags }),
      );
    await expect(create([{ key: 'a', value: '1' }])).rejects.toMatchObject({ name: 'AccessDeniedException' });
    await expect(create([])).resolves.toBeDefined();
    api.denied.clear();
  });
});

describe('account settings', () => {
  test('they read as what they are, and most cannot be put to anything else', async () => {
    const { settings } = await api.ecs.send(
      new ListAccountSettingsCommand({ effectiveSettings: true, name: 'taskLongArnFormat' }),
    );
    expect(settings).toMatchObject([{ name: 'taskLongArnFormat', value: 'enabled' }]);
    const put = (value: string) => api.ecs.send(new PutAccountSettingDefaultCommand({ name: 'awsvpcTrunking', value }));
    expect((await put('disabled')).setting).toMatchObject({ name: 'awsvpcTrunking', value: 'disabled' });
    await expect(put('enabled')).rejects.toMatchObject({ name: 'InvalidParameterException' });
  });

  test('Container Insights of new clusters: what was put for the caller, else for everybody; a cluster may say otherwise', async () => {
    const name = 'containerInsights';
    const made = async (clusterName: string, value?: string) => {
      const settings = value === undefined ? {} : { settings: [{ name: name as 'containerInsights', value }] };
      return (await api.ecs.send(new CreateClusterCommand({ clusterName, ...settings }))).cluster?.settings?.[0]?.value;
    };
    const effective = async () =>
      (await api.ecs.send(new ListAccountSettingsCommand({ effectiveSettings: true, name }))).settings?.[0]?.value;
    expect(await effective()).toBe('disabled');
    await api.ecs.send(new PutAccountSettingDefaultCommand({ name, value: 'enabled' }));
    expect(await effective()).toBe('enabled');
    expect(await made('by-default')).toBe('enabled');
    await api.ecs.send(new PutAccountSettingCommand({ name, value: 'enhanced' }));
    expect(await made('by-caller')).toBe('enhanced');
    expect(await made('by-itself', 'disabled')).toBe('disabled');
    await expect(api.ecs.send(new PutAccountSettingCommand({ name, value: 'on' }))).rejects.toThrow(
      "Use one of 'disabled', 'enabled', 'enhanced'.",
    );
    await api.ecs.send(new DeleteAccountSettingCommand({ name }));
    expect(await effective()).toBe('enabled');
    const principalArn = `arn:aws:iam::${account}:root`;
    await api.ecs.send(new DeleteAccountSettingCommand({ name, principalArn }));
    expect(await effective()).toBe('disabled');
  });

  test('what was put is listed for whom it was put, until it is deleted; effective settings are all of them', async () => {
    const list = async (input: object = {}) =>
      (await api.ecs.send(new ListAccountSettingsCommand(input))).settings?.map(({ name }) => name);
    expect(await list()).toEqual([]);
    const name = 'taskLongArnFormat';
    const { setting } = await api.ecs.send(new PutAccountSettingCommand({ name, value: 'enabled' }));
    expect(setting).toMatchObject({ name, value: 'enabled', principalArn: `arn:aws:iam::${account}:user/admin` });
    const principalArn = `arn:aws:iam::${account}:role/ci`;
    await api.ecs.send(new PutAccountSettingCommand({ name: 'awsvpcTrunking', value: 'disabled', principalArn }));
    expect(await list()).toEqual([name]);
    expect(await list({ name, value: 'enabled' })).toEqual([name]);
    expect(await list({ name, value: 'disabled' })).toEqual([]);
    expect(await list({ principalArn })).toEqual(['awsvpcTrunking']);
    expect((await list({ effectiveSettings: true }))?.length).toBeGreaterThan(8);
    await api.ecs.send(new PutAccountSettingDefaultCommand({ name: 'containerInsights', value: 'disabled' }));
    expect(await list({ principalArn: `arn:aws:iam::${account}:root` })).toContain('containerInsights');
    await api.ecs.send(new DeleteAccountSettingCommand({ name }));
    expect(await list()).toEqual([]);
    for (const other of ['arn:aws:iam::111111111111:role/ci', `arn:aws:iam::${account}:group/x`, 'me'])
      await expect(
        api.ecs.send(new PutAccountSettingCommand({ name, value: 'enabled', principalArn: other })),
      ).rejects.toMatchObject({ name: 'InvalidParameterException' });
  });
});

describe('authorization', () => {
  test('an operation that is refused says who, what and on which resource', async () => {
    api.denied.add('ecs:ListClusters');
    await expect(api.ecs.send(new ListClustersCommand({}))).rejects.toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringContaining('is not authorized to perform: ecs:ListClusters') as string,
    });
    api.denied.clear();
  });
});

describe('deleted task definitions', () => {
  test('one goes when no task and no service needs it any more', async () => {
    await api.addInstance();
    const used = await api.define();
    const unused = await api.define();
    const { tasks } = await api.ecs.send(new RunTaskCommand({ taskDefinition: used.taskDefinitionArn }));
    for (const { taskDefinitionArn } of [used, unused]) {
      await api.ecs.send(new DeregisterTaskDefinitionCommand({ taskDefinition: taskDefinitionArn }));
      await api.ecs.send(new DeleteTaskDefinitionsCommand({ taskDefinitions: [taskDefinitionArn ?? ''] }));
    }
    expect(await sweepDefinitions(api.ports, account)).toEqual([unused.taskDefinitionArn]);
    const gone = new DescribeTaskDefinitionCommand({ taskDefinition: unused.taskDefinitionArn });
    await expect(api.ecs.send(gone)).rejects.toMatchObject({ name: 'ClientException' });
    await api.ecs.send(new StopTaskCommand({ task: tasks?.[0]?.taskArn }));
    await api.report(tasks?.[0]?.taskArn ?? '', 'STOPPED', 0);
    expect(await sweepDefinitions(api.ports, account)).toEqual([used.taskDefinitionArn]);
  });
});
