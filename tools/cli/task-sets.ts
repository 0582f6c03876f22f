import {
  DescribeServicesCommand,
  DescribeTaskSetsCommand,
  type ECSClient,
  type Service,
  type TaskSet,
} from '@aws-sdk/client-ecs';
import type { Kind, Shown } from './deployment-kinds.ts';
import { CliError } from './errors.ts';
import { table } from './output.ts';
import { idOf } from './service-deployments.ts';

const header = ['TASK SET', 'STATUS', 'SCALE', 'RUNNING', 'PENDING', 'STABILITY', 'EXTERNAL ID', 'TASK DEFINITION'];

/** The task sets of a service that is deployed by somebody else, in the place of deployments. */
export function taskSetDeployments(client: ECSClient, cluster: string, service: string): Kind {
  const newestFirst = async (): Promise<readonly TaskSet[]> => {
    const { taskSets = [] } = await client.send(new DescribeTaskSetsCommand({ cluster, service }));
    return taskSets.toSorted((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0));
  };
  const lastWord = async (): Promise<string> => {
    const { services } = await client.send(new DescribeServicesCommand({ cluster, services: [service] }));
    return services?.[0]?.events?.[0]?.message ?? '';
  };
  const decidedElsewhere = (how: string): CliError =>
    new CliError(
      `${cluster}/${service} is deployed by its own controller (EXTERNAL), which decides: ${how} --cluster ${cluster} --service ${service} --task-set <id>`,
    );
  return {
    async list() {
      const json = await newestFirst();
      return { json, header, rows: json.map(setRow) };
    },
    async find(id) {
      const found = (await newestFirst()).find(
        (set) => id === undefined || set.taskSetArn === id || idOf(set.id) === idOf(id) || set.externalId === id,
      );
      return found === undefined
        ? undefined
        : shown(found, found.stabilityStatus === 'STEADY_STATE' ? '' : await lastWord());
    },
    goOn: () => Promise.reject(decidedElsewhere('aws ecs update-task-set --scale value=100,unit=PERCENT')),
    goBack: () => Promise.reject(decidedElsewhere('aws ecs delete-task-set')),
  };
}

function shown(set: TaskSet, lastWord: string): Shown {
  const end =
    set.status === 'DRAINING'
      ? { end: { isWell: false, words: 'DRAINING: its controller has deleted the task set' } }
      : set.stabilityStatus === 'STEADY_STATE'
        ? { end: { isWell: true, words: 'STEADY_STATE' } }
        : {};
  return {
    id: set.id ?? '',
    ref: set.taskSetArn ?? '',
    json: set,
    line: taskSetLine(set, lastWord),
    ...end,
    details: () => Promise.resolve([table(header, [setRow(set)])]),
  };
}

/** How a task set stands: one line. @param lastWord the newest event of its service, which says what stands in its way */
function taskSetLine(set: TaskSet, lastWord: string): string {
  return [
    `${set.status ?? ''} ${set.stabilityStatus ?? ''}`,
    `scale ${set.scale?.value ?? 0} %`,
    `tasks ${set.runningCount ?? 0}/${set.computedDesiredCount ?? 0}, ${set.pendingCount ?? 0} pending`,
    lastWord,
  ]
    .filter((part) => part !== '')
    .join('; ');
}

const setRow = (set: TaskSet): readonly string[] => [
  set.id ?? '',
  set.status ?? '',
  `${set.scale?.value ?? 0} %`,
  `${set.runningCount ?? 0}/${set.computedDesiredCount ?? 0}`,
  String(set.pendingCount ?? 0),
  set.stabilityStatus ?? '',
  set.externalId ?? '',
  idOf(set.taskDefinition),
];

/** The task sets of a service as a table: of one that is deployed by CodeDeploy or by somebody else. */
export const setsTable = ({ taskSets = [] }: Service): string => table(header, taskSets.map(setRow));
