import {
  CreateClusterCommand,
  CreateServiceCommand,
  DeleteClusterCommand,
  DescribeClustersCommand,
  ListClustersCommand,
  RunTaskCommand,
  UpdateClusterCommand,
  UpdateClusterSettingsCommand,
} from '@aws-sdk/client-ecs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api[Symbol.asyncDispose]());

describe('clusters', () => {
  test('a cluster reads back as it was created, tags and settings when asked for', async () => {
    const { cluster } = await api.ecs.send(
      new CreateClusterCommand({ clusterName: 'shop', tags: [{ key: 'team', value: 'a' }] }),
    );
    expect(cluster).toEqual({
      clusterArn: 'arn:aws:ecs:us-east-1:000000000000:cluster/shop',
      clusterName: 'shop',
      status: 'ACTIVE',
      registeredContainerInstancesCount: 0,
      runningTasksCount: 0,
      pendingTasksCount: 0,
      activeServicesCount: 0,
      statistics: [],
      tags: [{ key: 'team', value: 'a' }],
      settings: [{ name: 'containerInsights', value: 'disabled' }],
      capacityProviders: [],
      defaultCapacityProviderStrategy: [],
    });
    const described = await api.ecs.send(new DescribeClustersCommand({ clusters: ['shop'] }));
    expect(described.clusters?.[0]).toMatchObject({ clusterName: 'shop', tags: [], settings: [] });
  });

  test('creating a cluster twice returns the first one', async () => {
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'twice', tags: [{ key: 'a', value: '1' }] }));
    const again = await api.ecs.send(new CreateClusterCommand({ clusterName: 'twice' }));
    expect(again.cluster?.tags).toEqual([{ key: 'a', value: '1' }]);
  });

  test('names, ARNs and nothing all name clusters; unknown ones are failures', async () => {
    const { clusters, failures } = await api.ecs.send(new DescribeClustersCommand({}));
    expect(clusters?.map(({ clusterName }) => clusterName)).toEqual(['default']);
    expect(failures).toEqual([]);
    const both = await api.ecs.send(
      new DescribeClustersCommand({ clusters: ['arn:aws:ecs:us-east-1:000000000000:cluster/default', 'nowhere'] }),
    );
    expect(both.clusters?.map(({ clusterName }) => clusterName)).toEqual(['default']);
    expect(both.failures).toEqual([{ arn: 'arn:aws:ecs:us-east-1:000000000000:cluster/nowhere', reason: 'MISSING' }]);
  });

  test('STATISTICS counts tasks and services by launch type', async () => {
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'counted' }));
    await api.addInstance({ cluster: 'counted' });
    const { taskDefinitionArn } = await api.define();
    await api.ecs.send(new RunTaskCommand({ cluster: 'counted', taskDefinition: taskDefinitionArn }));
    const { clusters } = await api.ecs.send(
      new DescribeClustersCommand({ clusters: ['counted'], include: ['STATISTICS'] }),
    );
    expect(clusters?.[0]).toMatchObject({
      registeredContainerInstancesCount: 1,
      pendingTasksCount: 1,
      runningTasksCount: 0,
    });
    expect(clusters?.[0]?.statistics).toContainEqual({ name: 'pendingEC2TasksCount', value: '1' });
    expect(clusters?.[0]?.statistics).toContainEqual({ name: 'activeEC2ServiceCount', value: '0' });
    expect(clusters?.[0]?.statistics).toHaveLength(12);
  });

  test('pages of ListClusters join to the whole list, and a token of another list is refused', async () => {
    for (const name of ['page-1', 'page-2', 'page-3'])
      await api.ecs.send(new CreateClusterCommand({ clusterName: name }));
    const whole = await api.ecs.send(new ListClustersCommand({}));
    const seen: string[] = [];
    let nextToken: string | undefined;
    do {
      const page = await api.ecs.send(new ListClustersCommand({ maxResults: 2, ...(nextToken ? { nextToken } : {}) }));
      expect(page.clusterArns?.length).toBeLessThanOrEqual(2);
      seen.push(...(page.clusterArns ?? []));
      nextToken = page.nextToken;
    } while (nextToken !== undefined);
    expect(seen).toEqual(whole.clusterArns);
    await expect(api.ecs.send(new ListClustersCommand({ nextToken: 'bm9uc2Vuc2U' }))).rejects.toMatchObject({
      name: 'InvalidParameterException',
    });
  });

  test('a cluster with instances, services or tasks cannot be deleted; an empty one becomes INACTIVE and can be made again', async () => {
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'busy' }));
    await api.addInstance({ cluster: 'busy' });
    await expect(api.ecs.send(new DeleteClusterCommand({ cluster: 'busy' }))).rejects.toMatchObject({
      name: 'ClusterContainsContainerInstancesException',
    });
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'served' }));
    const { taskDefinitionArn } = await api.define();
    await api.ecs.send(
      new CreateServiceCommand({
        cluster: 'served',
        serviceName: 's',
        taskDefinition: taskDefinitionArn,
        desiredCount: 0,
      }),
    );
    await expect(api.ecs.send(new DeleteClusterCommand({ cluster: 'served' }))).rejects.toMatchObject({
      name: 'ClusterContainsServicesException',
    });
    await api.ecs.send(new CreateClusterCommand({ clusterName: 'gone' }));
    const { cluster } = await api.ecs.send(new DeleteClusterCommand({ cluster: 'gone' }));
    expect(cluster?.status).toBe('INACTIVE');
    const listed = await api.ecs.send(new ListClustersCommand({}));
    expect(listed.clusterArns).not.toContain('arn:aws:ecs:us-east-1:000000000000:cluster/gone');
    await expect(api.ecs.send(new DeleteClusterCommand({ cluster: 'gone' }))).rejects.toMatchObject({
      name: 'ClusterNotFoundException',
    });
    const again = await api.ecs.send(new CreateClusterCommand({ clusterName: 'gone' }));
    expect(again.cluster?.status).toBe('ACTIVE');
  });

  test.each([
    ['a bad name', { clusterName: 'no spaces' }],
    ['an ARN as a name', { clusterName: 'arn:aws:ecs:us-east-1:000000000000:cluster/x' }],
    ['no value of a setting', { clusterName: 'x', settings: [{ name: 'containerInsights' as const, value: 'on' }] }],
    ['capacity providers of Auto Scaling groups', { clusterName: 'x', capacityProviders: ['own'] }],
    ['a reserved tag', { clusterName: 'x', tags: [{ key: 'aws:x', value: '' }] }],
    [
      'a tag twice',
      {
        clusterName: 'x',
        tags: [
          { key: 'a', value: '1' },
          { key: 'a', value: '2' },
        ],
      },
    ],
  ])('CreateCluster refuses %s', async (_what, input) => {
    await expect(api.ecs.send(new CreateClusterCommand(input))).rejects.toMatchObject({
      name: 'InvalidParameterException',
    });
    const { failures } = await api.ecs.send(new DescribeClustersCommand({ clusters: ['x'] }));
    expect(failures).toHaveLength(1);
  });

  test.each(['enabled', 'enhanced'])('Container Insights can be %s, from the start and later', async (value) => {
    const settings = [{ name: 'containerInsights' as const, value }];
    const clusterName = `insights-${value}`;
    const made = await api.ecs.send(new CreateClusterCommand({ clusterName, settings }));
    expect(made.cluster?.settings).toEqual(settings);
    const off = [{ name: 'containerInsights' as const, value: 'disabled' }];
    const updated = await api.ecs.send(new UpdateClusterCommand({ cluster: clusterName, settings: off }));
    expect(updated.cluster?.settings).toEqual(off);
    const again = await api.ecs.send(new UpdateClusterSettingsCommand({ cluster: clusterName, settings }));
    expect(again.cluster?.settings).toEqual(settings);
  });

  test('says how ECS Exec is logged: not, by default, or into a log group; other places and keys are refused', async () => {
    const clusterName = 'exec';
    const made = await api.ecs.send(
      new CreateClusterCommand({ clusterName, configuration: { executeCommandConfiguration: { logging: 'DEFAULT' } } }),
    );
    const configuration = { executeCommandConfiguration: { logging: 'DEFAULT' } };
    expect(made.cluster?.configuration).toEqual(configuration);
    const described = async (include: 'CONFIGURATIONS'[]) =>
      (await api.ecs.send(new DescribeClustersCommand({ clusters: [clusterName], include }))).clusters?.[0];
    expect((await described(['CONFIGURATIONS']))?.configuration).toEqual(configuration);
    expect((await described([]))?.configuration).toBeUndefined();
    const updated = await api.ecs.send(
      new UpdateClusterCommand({
        cluster: clusterName,
        configuration: { executeCommandConfiguration: { logging: 'NONE' } },
      }),
    );
    expect(updated.cluster?.configuration?.executeCommandConfiguration?.logging).toBe('NONE');
    const logged = {
      executeCommandConfiguration: {
        logging: 'OVERRIDE' as const,
        logConfiguration: { cloudWatchLogGroupName: '/ecs/exec' },
      },
    };
    const overridden = await api.ecs.send(new UpdateClusterCommand({ cluster: clusterName, configuration: logged }));
    expect(overridden.cluster?.configuration).toEqual(logged);
    const group = { cloudWatchLogGroupName: 'g' };
    const override = (logConfiguration: object) => ({
      executeCommandConfiguration: { logging: 'OVERRIDE' as const, logConfiguration },
    });
    for (const [refused, message] of [
      [{ executeCommandConfiguration: { logging: 'OVERRIDE' as const } }, /goes with the logging OVERRIDE/],
      [{ executeCommandConfiguration: { logConfiguration: group } }, /goes with the logging OVERRIDE/],
      [{ executeCommandConfiguration: { kmsKeyId: 'k' } }, /not supported by this installation/],
      [override({}), /must name a log group/],
      [override({ cloudWatchLogGroupName: 'a b' }), /must name a log group/],
      [override({ ...group, cloudWatchEncryptionEnabled: true }), /not supported by this installation/],
      [override({ ...group, s3BucketName: 'b' }), /not supported by this installation.*cloudWatchLogGroupName/],
      [{ managedStorageConfiguration: { kmsKeyId: 'k' } }, /not supported by this installation/],
    ] as const) {
      const refusal = api.ecs.send(new UpdateClusterCommand({ cluster: clusterName, configuration: refused }));
      await expect(refusal).rejects.toThrow(message);
      await expect(refusal).rejects.toMatchObject({ name: 'InvalidParameterException' });
    }
    expect((await described(['CONFIGURATIONS']))?.configuration).toEqual(logged);
  });

  test('settings can be put to what they are', async () => {
    const { cluster } = await api.ecs.send(
      new UpdateClusterSettingsCommand({
        cluster: 'default',
        settings: [{ name: 'containerInsights', value: 'disabled' }],
      }),
    );
    expect(cluster?.settings).toEqual([{ name: 'containerInsights', value: 'disabled' }]);
  });

  test('ARNs of another account or region are refused', async () => {
    for (const arn of [
      'arn:aws:ecs:us-east-1:111111111111:cluster/default',
      'arn:aws:ecs:eu-west-1:000000000000:cluster/default',
    ]) {
      await expect(api.ecs.send(new DescribeClustersCommand({ clusters: [arn] }))).rejects.toMatchObject({
        name: 'InvalidParameterException',
      });
    }
  });
});
