import type { ClusterConfiguration, ClusterSetting } from '@aws-sdk/client-ecs';

import {
  changeCluster,
  clusterView,
  createCluster,
  deleteCluster,
  findCluster,
  invalidParameter,
  ecsTags,
  ofProviders,
  parseProviders,
  parseStrategy,
  refuseMembers,
  scan,
} from '../cluster/index.ts';
import { insightsOf, insightsValues } from '../signals/usage/index.ts';
import { accountKeys, accountPartition, arns, type ClusterRecord } from '../state/index.ts';
import { checkList, clusterResource, requestTags, tagOnCreate } from './access.ts';
import { effectiveSetting } from './account-settings.ts';
import { clusterOf, type EcsApi, type EcsOperations, homeOf } from './options.ts';

const refusals = { serviceConnectDefaults: 'There is no Service Connect; remove the member.' } as const;

/** Create, delete, describe, list and update clusters. */
export function clusterOperations(options: EcsApi): EcsOperations {
  return {
    CreateCluster: {
      access: (input, call) => {
        const ref = clusterOf(options, call, input.clusterName);
        const arn = arns.cluster(options.region, ref.account, ref.cluster);
        return [
          {
            action: 'ecs:CreateCluster',
            resources: [{ arn }],
            context: { ...requestTags(input.tags), ...ofProviders(homeOf(options, call), input.capacityProviders) },
          },
          ...tagOnCreate('CreateCluster', arn, input.tags),
        ];
      },
      handle: async (input, call) => {
        if (input.clusterName?.startsWith('arn:')) throw invalidParameter('clusterName is a name, not an ARN.');
        refuseMembers(input, refusals);
        const providers = await parseProviders(options, input.capacityProviders, homeOf(options, call));
        const cluster = await createCluster(options, clusterOf(options, call, input.clusterName), {
          tags: ecsTags.parse(input.tags),
          settings: parseSettings(input.settings, await effectiveSetting(options.records, 'containerInsights', call)),
          configuration: parseConfiguration(input.configuration),
          ...providers,
          defaultCapacityProviderStrategy: parseStrategy(input.defaultCapacityProviderStrategy, providers),
        });
        const include = ['SETTINGS', 'TAGS', 'CONFIGURATIONS'] as const;
        return { cluster: await clusterView(options, call.account, cluster, include) };
      },
    },
    DeleteCluster: {
      access: async (input, call) => [
        {
          action: 'ecs:DeleteCluster',
          resources: [await clusterResource(options, clusterOf(options, call, input.cluster))],
        },
      ],
      handle: async (input, call) => {
        const deleted = await deleteCluster(options, clusterOf(options, call, input.cluster));
        return { cluster: await clusterView(options, call.account, deleted) };
      },
    },
    DescribeClusters: {
      access: async (input, call) => [
        {
          action: 'ecs:DescribeClusters',
          resources: await Promise.all(
            named(input.clusters).map((name) => clusterResource(options, clusterOf(options, call, name))),
          ),
        },
      ],
      handle: async (input, call) => {
        const refs = named(input.clusters).map((name) => clusterOf(options, call, name));
        const found = await Promise.all(refs.map((ref) => findCluster(options, ref)));
        const clusters = await Promise.all(
          found.flatMap((cluster) =>
            cluster === undefined ? [] : [clusterView(options, call.account, cluster, input.include)],
          ),
        );
        const failures = refs.flatMap((ref, index) =>
          found[index] === undefined
            ? [{ arn: arns.cluster(options.region, ref.account, ref.cluster), reason: 'MISSING' }]
            : [],
        );
        return { clusters, failures };
      },
    },
    ListClusters: {
      access: () => [{ action: 'ecs:ListClusters', resources: [{ arn: '*' }] }],
      handle: async (input, call) => {
        const scope = ['ListClusters'];
        const rows = scan<Pick<ClusterRecord, 'name'>>(
          options.records,
          accountPartition(call.account),
          accountKeys.clusters,
          await options.pages.start(call.account, scope, input),
        );
        const { items, ...more } = await options.pages.page(call.account, scope, input, rows, ({ name }) =>
          arns.cluster(options.region, call.account, name),
        );
        return { clusterArns: items, ...more };
      },
    },
    UpdateCluster: {
      access: async (input, call) => [
        {
          action: 'ecs:UpdateCluster',
          resources: [await clusterResource(options, clusterOf(options, call, input.cluster))],
        },
      ],
      handle: async (input, call) => {
        refuseMembers(input, refusals);
        const given = input.settings;
        const configuration = parseConfiguration(input.configuration);
        const cluster = await changeCluster(options, clusterOf(options, call, input.cluster), (current) => ({
          ...current,
          ...(given === undefined ? {} : { settings: parseSettings(given, insightsOf(current)) }),
          ...(configuration === undefined ? {} : { configuration }),
        }));
        return { cluster: await clusterView(options, call.account, cluster, ['SETTINGS', 'CONFIGURATIONS']) };
      },
    },
    UpdateClusterSettings: {
      access: async (input, call) => [
        {
          action: 'ecs:UpdateClusterSettings',
          resources: [await clusterResource(options, clusterOf(options, call, input.cluster))],
        },
      ],
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        const cluster = await changeCluster(options, ref, (current) => ({
          ...current,
          settings: parseSettings(input.settings, insightsOf(current)),
        }));
        return { cluster: await clusterView(options, call.account, cluster, ['SETTINGS']) };
      },
    },
  };
}

const most = 100;

/** Clusters that a request names; none means `default`. */
const named = (clusters: readonly string[] | undefined): readonly string[] =>
  clusters === undefined || clusters.length === 0 ? ['default'] : checkList('Clusters', clusters, most);

/**
 * The one setting there is.
 * @param otherwise its value where none is given
 * @throws InvalidParameterException
 */
function parseSettings(settings: readonly ClusterSetting[] | undefined, otherwise: string): ClusterRecord['settings'] {
  let chosen = otherwise;
  for (const { name, value } of settings ?? []) {
    if (name !== 'containerInsights')
      throw invalidParameter(`Unknown cluster setting '${String(name)}': use containerInsights.`);
    if (!insightsValues.some((one) => one === value))
      throw invalidParameter(
        `Invalid value '${value?.slice(0, 100) ?? ''}' of containerInsights: use one of ${insightsValues.join(', ')}.`,
      );
    chosen = value ?? otherwise;
  }
  return [{ name: 'containerInsights', value: chosen }];
}

const noKey =
  'Connections of sessions are encrypted where TLS is set up, and no key of KMS is used: remove the member.';
const noBucket = 'Sessions are logged to CloudWatch Logs: name a log group with cloudWatchLogGroupName.';
const isGroup = /^[.\-_/#A-Za-z0-9]{1,512}$/;

/**
 * How sessions of ECS Exec are logged.
 * @throws InvalidParameterException
 */
function parseConfiguration(given: ClusterConfiguration | undefined): ClusterRecord['configuration'] {
  const { executeCommandConfiguration: exec, managedStorageConfiguration: storage } = given ?? {};
  refuseMembers(storage ?? {}, {
    kmsKeyId: 'Managed storage is not offered; remove the member.',
    fargateEphemeralStorageKmsKeyId: 'Ephemeral storage lies on the disks of your hosts; remove the member.',
  });
  if (exec === undefined) return undefined;
  const { logging = 'DEFAULT', logConfiguration, ...others } = exec;
  refuseMembers(others, { kmsKeyId: noKey }, 'executeCommandConfiguration.');
  if (!['NONE', 'DEFAULT', 'OVERRIDE'].includes(logging))
    throw invalidParameter('executeCommandConfiguration.logging must be NONE, DEFAULT or OVERRIDE.');
  if ((logging === 'OVERRIDE') !== (logConfiguration !== undefined))
    throw invalidParameter(
      'executeCommandConfiguration.logConfiguration goes with the logging OVERRIDE, and only with it.',
    );
  if (logConfiguration === undefined) return { executeCommandConfiguration: { logging } };
  const { cloudWatchLogGroupName = '', ...elsewhere } = logConfiguration;
  refuseMembers(
    elsewhere,
    {
      cloudWatchEncryptionEnabled: noKey,
      s3BucketName: noBucket,
      s3EncryptionEnabled: noBucket,
      s3KeyPrefix: noBucket,
    },
    'executeCommandConfiguration.logConfiguration.',
  );
  if (!isGroup.test(cloudWatchLogGroupName))
    throw invalidParameter(
      'executeCommandConfiguration.logConfiguration.cloudWatchLogGroupName must name a log group.',
    );
  return { executeCommandConfiguration: { logging, logConfiguration: { cloudWatchLogGroupName } } };
}
