import {
  type ContainerDefinition,
  DescribeTaskDefinitionCommand,
  DescribeTasksCommand,
  type ECSClient,
  type Task,
} from '@aws-sdk/client-ecs';
import { activeService, parseService } from './aws-client.ts';
import { tasksIn } from './contents.ts';
import { CliError } from './errors.ts';

/** Lines of one container, of one task or of all that have it. */
export interface LogSource {
  readonly group: string;
  readonly container: string;
  /** Streams whose name begins with this: `prefix/container/`, or the whole name. */
  readonly streams: string;
}

/** What lines are asked for. */
export interface Wanted {
  /** For people: `default/web`, `task 1a2b…`. */
  readonly name: string;
  readonly cluster: string;
  /** `service:web`; undefined where one task is asked for. */
  readonly group: string | undefined;
  readonly sources: readonly LogSource[];
}

/**
 * The streams of a service, of all revisions that its deployments and known tasks have, or of one task.
 * @throws CliError when there is no such thing, or nothing of it logs with awslogs
 */
export async function findSources(client: ECSClient, name: string): Promise<Wanted> {
  const { cluster, service: last } = named(name);
  if (isTaskId(last)) return ofTask(client, cluster, last);
  const { deployments = [], taskSets = [] } = await activeService(client, cluster, last);
  const { found: tasks } = await tasksIn(client, cluster, { service: last, of: ['RUNNING', 'STOPPED'] });
  const definitions = new Set(
    [
      ...[...deployments, ...taskSets].map(({ taskDefinition }) => taskDefinition),
      ...tasks.map((task) => task.taskDefinitionArn),
    ].filter((arn) => arn !== undefined),
  );
  const sources: LogSource[] = [];
  for (const arn of definitions)
    for (const container of await containersOf(client, arn))
      sources.push(
        ...sourcesOf(
          container,
          tasks.filter((task) => task.taskDefinitionArn === arn),
          '',
        ),
      );
  if (sources.length === 0) throw nothingLogs(`${cluster}/${last}`, [...definitions][0]);
  return { name: `${cluster}/${last}`, cluster, group: `service:${last}`, sources: distinct(sources) };
}

async function ofTask(client: ECSClient, cluster: string, id: string): Promise<Wanted> {
  const { tasks } = await client.send(new DescribeTasksCommand({ cluster, tasks: [id] }));
  const task = tasks?.[0];
  if (task === undefined)
    throw new CliError(
      `there is no task ${id} in the cluster ${cluster}: stopped tasks are remembered for an hour; the logs of its service have its lines (slipway logs ${cluster}/<service> --since …)`,
    );
  const containers = await containersOf(client, task.taskDefinitionArn ?? '');
  const sources = containers.flatMap((container) => sourcesOf(container, [task], id));
  if (sources.length === 0) throw nothingLogs(`the task ${id}`, task.taskDefinitionArn);
  return { name: `task ${id}`, cluster, group: undefined, sources: distinct(sources) };
}

/** A service, `cluster/service`, or a task by its id, `cluster/id` or ARN. */
function named(name: string): { readonly cluster: string; readonly service: string } {
  const arn = /^arn:[^:]+:ecs:[^:]*:[^:]*:(?:task|service)\/([^/]+\/[^/]+)$/.exec(name);
  return parseService(arn?.[1] ?? name);
}

const isTaskId = (text: string): boolean => /^[0-9a-f]{32}$/.test(text);

/** @param id of the one task that is wanted; empty: all */
function sourcesOf(
  { name = '', logConfiguration: log }: ContainerDefinition,
  tasks: readonly Task[],
  id: string,
): LogSource[] {
  const { 'awslogs-group': group, 'awslogs-stream-prefix': prefix } = log?.options ?? {};
  if (log?.logDriver !== 'awslogs' || group === undefined) return [];
  if (prefix !== undefined) return [{ group, container: name, streams: `${prefix}/${name}/${id}` }];
  // Without a prefix a stream has the id that Docker gives the container.
  return tasks.flatMap(({ containers = [] }) =>
    containers.flatMap((container) =>
      container.name === name && container.runtimeId ? [{ group, container: name, streams: container.runtimeId }] : [],
    ),
  );
}

async function containersOf(client: ECSClient, arn: string): Promise<readonly ContainerDefinition[]> {
  const { taskDefinition } = await client.send(new DescribeTaskDefinitionCommand({ taskDefinition: arn }));
  return taskDefinition?.containerDefinitions ?? [];
}

function distinct(sources: readonly LogSource[]): LogSource[] {
  return [...new Map(sources.map((source) => [`${source.group} ${source.streams}`, source])).values()];
}

function nothingLogs(what: string, definition: string | undefined): CliError {
  const revision = definition?.split('/').at(-1);
  return new CliError(
    `no container of ${what} has the log driver awslogs${revision === undefined ? '' : ` (${revision})`}: ` +
      `docker logs on its host shows what it wrote. For lines here, register a revision with logConfiguration ` +
      `{"logDriver":"awslogs","options":{"awslogs-group":"web","awslogs-region":"us-east-1","awslogs-stream-prefix":"web"}}`,
  );
}

/** The task in the name of a stream; the name itself where it has none. */
export const taskOf = (stream: string): string => stream.split('/').at(-1) ?? stream;

/**
 * Tells tasks of other services, whose definitions share the group and the prefix, from those that are wanted. Tasks that nobody remembers
 * any more pass.
 */
export class Others {
  readonly #client: ECSClient;
  readonly #wanted: Pick<Wanted, 'cluster' | 'group'>;
  readonly #known = new Map<string, boolean>();

  constructor(client: ECSClient, wanted: Pick<Wanted, 'cluster' | 'group'>) {
    this.#client = client;
    this.#wanted = wanted;
  }

  /** @returns which of the tasks are another service's, or nobody's */
  async among(tasks: readonly string[]): Promise<ReadonlySet<string>> {
    const { cluster, group } = this.#wanted;
    if (group === undefined) return new Set();
    const unknown = [...new Set(tasks)].filter((task) => isTaskId(task) && !this.#known.has(task));
    for (let from = 0; from < unknown.length; from += 100) {
      const asked = unknown.slice(from, from + 100);
      const { tasks: found = [] } = await this.#client.send(new DescribeTasksCommand({ cluster, tasks: asked }));
      for (const task of asked) this.#known.set(task, false);
      for (const task of found) this.#known.set(taskOf(task.taskArn ?? ''), task.group !== group);
    }
    return new Set(tasks.filter((task) => this.#known.get(task) === true));
  }
}
