import type { AccessRequest, Call } from '@slipway/auth/contract';

import {
  activeCluster,
  changeInstance,
  type ClusterRef,
  deregisterInstance,
  findCluster,
  findInstance,
  instanceView,
  invalidParameter,
  listInstances,
  parseMember,
  tasksByInstance,
} from '../cluster/index.ts';
import { ClusterQueryError, compileQuery } from '../placement/index.ts';
import { arns, type InstanceRecord, type TaskRecord } from '../state/index.ts';
import { checkList, inCluster, instanceResource } from './access.ts';
import { clusterOf, type EcsApi, type EcsOperations, homeOf } from './options.ts';

/** List, describe, drain and deregister container instances. */
export function containerInstanceOperations(options: EcsApi): EcsOperations {
  const idOf = (identifier: string | undefined, ref: ClusterRef, call: Call): string =>
    parseMember('container-instance', identifier ?? '', ref.cluster, homeOf(options, call));

  const allow = async (
    action: string,
    cluster: string | undefined,
    identifiers: readonly string[],
    call: Call,
  ): Promise<[AccessRequest]> => {
    const ref = clusterOf(options, call, cluster);
    const resources = identifiers.map((identifier) => instanceResource(options, ref, idOf(identifier, ref, call)));
    return [{ action: `ecs:${action}`, resources: await Promise.all(resources), context: inCluster(options, ref) }];
  };

  /** Splits instances into those that exist and failures, in the order asked. */
  const answer = async (
    ref: ClusterRef,
    ids: readonly string[],
    found: readonly (InstanceRecord | undefined)[],
    include: ('TAGS' | 'CONTAINER_INSTANCE_HEALTH')[] = [],
  ) => {
    const tasks = await tasksByInstance(options, ref);
    const providers = (await findCluster(options, ref))?.groupProviders;
    return {
      containerInstances: found.flatMap((instance) =>
        instance === undefined ? [] : [instanceView(instance, tasks.get(instance.id) ?? [], include, providers)],
      ),
      failures: ids.flatMap((id, index) =>
        found[index] === undefined
          ? [{ arn: arns.containerInstance(options.region, ref.account, ref.cluster, id), reason: 'MISSING' }]
          : [],
      ),
    };
  };

  return {
    ListContainerInstances: {
      access: (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        const arn = arns.cluster(options.region, ref.account, ref.cluster);
        return [{ action: 'ecs:ListContainerInstances', resources: [{ arn }], context: inCluster(options, ref) }];
      },
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const scope = ['ListContainerInstances', ref.cluster, input.status, input.filter];
        const after = (await options.pages.start(call.account, scope, input)) ?? '';
        const matches = filterOf(input.filter);
        const tasks =
          input.filter === undefined ? new Map<string, readonly TaskRecord[]>() : await tasksByInstance(options, ref);
        const rows = (await listInstances(options, ref))
          .filter(({ id }) => id > after)
          .map((value) => ({ key: value.id, value }));
        const { items, ...more } = await options.pages.page(call.account, scope, input, rows, (instance) =>
          (input.status === undefined ? instance.status !== 'INACTIVE' : instance.status === input.status) &&
          matches(instance, tasks.get(instance.id) ?? [])
            ? instance.arn
            : undefined,
        );
        return { containerInstanceArns: items, ...more };
      },
    },
    DescribeContainerInstances: {
      access: (input, call) =>
        allow(
          'DescribeContainerInstances',
          input.cluster,
          checkList('Container instances', input.containerInstances, 100),
          call,
        ),
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const ids = [...new Set((input.containerInstances ?? []).map((identifier) => idOf(identifier, ref, call)))];
        const found = await Promise.all(ids.map((id) => findInstance(options, ref, id)));
        return answer(ref, ids, found, input.include);
      },
    },
    UpdateContainerInstancesState: {
      access: (input, call) =>
        allow(
          'UpdateContainerInstancesState',
          input.cluster,
          checkList('Container instances', input.containerInstances, 10),
          call,
        ),
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const { status } = input;
        if (status !== 'ACTIVE' && status !== 'DRAINING') {
          throw invalidParameter(`status must be ACTIVE or DRAINING, not '${status ?? ''}'.`);
        }
        const ids = [...new Set((input.containerInstances ?? []).map((identifier) => idOf(identifier, ref, call)))];
        const changed: (InstanceRecord | undefined)[] = [];
        for (const id of ids) {
          changed.push(
            await changeInstance(options, ref, id, (instance) =>
              instance.status === status ? instance : withStatus(instance, status),
            ),
          );
        }
        return answer(ref, ids, changed);
      },
    },
    DeregisterContainerInstance: {
      access: (input, call) =>
        allow('DeregisterContainerInstance', input.cluster, [input.containerInstance ?? ''], call),
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const id = idOf(input.containerInstance, ref, call);
        return {
          containerInstance: instanceView(await deregisterInstance(options, ref, id, input.force ?? false), []),
        };
      },
    },
  };
}

/** One that takes tasks again is not taken back any more. */
function withStatus(instance: InstanceRecord, status: 'ACTIVE' | 'DRAINING'): InstanceRecord {
  const { reclaimedAt, surplusAt: _, ...others } = instance;
  return { ...others, ...(status === 'ACTIVE' || reclaimedAt === undefined ? {} : { reclaimedAt }), status };
}

/** A filter of the cluster query language as a predicate; without one, everything matches. */
function filterOf(expression: string | undefined): (instance: InstanceRecord, tasks: readonly TaskRecord[]) => boolean {
  if (expression === undefined) return () => true;
  try {
    const matches = compileQuery(expression);
    return (instance, tasks) => {
      const wanted = tasks.filter((task) => task.desiredStatus === 'RUNNING');
      return matches({
        agentConnected: instance.agentConnected,
        ...(instance.agentVersion === undefined ? {} : { agentVersion: instance.agentVersion }),
        registeredAt: instance.registeredAt,
        runningTasksCount: wanted.length,
        attributes: new Map(instance.attributes.map(({ name, value }) => [name, value ?? ''])),
        taskGroups: new Set(wanted.map((task) => task.group)),
      });
    };
  } catch (error) {
    if (error instanceof ClusterQueryError) throw invalidParameter(`Invalid filter '${expression}': ${error.message}`);
    throw error;
  }
}
