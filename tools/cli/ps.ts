import { setTimeout as sleep } from 'node:timers/promises';
import type { ContainerInstance, ECSClient, Task } from '@aws-sdk/client-ecs';
import { clientSettings, ecsClient, parseService } from './aws-client.ts';
import { describeInstances, tasksIn } from './contents.ts';
import { CliError } from './errors.ts';
import { reasonOf } from './explain.ts';
import { ageOf, clearTerminal, note, parseOutput, print, printJson, table } from './output.ts';
import { serviceRows, servicesTable } from './ps-services.ts';

export interface PsOptions {
  readonly cluster: string;
  readonly all?: true;
  readonly services?: true;
  readonly host?: string;
  readonly status?: string;
  readonly watch?: true;
  readonly output: string;
}

/** A task as `slipway ps` lists it. */
export interface TaskRow {
  readonly task: string;
  /** The service that it is of, or the group that its caller named. */
  readonly group: string;
  readonly taskDefinition: string;
  readonly containers: readonly {
    readonly name: string;
    readonly image: string;
    readonly digest?: string;
    readonly status: string;
  }[];
  readonly status: string;
  readonly health?: string;
  readonly host?: string;
  /** `address:port` of what listens, TCP unless it says otherwise. */
  readonly addresses: readonly string[];
  readonly createdAt?: string;
  readonly reason?: string;
}

/** Rows of a table; a cluster may have ten thousand tasks. */
const most = 1000;
/** Milliseconds between looks. */
const pace = 2000;

/** `slipway ps`: the tasks of a cluster or of a service of it. */
export async function ps(name: string | undefined, options: PsOptions): Promise<void> {
  const output = parseOutput(options.output);
  if (options.watch && output === 'json') throw new CliError('--watch is for terminals: leave --output out', 2);
  const { cluster, service } =
    name === undefined ? { cluster: options.cluster, service: undefined } : parseService(name);
  const client = ecsClient();
  const own = new URL(clientSettings().endpoint).host;
  if (options.services && (options.all || options.host !== undefined || options.status !== undefined))
    throw new CliError('--all, --host and --status are about tasks: leave them or --services out', 2);
  for (;;) {
    if (options.services) {
      const services = await serviceRows(client, cluster, service);
      if (output === 'json') return printJson(services);
      if (options.watch) clearTerminal();
      print(
        services.length === 0
          ? `no services in the cluster ${cluster}: slipway up makes some`
          : servicesTable(services, Date.now()),
      );
      if (!options.watch) return;
      await sleep(pace);
      continue;
    }
    const { rows, left } = await taskRows(client, cluster, service, options);
    const notAll = `${left} more tasks are not shown: name a service or a host`;
    if (output === 'json') {
      if (left > 0) note(notAll);
      return printJson(rows);
    }
    if (options.watch) clearTerminal();
    print(rows.length === 0 ? nothing(cluster, service, options) : tasksTable(rows, own, Date.now()));
    if (left > 0) note(notAll);
    if (!options.watch) return;
    await sleep(pace);
  }
}

const nothing = (cluster: string, service: string | undefined, { all, host, status }: PsOptions): string =>
  `no tasks ${host === undefined && status === undefined ? '' : 'like that '}in ${service === undefined ? `the cluster ${cluster}` : `${cluster}/${service}`}${all ? '' : '; --all shows those that stopped lately'}`;

/** The tasks that are asked for, and how many more there are than a list has. */
export async function taskRows(
  client: ECSClient,
  cluster: string,
  service: string | undefined,
  { all, host, status }: Pick<PsOptions, 'all' | 'host' | 'status'>,
): Promise<{ readonly rows: readonly TaskRow[]; readonly left: number }> {
  // Those that are like what is asked for may be the last ones.
  const isAll = host === undefined && status === undefined;
  const { found: tasks, left } = await tasksIn(client, cluster, {
    ...(isAll ? { most } : {}),
    service,
    of: all ? ['RUNNING', 'STOPPED'] : ['RUNNING'],
  });
  const hosts = await instancesOf(client, cluster, tasks);
  const rows = tasks
    .map((task) => rowOf(task, hosts.get(task.containerInstanceArn ?? '')))
    .filter((row) => status === undefined || row.status === status.toUpperCase())
    .filter((row) => host === undefined || row.host?.startsWith(host) === true);
  return { rows: rows.toSorted(byGroup).slice(0, most), left: isAll ? left : Math.max(0, rows.length - most) };
}

const byGroup = (a: TaskRow, b: TaskRow): number =>
  a.group === b.group ? ((a.createdAt ?? '') < (b.createdAt ?? '') ? 1 : -1) : a.group < b.group ? -1 : 1;

/** The hosts of tasks by ARN; none where the caller may not see them. */
async function instancesOf(
  client: ECSClient,
  cluster: string,
  tasks: readonly Task[],
): Promise<ReadonlyMap<string, ContainerInstance>> {
  const arns = [...new Set(tasks.flatMap(({ containerInstanceArn }) => containerInstanceArn ?? []))];
  const found = await describeInstances(client, cluster, arns).catch(() => []);
  return new Map(found.map((one) => [one.containerInstanceArn ?? '', one]));
}

/** What of a task is listed. @param host its container instance, where the caller may see it */
export function rowOf(task: Task, host?: ContainerInstance): TaskRow {
  const { taskArn, group = '', taskDefinitionArn, containers = [], lastStatus = '', healthStatus } = task;
  const instance = (host?.containerInstanceArn ?? task.containerInstanceArn)?.split('/').at(-1);
  const reason = reasonOf(task);
  return {
    task: taskArn?.split('/').at(-1) ?? '',
    group: group.replace(/^service:/, ''),
    taskDefinition: taskDefinitionArn?.split('/').at(-1) ?? '',
    containers: containers.map(({ name = '', image = '', imageDigest, lastStatus: at = '' }) => ({
      name,
      image,
      ...(imageDigest === undefined ? {} : { digest: imageDigest }),
      status: at,
    })),
    status: lastStatus,
    ...(healthStatus === undefined || healthStatus === 'UNKNOWN' ? {} : { health: healthStatus }),
    ...(instance === undefined ? {} : { host: instance }),
    addresses: addressesOf(task),
    ...(task.createdAt === undefined ? {} : { createdAt: task.createdAt.toISOString() }),
    ...(reason === '' ? {} : { reason }),
  };
}

/** Where the containers of a task listen: at the task's own address, or at ports of its host. */
function addressesOf({ attachments = [], containers = [] }: Task): string[] {
  const own = attachments
    .flatMap(({ details = [] }) => details)
    .flatMap(({ name, value }) => (name === 'privateIPv4Address' && value !== undefined ? [value] : []));
  const bound = containers
    .flatMap(({ networkBindings = [] }) => networkBindings)
    .flatMap(({ hostPort, bindIP, containerPort, protocol }) => {
      const udp = protocol === 'udp' ? '/udp' : '';
      if (own.length > 0) return containerPort === undefined ? [] : [`${own[0] ?? ''}:${containerPort}${udp}`];
      return hostPort === undefined ? [] : [`${bindIP ?? ''}:${hostPort}${udp}`];
    });
  return [...new Set(bound.length > 0 ? bound : own)];
}

/**
 * The table of tasks: what matters first, the whole id last, for other commands.
 * @param own the registry of this installation, which goes without saying
 * @param now milliseconds since the epoch
 */
export function tasksTable(rows: readonly TaskRow[], own: string, now: number): string {
  return table(
    ['SERVICE', 'IMAGE', 'STATUS', 'HEALTH', 'HOST', 'ADDRESS', 'AGE', 'TASK', 'REASON'],
    rows.map((row) => [
      row.group,
      row.containers.map((one) => shortImage(one.image, one.digest, own)).join(', '),
      row.status,
      row.health ?? '',
      row.host?.slice(0, 12) ?? '',
      row.addresses.join(', '),
      row.createdAt === undefined ? '' : ageOf(Date.parse(row.createdAt), now),
      row.task,
      row.reason ?? '',
    ]),
  );
}

/** An image without the registry where it is this installation's, and with twelve characters of its digest. */
export function shortImage(image: string, digest: string | undefined, own: string): string {
  const [named = '', pinned] = image.split('@');
  const at = (digest ?? pinned)?.replace(/^sha\d+:/, '').slice(0, 12);
  const short = named.startsWith(`${own}/`) ? named.slice(own.length + 1) : named;
  return at === undefined ? short : `${short}@${at}`;
}
