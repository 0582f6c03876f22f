import {
  activeCluster,
  invalidParameter,
  parseMember,
  refuseMembers,
  scan,
  serviceNotFound,
} from '../cluster/index.ts';
import { findService } from '../services/index.ts';
import { arns, clusterKeys, clusterPartition, type TaskRecord } from '../state/index.ts';
import { getProtection, parseLaunchType, setProtection } from '../tasks/index.ts';
import { inCluster, instanceResource } from './access.ts';
import { clusterOf, type EcsApi, type EcsOperations, homeOf } from './options.ts';
import { allowOnTasks, taskId } from './tasks.ts';

const family = /\/([^/:]+):\d+$/;

/** ListTasks, GetTaskProtection and UpdateTaskProtection. */
export function taskListOperations(options: EcsApi): EcsOperations {
  return {
    ListTasks: {
      access: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        const onInstance = input.containerInstance;
        return [
          {
            action: 'ecs:ListTasks',
            resources: [
              onInstance === undefined
                ? { arn: arns.cluster(options.region, ref.account, ref.cluster) }
                : await instanceResource(
                    options,
                    ref,
                    parseMember('container-instance', onInstance, ref.cluster, homeOf(options, call)),
                  ),
            ],
            context: inCluster(options, ref),
          },
        ];
      },
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const { startedBy, serviceName, family: ofFamily, containerInstance, desiredStatus = 'RUNNING' } = input;
        if (!['RUNNING', 'PENDING', 'STOPPED'].includes(desiredStatus)) {
          throw invalidParameter(`desiredStatus must be RUNNING, PENDING or STOPPED, not '${desiredStatus}'.`);
        }
        refuseMembers(input, {
          daemonName: "There are no daemons: use 'serviceName', also of a service of strategy DAEMON.",
        });
        if (startedBy !== undefined && (serviceName ?? ofFamily ?? containerInstance) !== undefined) {
          throw invalidParameter('startedBy cannot be combined with serviceName, family or containerInstance.');
        }
        const launchType = input.launchType === undefined ? undefined : parseLaunchType(input.launchType);
        const home = homeOf(options, call);
        const instance = containerInstance && parseMember('container-instance', containerInstance, ref.cluster, home);
        const service = serviceName && parseMember('service', serviceName, ref.cluster, home);
        if (service !== undefined && (await findService(options, { ...ref, service })) === undefined)
          throw serviceNotFound();
        const scope = ['ListTasks', ref.cluster, startedBy, service, ofFamily, instance, desiredStatus, launchType];
        const rows = scan<TaskRecord>(
          options.records,
          clusterPartition(ref.account, ref.cluster),
          clusterKeys.tasks,
          await options.pages.start(call.account, scope, input),
        );
        const matches = (task: TaskRecord): boolean =>
          task.desiredStatus === desiredStatus &&
          (startedBy === undefined || task.startedBy === startedBy) &&
          (service === undefined || task.service?.name === service) &&
          (ofFamily === undefined || family.exec(task.taskDefinition)?.[1] === ofFamily) &&
          (instance === undefined || task.instanceId === instance) &&
          (launchType === undefined || task.launchType === launchType);
        const { items, ...more } = await options.pages.page(call.account, scope, input, rows, (task) =>
          matches(task) ? task.arn : undefined,
        );
        return { taskArns: items, ...more };
      },
    },
    GetTaskProtection: {
      access: (input, call) => allowOnTasks('ecs:GetTaskProtection', input, 100, options, call),
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const ids = (input.tasks ?? []).map((task) => taskId(task, ref, options, call));
        const { protectedTasks, failures } = await getProtection(options, ref, ids);
        return { protectedTasks: [...protectedTasks], failures: [...failures] };
      },
    },
    UpdateTaskProtection: {
      access: (input, call) => allowOnTasks('ecs:UpdateTaskProtection', input, 10, options, call),
      handle: async (input, call) => {
        const ref = clusterOf(options, call, input.cluster);
        await activeCluster(options, ref);
        const { protectionEnabled = false, expiresInMinutes: minutes } = input;
        if (minutes !== undefined && (!Number.isInteger(minutes) || minutes < 1 || minutes > 2880)) {
          throw invalidParameter(`expiresInMinutes must be a whole number from 1 to 2880, not ${minutes}.`);
        }
        const ids = (input.tasks ?? []).map((task) => taskId(task, ref, options, call));
        const result = await setProtection(options, ref, ids, protectionEnabled, minutes);
        return { protectedTasks: [...result.protectedTasks], failures: [...result.failures] };
      },
    },
  };
}
