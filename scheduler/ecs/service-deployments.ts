import { AwsError, type Call } from '@slipway/auth/contract';

import {
  activeCluster,
  clientError,
  type ClusterRef,
  invalidParameter,
  isName,
  parseArn,
  parseMember,
  scanAll,
  serviceNotFound,
} from '../cluster/index.ts';
import {
  briefView,
  countTasks,
  decidePause,
  deploymentArn,
  type DeploymentRef,
  findService,
  type Historic,
  revisionArn,
  revisionView,
  serviceDeploymentView,
  stopDeployment,
  type ServiceRef,
  statusOf,
} from '../services/index.ts';
import { clusterKeys, clusterPartition, type DeploymentHistoryRecord } from '../state/index.ts';
import { checkList, inCluster, serviceResource } from './access.ts';
import { clusterOf, type EcsApi, type EcsOperations, homeOf } from './options.ts';

const statuses = [
  'PENDING',
  'IN_PROGRESS',
  'SUCCESSFUL',
  'STOPPED',
  'STOP_REQUESTED',
  'ROLLBACK_REQUESTED',
  'ROLLBACK_IN_PROGRESS',
  'ROLLBACK_SUCCESSFUL',
  'ROLLBACK_FAILED',
];

/** The history of a service's deployments, and what people decide of the newest one. */
export function serviceDeploymentOperations(options: EcsApi): EcsOperations {
  /** Every deployment of a service that is remembered, newest first. */
  async function history(ref: ServiceRef): Promise<Historic[]> {
    const partition = clusterPartition(ref.account, ref.cluster);
    const prefix = clusterKeys.deploymentHistories(ref.service);
    const [service, rows] = await Promise.all([
      findService(options, ref),
      scanAll<DeploymentHistoryRecord>(options.records, partition, prefix),
    ]);
    return rows
      .sort((a, b) => b.deployment.createdAt - a.deployment.createdAt || (a.deployment.id < b.deployment.id ? -1 : 1))
      .map((row) => ({ row, service }));
  }

  /** The service that the ARN of one of its deployments or revisions belongs to. */
  function serviceOf(type: string, arn: string, call: Call): ServiceRef {
    const parsed = parseArn(arn, homeOf(options, call));
    const [cluster = '', service = '', id = ''] = parsed.path;
    if (parsed.type !== type || !isName(cluster) || !isName(service) || id === '') {
      throw invalidParameter(`Identifier was not of type: ${type}: '${arn}'.`);
    }
    return { account: call.account, cluster, service };
  }

  /** Splits ARNs into what was found and MISSING, reading each service once. */
  async function lookUp<View>(
    type: string,
    asked: readonly string[],
    call: Call,
    arnOf: (ref: ServiceRef, deploymentId: string) => string,
    view: (ref: ServiceRef, historic: Historic) => View | Promise<View>,
  ): Promise<{ found: View[]; failures: { arn: string; reason: string }[] }> {
    const found: View[] = [];
    const failures: { arn: string; reason: string }[] = [];
    for (const arn of new Set(asked)) {
      const ref = serviceOf(type, arn, call);
      const historic = (await history(ref)).find(({ row }) => arnOf(ref, row.deployment.id) === arn);
      if (historic === undefined) failures.push({ arn, reason: 'MISSING' });
      else found.push(await view(ref, historic));
    }
    return { found, failures };
  }

  /** The deployment that an ARN names. @throws ServiceDeploymentNotFoundException */
  async function named(arn: string, call: Call): Promise<DeploymentRef> {
    const ref = serviceOf('service-deployment', arn, call);
    const found = (await history(ref)).find(({ row }) => deploymentArn(options, ref, row.deployment.id) === arn);
    if (found !== undefined) return { ...ref, deploymentId: found.row.deployment.id };
    throw new AwsError(
      'ServiceDeploymentNotFoundException',
      `The service deployment ${arn} does not exist: ListServiceDeployments has those of a service.`,
    );
  }

  const allow = (action: string, type: string, asked: readonly string[] | undefined, call: Call) =>
    [
      {
        action: `ecs:${action}`,
        resources: checkList('The list of ARNs', asked, 20).map((arn) => {
          serviceOf(type, arn, call);
          return { arn };
        }),
      },
    ] as const;

  return {
    ListServiceDeployments: {
      access: async (input, call) => {
        const ref: ClusterRef = clusterOf(options, call, input.cluster);
        const name = parseMember('service', input.service ?? '', ref.cluster, homeOf(options, call));
        return [
          {
            action: 'ecs:ListServiceDeployments',
            resources: [await serviceResource(options, ref, name)],
            context: inCluster(options, ref),
          },
        ];
      },
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const service = parseMember('service', input.service ?? '', ref.cluster, homeOf(options, call));
        for (const status of input.status ?? []) {
          if (!statuses.includes(status))
            throw invalidParameter(`Unknown status '${status}': use one of ${statuses.join(', ')}.`);
        }
        if ((await findService(options, { ...ref, service })) === undefined) throw serviceNotFound();
        const { before, after } = input.createdAt ?? {};
        const scope = [
          'ListServiceDeployments',
          ref.cluster,
          service,
          input.status,
          before?.getTime(),
          after?.getTime(),
        ];
        const start = await options.pages.start(call.account, scope, input);
        const rows = (await history({ ...ref, service })).map((value) => ({
          key: value.row.deployment.id,
          value,
        }));
        const from = start === undefined ? 0 : rows.findIndex(({ key }) => key === start) + 1;
        if (start !== undefined && from === 0)
          throw clientError('The list has changed: begin again without nextToken.');
        const { items, ...more } = await options.pages.page(
          call.account,
          scope,
          input,
          rows.slice(from),
          (historic) => {
            const { createdAt } = historic.row.deployment;
            const matches =
              (input.status === undefined || input.status.length === 0 || input.status.includes(statusOf(historic))) &&
              (before === undefined || createdAt <= before.getTime()) &&
              (after === undefined || createdAt >= after.getTime());
            return matches ? briefView(options, { ...ref, service }, historic) : undefined;
          },
        );
        return { serviceDeployments: items, ...more };
      },
    },
    DescribeServiceDeployments: {
      access: (input, call) =>
        allow('DescribeServiceDeployments', 'service-deployment', input.serviceDeploymentArns, call),
      handle: async (input, call) => {
        const { found, failures } = await lookUp(
          'service-deployment',
          input.serviceDeploymentArns ?? [],
          call,
          (ref, id) => deploymentArn(options, ref, id),
          async (ref, historic) => {
            const counts = await countTasks(options, ref);
            return serviceDeploymentView(options, ref, historic, (id) => counts(ref.service, id));
          },
        );
        return { serviceDeployments: found, failures };
      },
    },
    StopServiceDeployment: {
      access: ({ serviceDeploymentArn: arn = '' }, call) =>
        allow('StopServiceDeployment', 'service-deployment', [arn], call),
      handle: async ({ serviceDeploymentArn: arn = '', stopType = 'ROLLBACK' }, call) => {
        if (stopType !== 'ROLLBACK' && stopType !== 'ABORT')
          throw invalidParameter(`stopType must be ROLLBACK or ABORT, not '${String(stopType)}'.`);
        await stopDeployment(options, await named(arn, call), stopType, call.principal.arn);
        return { serviceDeploymentArn: arn };
      },
    },
    ContinueServiceDeployment: {
      access: ({ serviceDeploymentArn: arn = '' }, call) =>
        allow('ContinueServiceDeployment', 'service-deployment', [arn], call),
      handle: async ({ serviceDeploymentArn: arn = '', hookId = '', action = 'CONTINUE' }, call) => {
        if (action !== 'CONTINUE' && action !== 'ROLLBACK')
          throw invalidParameter(`action must be CONTINUE or ROLLBACK, not '${String(action)}'.`);
        await decidePause(options, await named(arn, call), hookId, action, call.principal.arn);
        return { serviceDeploymentArn: arn };
      },
    },
    DescribeServiceRevisions: {
      access: (input, call) => allow('DescribeServiceRevisions', 'service-revision', input.serviceRevisionArns, call),
      handle: async (input, call) => {
        const { found, failures } = await lookUp(
          'service-revision',
          input.serviceRevisionArns ?? [],
          call,
          (ref, id) => revisionArn(options, ref, id),
          (ref, historic) => revisionView(options, ref, historic),
        );
        return { serviceRevisions: found, failures };
      },
    },
  };
}
