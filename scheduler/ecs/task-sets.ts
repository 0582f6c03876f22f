import type { CreateTaskSetRequest, TaskSet } from '@aws-sdk/client-ecs';
import type { AccessRequest, Call, ConditionContext } from '@slipway/auth/contract';

import {
  activeCluster,
  invalidParameter,
  launchTypeOf,
  ofStrategy,
  parseMember,
  serviceNotActive,
  serviceNotFound,
  strategyOf,
} from '../cluster/index.ts';
import {
  checkTargetGroups,
  countTasks,
  createTaskSet,
  deleteTaskSet,
  findService,
  parseScale,
  parseSetBalancers,
  parseTaskSet,
  parseTaskSetId,
  requireExternal,
  scaleTaskSet,
  type ServiceRef,
  setPrimary,
  type TaskSetOf,
  taskSetsView,
} from '../services/index.ts';
import { arns, type ServiceRecord } from '../state/index.ts';
import { activeDefinition, checkLaunch, parseLaunchType, passRoles, requestDigest, rolesOf } from '../tasks/index.ts';
import { checkList, inCluster, requestTags, serviceResource, tagOnCreate } from './access.ts';
import { clusterOf, type EcsApi, type EcsOperations, homeOf } from './options.ts';

/** Ids that one DescribeTaskSets may name: more sets no service has. */
const mostDescribed = 100;

/** Where a request about task sets is at home. */
interface Named {
  readonly cluster?: string | undefined;
  readonly service?: string | undefined;
}

/** Task sets of services whose deployment controller is EXTERNAL. */
export function taskSetOperations(options: EcsApi): EcsOperations {
  const serviceOf = (input: Named, call: Call): ServiceRef => {
    const ref = clusterOf(options, call, input.cluster);
    if (input.service === undefined) throw invalidParameter('Service can not be blank.');
    return { ...ref, service: parseMember('service', input.service, ref.cluster, homeOf(options, call)) };
  };
  const arnOf = ({ account, cluster, service }: ServiceRef, id: string): string =>
    arns.taskSet(options.region, account, cluster, service, id);
  const idOf = (identifier: string | undefined, ref: ServiceRef, call: Call): string => {
    if (identifier === undefined) throw invalidParameter('Task set can not be blank.');
    return parseTaskSetId(identifier, ref, homeOf(options, call));
  };
  const within = (ref: ServiceRef): ConditionContext => ({
    ...inCluster(options, ref),
    'ecs:service': arns.service(options.region, ref.account, ref.cluster, ref.service),
  });

  /** What somebody must be allowed on sets, with the tags of those that are there. */
  const onSets = async (action: string, ref: ServiceRef, ids: readonly string[]): Promise<AccessRequest> => {
    const found = await findService(options, ref);
    const tagsOf = (id: string) => found?.deployments.find((one) => one.id === id)?.taskSet?.tags;
    return {
      action: `ecs:${action}`,
      resources: ids.map((id) => {
        const tags = tagsOf(id);
        return { arn: arnOf(ref, id), ...(tags === undefined ? {} : { tags }) };
      }),
      context: within(ref),
    };
  };
  const onSet = async (
    action: string,
    input: Named & { readonly taskSet?: string | undefined },
    call: Call,
  ): Promise<[AccessRequest]> => {
    const ref = serviceOf(input, call);
    return [await onSets(action, ref, [idOf(input.taskSet, ref, call)])];
  };

  const views = async (ref: ServiceRef, service: ServiceRecord, withTags: boolean): Promise<TaskSet[]> => {
    const counts = await countTasks(options, ref);
    return taskSetsView(options, ref, service, ({ id }) => counts(service.name, id), withTags);
  };
  const shown = async (ref: ServiceRef, { service, deployment }: TaskSetOf): Promise<{ taskSet?: TaskSet }> => {
    const taskSet = (await views(ref, service, true)).find(({ id }) => id === deployment.id);
    return taskSet === undefined ? {} : { taskSet };
  };

  /** By what, where and behind what a set's tasks are to run. */
  async function launchOf(ref: ServiceRef, input: CreateTaskSetRequest, call: Call) {
    const cluster = await activeCluster(options, ref);
    const service = await findService(options, ref);
    if (service === undefined) throw serviceNotFound();
    if (service.status !== 'ACTIVE') throw serviceNotActive();
    requireExternal(service);
    if (input.taskDefinition === undefined) throw invalidParameter('TaskDefinition can not be blank.');
    const definition = await activeDefinition(options, call.account, input.taskDefinition);
    const strategy = strategyOf(input, cluster);
    const launchType = strategy === undefined ? parseLaunchType(input.launchType) : launchTypeOf(strategy);
    const { placementConstraints, placementStrategy } = service;
    const network = await checkLaunch(options.networks, call.account, definition, launchType, {
      platformVersion: input.platformVersion,
      networkConfiguration: input.networkConfiguration,
      placementConstraints,
      placementStrategy,
    });
    const loadBalancers = parseSetBalancers(input.loadBalancers, definition, call.account);
    return { definition, launch: { launchType, strategy, network, loadBalancers } };
  }

  return {
    CreateTaskSet: {
      access: async (input, call) => {
        const ref = serviceOf(input, call);
        const definition = await activeDefinition(options, call.account, input.taskDefinition ?? '').catch(
          () => undefined,
        );
        return [
          {
            action: 'ecs:CreateTaskSet',
            resources: [await serviceResource(options, ref, ref.service)],
            context: {
              ...within(ref),
              ...requestTags(input.tags),
              ...ofStrategy(homeOf(options, call), input.capacityProviderStrategy),
              ...(definition === undefined ? {} : { 'ecs:task-definition': definition.arn }),
            },
          },
          ...tagOnCreate('CreateTaskSet', arnOf(ref, '*'), input.tags),
          ...passRoles(rolesOf(definition)),
        ];
      },
      handle: async (input, call) => {
        const ref = serviceOf(input, call);
        const { definition, launch } = await launchOf(ref, input, call);
        const draft = parseTaskSet(input, definition, launch);
        await checkTargetGroups(options.targetGroups, options.clock, call.account, draft.loadBalancers, definition);
        const token =
          input.clientToken === undefined ? undefined : { value: input.clientToken, request: requestDigest(input) };
        return shown(ref, await createTaskSet(options, ref, draft, token));
      },
    },
    UpdateTaskSet: {
      access: (input, call) => onSet('UpdateTaskSet', input, call),
      handle: async (input, call) => {
        const ref = serviceOf(input, call);
        await activeCluster(options, ref);
        if (input.scale?.value === undefined) throw invalidParameter('Scale can not be blank.');
        return shown(ref, await scaleTaskSet(options, ref, idOf(input.taskSet, ref, call), parseScale(input.scale)));
      },
    },
    DeleteTaskSet: {
      access: (input, call) => onSet('DeleteTaskSet', input, call),
      handle: async (input, call) => {
        const ref = serviceOf(input, call);
        await activeCluster(options, ref);
        const id = idOf(input.taskSet, ref, call);
        return shown(ref, await deleteTaskSet(options, ref, id, input.force ?? false));
      },
    },
    UpdateServicePrimaryTaskSet: {
      access: async (input, call) => {
        const ref = serviceOf(input, call);
        return [
          {
            action: 'ecs:UpdateServicePrimaryTaskSet',
            resources: [await serviceResource(options, ref, ref.service)],
            context: inCluster(options, ref),
          },
        ];
      },
      handle: async (input, call) => {
        const ref = serviceOf(input, call);
        await activeCluster(options, ref);
        return shown(ref, await setPrimary(options, ref, idOf(input.primaryTaskSet, ref, call)));
      },
    },
    DescribeTaskSets: {
      access: async (input, call) => {
        const ref = serviceOf(input, call);
        if (input.taskSets === undefined || input.taskSets.length === 0)
          return [await onSets('DescribeTaskSets', ref, ['*'])];
        const named = checkList('TaskSets', input.taskSets, mostDescribed).map((one) => idOf(one, ref, call));
        return [await onSets('DescribeTaskSets', ref, named)];
      },
      handle: async (input, call) => {
        const ref = serviceOf(input, call);
        await activeCluster(options, ref);
        const service = await findService(options, ref);
        if (service === undefined) throw serviceNotFound();
        if (service.status === 'INACTIVE') throw serviceNotActive();
        requireExternal(service);
        const all = await views(ref, service, input.include?.includes('TAGS') === true);
        if (input.taskSets === undefined || input.taskSets.length === 0) return { taskSets: all, failures: [] };
        const named = [...new Set(input.taskSets.map((one) => idOf(one, ref, call)))];
        return {
          taskSets: named.flatMap((id) => all.find((set) => set.id === id) ?? []),
          failures: named.flatMap((id) =>
            all.some((set) => set.id === id) ? [] : [{ arn: arnOf(ref, id), reason: 'MISSING' }],
          ),
        };
      },
    },
  };
}
