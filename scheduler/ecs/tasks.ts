import type { PropagateTags, RunTaskRequest, StartTaskRequest } from '@aws-sdk/client-ecs';
import type { AccessRequest, Call } from '@slipway/auth/contract';

import {
  activeCluster,
  type ClusterRef,
  ecsTags,
  findInstance,
  groupOf,
  invalidParameter,
  launchTypeOf,
  ofStrategy,
  parseMember,
  refuseMembers,
  strategyOf,
} from '../cluster/index.ts';
import { nextProviders } from '../deployments/index.ts';
import {
  arns,
  type CapacityProvider,
  type CapacityProviderStrategy,
  clusterKeys,
  clusterPartition,
  type InstanceRecord,
  type Tags,
  type TaskDefinitionRecord,
  type TaskRecord,
} from '../state/index.ts';
import {
  activeDefinition,
  bodyOf,
  checkOverrides,
  type DemandOptions,
  type PlacementDemand,
  findDefinition,
  findTasks,
  parseConstraints,
  checkLaunch,
  parseDefinition,
  parseLaunchType,
  parseStrategies,
  placementDemand,
  requestDigest,
  type RunResult,
  runTasks,
  fullRoleArn,
  passRoles,
  rolesOf,
  stopTask,
  taskTags,
  taskView,
  withFullRoles,
} from '../tasks/index.ts';
import {
  checkList,
  definitionResource,
  enablesExec,
  inCluster,
  requestTags,
  tagOnCreate,
  taskResources,
} from './access.ts';
import { failureReason } from './failures.ts';
import { clusterOf, type EcsOperations, type EcsOptions, homeOf } from './options.ts';

const refusals = {
  volumeConfigurations: 'Declare volumes in the task definition.',
} as const;

const mostTasks = 100;

/** RunTask, StartTask, StopTask and DescribeTasks. */
export function taskOperations(options: EcsOptions): EcsOperations {
  const view = (ref: ClusterRef, task: TaskRecord, instance: InstanceRecord | undefined, include: 'TAGS'[] = []) =>
    taskView({ region: options.region, ...ref }, task, instance, include);

  /** Tasks with the instances they are on, in the order given. */
  async function views(ref: ClusterRef, tasks: readonly TaskRecord[], include: 'TAGS'[] = []) {
    const ids = new Set(tasks.flatMap(({ instanceId }) => (instanceId === undefined ? [] : [instanceId])));
    const found = await options.records.getMany<InstanceRecord>(
      clusterPartition(ref.account, ref.cluster),
      [...ids].map((id) => clusterKeys.instance(id)),
    );
    return tasks.map((task) => view(ref, task, found.get(clusterKeys.instance(task.instanceId ?? ''))?.value, include));
  }

  async function start(
    action: string,
    input: RunTaskRequest | StartTaskRequest,
    call: Call,
  ): Promise<[AccessRequest, ...AccessRequest[]]> {
    const ref = clusterOf(options, call, input.cluster);
    const parsed = parseDefinition(input.taskDefinition ?? '', homeOf(options, call));
    const found = await findDefinition(options, call.account, parsed);
    const { overrides } = input;
    return [
      {
        action: `ecs:${action}`,
        resources: [
          found
            ? definitionResource(found)
            : { arn: arns.taskDefinitions(options.region, call.account, parsed.family) },
        ],
        context: {
          ...inCluster(options, ref),
          ...requestTags(input.tags),
          ...enablesExec(input),
          ...('capacityProviderStrategy' in input
            ? ofStrategy(homeOf(options, call), input.capacityProviderStrategy)
            : {}),
        },
      },
      ...tagOnCreate(action, arns.task(options.region, ref.account, ref.cluster, '*'), input.tags),
      ...passRoles([
        ...rolesOf(found),
        fullRoleArn(call.account, overrides?.taskRoleArn),
        fullRoleArn(call.account, overrides?.executionRoleArn),
      ]),
    ];
  }

  /** What both ways of starting tasks share. */
  const common = (input: RunTaskRequest | StartTaskRequest, ref: ClusterRef, definition: TaskDefinitionRecord) => {
    const given = input.overrides && withFullRoles(ref.account, input.overrides);
    const overrides = checkOverrides(given, bodyOf(definition));
    return {
      definition,
      enableExecuteCommand: input.enableExecuteCommand ?? false,
      group: checkText('group', input.group, 255) ?? `family:${definition.family}`,
      ...(input.startedBy === undefined ? {} : { startedBy: checkText('startedBy', input.startedBy, 128) ?? '' }),
      ...(overrides === undefined ? {} : { overrides }),
      tags: taskTags({
        own: ecsTags.parse(input.tags),
        propagated: propagated(input.propagateTags, definition),
        ...(input.enableECSManagedTags === true ? { managed: { cluster: ref.cluster } } : {}),
      }),
    };
  };

  const answer = async (ref: ClusterRef, result: RunResult) => ({
    tasks: await views(ref, result.tasks, ['TAGS']),
    failures: result.failures.map(({ code, message, instanceId }) => ({
      ...(instanceId === undefined
        ? {}
        : { arn: arns.containerInstance(options.region, ref.account, ref.cluster, instanceId) }),
      reason: failureReason(code),
      detail: message,
    })),
  });

  return {
    RunTask: {
      access: (input, call) => start('RunTask', input, call),
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        const cluster = await activeCluster(options, ref);
        refuseMembers(input, refusals);
        const strategy = strategyOf(input, cluster);
        const launchType = strategy === undefined ? parseLaunchType(input.launchType) : launchTypeOf(strategy);
        const count = input.count ?? 1;
        if (!Number.isInteger(count) || count < 1 || count > 10) {
          throw invalidParameter(`count must be a whole number from 1 to 10, not ${count}.`);
        }
        const definition = await activeDefinition(options, call.account, input.taskDefinition ?? '');
        const shared = common(input, ref, definition);
        const network = await checkLaunch(options.networks, call.account, definition, launchType, {
          ...input,
          overrides: shared.overrides,
        });
        const placement = {
          kind: 'standalone' as const,
          launchType,
          network,
          constraints: parseConstraints(
            input.placementConstraints,
            bodyOf(definition).placementConstraints?.length,
            options.extensions,
          ),
          strategies: parseStrategies(input.placementStrategy, options.extensions),
        };
        const token = checkText('clientToken', input.clientToken, 64);
        const result = await runTasks(options, options.placer, ref, {
          ...shared,
          launchType,
          network,
          demands: demandsFor(definition, placement, strategy, count),
          ...(token === undefined ? {} : { token: { value: token, request: requestDigest(input) } }),
        });
        return answer(ref, result);
      },
    },
    StartTask: {
      access: (input, call) => start('StartTask', input, call),
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        refuseMembers(input, refusals);
        checkText('startedBy', input.startedBy, 36);
        const definition = await activeDefinition(options, call.account, input.taskDefinition ?? '');
        const ids = checkList('Container instances', input.containerInstances, 10).map((identifier) =>
          parseMember('container-instance', identifier, ref.cluster, homeOf(options, call)),
        );
        const known = await Promise.all(ids.map((id) => findInstance(options, ref, id)));
        const missing = ids.filter((_, index) => (known[index]?.status ?? 'INACTIVE') === 'INACTIVE');
        const shared = common(input, ref, definition);
        const network = await checkLaunch(options.networks, call.account, definition, 'EC2', {
          networkConfiguration: input.networkConfiguration,
          overrides: shared.overrides,
        });
        const result = await runTasks(options, options.placer, ref, {
          ...shared,
          launchType: 'EC2',
          network,
          demands: ids
            .filter((id) => !missing.includes(id))
            .map((instanceId) =>
              placementDemand(definition, {
                kind: 'standalone',
                launchType: 'EC2',
                network,
                constraints: [],
                strategies: [],
                instanceId,
              }),
            ),
        });
        const { tasks, failures } = await answer(ref, result);
        return {
          tasks,
          failures: [
            ...missing.map((id) => ({
              arn: arns.containerInstance(options.region, ref.account, ref.cluster, id),
              reason: 'MISSING',
            })),
            ...failures,
          ],
        };
      },
    },
    StopTask: {
      access: (input, call) => allowOnTasks('ecs:StopTask', { ...input, tasks: [input.task ?? ''] }, 1, options, call),
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const reason = checkText('reason', input.reason, 1024);
        const task = await stopTask(options, ref, taskId(input.task ?? '', ref, options, call), reason);
        return { task: (await views(ref, [task]))[0] };
      },
    },
    DescribeTasks: {
      access: (input, call) => allowOnTasks('ecs:DescribeTasks', input, mostTasks, options, call),
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const ids = (input.tasks ?? []).map((task) => taskId(task, ref, options, call));
        const found = await findTasks(options, ref, ids);
        return {
          tasks: await views(
            ref,
            [...new Set(ids)].flatMap((id) => found.get(id) ?? []),
            input.include,
          ),
          failures: ids
            .filter((id) => !found.has(id))
            .map((id) => ({ arn: arns.task(options.region, ref.account, ref.cluster, id), reason: 'MISSING' })),
        };
      },
    },
  };
}

/**
 * The id of a task from an id or an ARN.
 * @throws InvalidParameterException
 */
export function taskId(identifier: string, ref: ClusterRef, options: EcsOptions, call: Call): string {
  const id = parseMember('task', identifier, ref.cluster, homeOf(options, call));
  if (!/^[0-9a-f-]+$/i.test(id) || (id.length !== 32 && id.length !== 36)) {
    throw invalidParameter(
      `taskId length should be one of [32,36]: '${identifier}' is neither the id nor the ARN of a task.`,
    );
  }
  return id;
}

/**
 * What an operation on tasks that are named one by one needs: its action on each of them.
 * @throws InvalidParameterException when `tasks` names none, or more than `most`
 */
export async function allowOnTasks(
  action: string,
  input: { readonly cluster?: string | undefined; readonly tasks?: readonly string[] | undefined },
  most: number,
  options: EcsOptions,
  call: Call,
): Promise<[AccessRequest]> {
  const ref = clusterOf(options, call, input.cluster);
  const ids = checkList('Tasks', input.tasks, most).map((task) => taskId(task, ref, options, call));
  return [{ action, resources: await taskResources(options, ref, ids), context: inCluster(options, ref) }];
}

function checkText(member: string, text: string | undefined, most: number): string | undefined {
  if (text !== undefined && text.length > most) throw invalidParameter(`${member} has at most ${most} characters.`);
  return text;
}

/** One demand for each of `count` tasks, the same one for those of one capacity provider. */
function demandsFor(
  definition: TaskDefinitionRecord,
  placement: DemandOptions,
  strategy: CapacityProviderStrategy | undefined,
  count: number,
): PlacementDemand[] {
  const providers =
    strategy === undefined ? Array.from({ length: count }, () => undefined) : nextProviders(strategy, {}, count);
  const known = new Map<CapacityProvider | undefined, PlacementDemand>();
  return providers.map((capacityProvider) => {
    const group = groupOf(strategy ?? [], capacityProvider);
    const demand =
      known.get(capacityProvider) ?? placementDemand(definition, { ...placement, capacityProvider, group });
    known.set(capacityProvider, demand);
    return demand;
  });
}

function propagated(from: PropagateTags | undefined, definition: TaskDefinitionRecord): Tags {
  if (from === undefined || from === 'NONE') return {};
  if (from === 'TASK_DEFINITION') return definition.tags;
  throw invalidParameter(`propagateTags must be TASK_DEFINITION or NONE for a task without a service, not '${from}'.`);
}
