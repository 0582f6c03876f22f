import {
  type Container,
  type ContainerDefinition,
  DescribeServicesCommand,
  DescribeTaskDefinitionCommand,
  type ECSClient,
  type Service,
  type Task,
} from '@aws-sdk/client-ecs';
import { clientSettings, ecsClient } from './aws-client.ts';
import { tasksIn } from './contents.ts';
import { kindOf, type Shown } from './deployment-kinds.ts';
import { meant } from './deployment-names.ts';
import { deploymentMeant } from './deployments.ts';
import { CliError } from './errors.ts';
import { hostsAway } from './hosts-away.ts';
import { type BalancerDetails, balancerDetails, balancers, faults } from './lb.ts';
import { movesOf } from './moves.ts';
import { harmless, parseOutput, print, printJson, table } from './output.ts';
import { elsewhereNote, imagesElsewhere } from './own-host.ts';
import { isScaled, type Scaled, scalingOf, shown } from './scaling.ts';
import { idOf, lineOf, shiftOf } from './service-deployments.ts';
import { setsTable } from './task-sets.ts';
import { verdict } from './verdict.ts';

/** `slipway explain`: what a service is doing, what it waits for and what failed last, from the ECS API alone. */
export async function explain(name: string, options: { readonly output: string }): Promise<void> {
  const output = parseOutput(options.output);
  const { cluster, service: serviceName, id } = await meant(name);
  const client = ecsClient();
  const answer = await client.send(
    new DescribeServicesCommand({ cluster, services: [serviceName], include: ['TAGS'] }),
  );
  const service = answer.services?.[0];
  if (!service) throw new CliError(`there is no service ${serviceName} in the cluster ${cluster}`);
  const running = await tasksOf(client, cluster, serviceName, 'RUNNING');
  const stopped = await tasksOf(client, cluster, serviceName, 'STOPPED');
  const hosts = new Set([...running, ...stopped.filter(isStopping)].flatMap((task) => task.containerInstanceArn ?? []));
  const away = await hostsAway(client, cluster, [...hosts]);
  const definitions = await definitionsOf(client, running);
  const unfollowed = followStopped(service);
  // Only who follows cares: other services run whatever they name.
  const elsewhere =
    isFollowing(service) && service.taskDefinition !== undefined
      ? await imagesElsewhere(client, clientSettings().endpoint, service.taskDefinition)
      : [];
  const deployment = await deploymentIn(client, cluster, service, id);
  const shift = deployment === undefined ? await shiftOf(client, service.currentServiceDeployment) : undefined;
  const scaling = await scalingIn(cluster, service);
  const moves = movesOf(service);
  const report = {
    verdict: verdict(service),
    ...(moves === undefined ? {} : { moves }),
    ...(shift === undefined ? {} : { shift }),
    ...(deployment === undefined ? {} : { deployment: deployment.json }),
    elsewhere,
    ...(unfollowed === undefined ? {} : { followStopped: unfollowed }),
    service: summary(service),
    isolated: isolated(running),
    tasks: running.map((task) => taskLine(task, definitions.get(task.taskDefinitionArn ?? ''))),
    hostsAway: away,
    loadBalancers: await behind(service),
    ...(scaling === undefined ? {} : { scaling }),
    stopped: stopped.slice(0, 10).map((task) => taskLine(task)),
  };
  if (output === 'json') {
    printJson(report);
    return;
  }
  say(`${cluster}/${serviceName}: ${report.verdict}`);
  if (elsewhere.length > 0) say(`  note: ${elsewhereNote(elsewhere)}`);
  for (const line of report.hostsAway) say(`  ${line}`);
  for (const line of report.isolated) say(`  ${line}`);
  if (report.followStopped !== undefined) say(`does not follow its images: ${report.followStopped}`);
  if (moves !== undefined) say(moves);
  print();
  if ((service.taskSets ?? []).length > 0) print(setsTable(service));
  else
    print(
      table(
        ['DEPLOYMENT', 'STATUS', 'ROLLOUT', 'RUNNING', 'PENDING', 'FAILED', 'TASK DEFINITION'],
        (service.deployments ?? []).map((deployment) => [
          deployment.id ?? '',
          deployment.status ?? '',
          deployment.rolloutState ?? '',
          `${deployment.runningCount ?? 0}/${deployment.desiredCount ?? 0}`,
          String(deployment.pendingCount ?? 0),
          String(deployment.failedTasks ?? 0),
          idOf(deployment.taskDefinition),
        ]),
      ),
    );
  if (shift !== undefined) say(`  ${lineOf(shift)}`);
  if (deployment !== undefined) say(`  ${deployment.id}: ${deployment.line}`);
  for (const deployment of service.deployments ?? [])
    if (deployment.rolloutStateReason) say(`  ${deployment.rolloutStateReason}`);
  print();
  printTasks('Tasks', report.tasks);
  printTasks('Last stopped', report.stopped);
  printBalancers(report.loadBalancers);
  if (scaling !== undefined) print(`Count\n${shown(scaling, Date.now()).replaceAll(/^(?=.)/gm, '  ')}\n`);
  print('Last events');
  for (const event of (service.events ?? []).slice(0, 10))
    say(`  ${event.createdAt?.toISOString() ?? ''}  ${event.message ?? ''}`);
}

/** For people: images, hosts and hooks may have had a say in it. */
const say = (line: string): void => print(harmless(line));

/** The deployment that was named; the newest where CodeDeploy makes them, unless the caller may not see it. */
async function deploymentIn(
  client: ECSClient,
  cluster: string,
  service: Service,
  id: string | undefined,
): Promise<Shown | undefined> {
  if (id === undefined && service.deploymentController?.type !== 'CODE_DEPLOY') return undefined;
  const { serviceName = '' } = service;
  const kind = kindOf(client, cluster, serviceName, service);
  const found = deploymentMeant({ kind, name: `${cluster}/${serviceName}`, id });
  return id === undefined ? found.catch(() => undefined) : found;
}

/** Why the count is what it is: what scales the service, and the last it did; undefined for nothing, or when the caller may not see it. */
async function scalingIn(cluster: string, service: Service): Promise<Scaled | undefined> {
  const found = await scalingOf(cluster, service.serviceName ?? '', service).catch(() => undefined);
  return found !== undefined && isScaled(found) ? { ...found, activities: found.activities.slice(0, 5) } : undefined;
}

/** What a load balancer says of a service: its faults, and the targets of the groups that the service is in. */
interface BalancerReport {
  readonly name: string;
  readonly urls: readonly string[];
  readonly faults: readonly string[];
  readonly targets: BalancerDetails['targetGroups'][number]['targets'];
}

/** The load balancers that send requests to a service; none when the caller may not see them. */
async function behind({ loadBalancers = [] }: Service): Promise<BalancerReport[]> {
  const groups = new Set(loadBalancers.map(({ targetGroupArn }) => targetGroupArn?.split('/')[1]));
  if (groups.size === 0) return [];
  try {
    const reports: BalancerReport[] = [];
    for (const { name, urls } of await balancers()) {
      const details = await balancerDetails(name);
      const own = details.targetGroups.filter((group) => groups.has(group.name));
      if (own.length === 0) continue;
      reports.push({ name, urls, faults: faults(details), targets: own.flatMap(({ targets }) => targets) });
    }
    return reports;
  } catch {
    return [];
  }
}

function printBalancers(reports: readonly BalancerReport[]): void {
  for (const { name, urls, faults, targets } of reports) {
    print(`Load balancer ${name}: ${urls.join(', ')}`);
    for (const fault of faults) say(`  ${fault}`);
    const rows = targets.map((one) => [
      one.address,
      one.task ?? one.target,
      one.state,
      [one.reason, one.description].filter((text) => text !== undefined).join(': '),
    ]);
    print(table(['ADDRESS', 'TARGET', 'STATE', 'REASON'], rows).replaceAll(/^/gm, '  '));
    print();
  }
}

/** By what how many of a service's tasks are isolated from the kernels of their hosts; nothing where none is. */
export function isolated(running: readonly Pick<Task, 'attributes'>[]): string[] {
  const counts = new Map<string, number>();
  for (const { attributes = [] } of running) {
    const by = attributes.find(({ name }) => name === 'slipway.isolation')?.value;
    if (by !== undefined) counts.set(by, (counts.get(by) ?? 0) + 1);
  }
  return [...counts].map(([by, count]) => `${count} of ${running.length} running tasks are isolated by ${by}`);
}

interface TaskLine {
  readonly id: string;
  readonly revision: string;
  readonly status: string;
  readonly health: string;
  readonly reason: string;
}

/** Tasks in a table for people; a service may have thousands. */
const most = 100;

function printTasks(title: string, tasks: readonly TaskLine[]): void {
  if (tasks.length === 0) return;
  print(title);
  const rows = tasks.slice(0, most).map((task) => [task.id, task.revision, task.status, task.health, task.reason]);
  print(table(['TASK', 'REVISION', 'STATUS', 'HEALTH', 'REASON'], rows).replaceAll(/^/gm, '  '));
  if (tasks.length > most) print(`  and ${tasks.length - most} older ones: slipway ps shows them`);
  print();
}

/** Told to stop, and not known to have stopped: on a host that is gone it stays so. */
const isStopping = ({ lastStatus }: Task): boolean => lastStatus !== 'STOPPED';

const isFollowing = ({ tags = [] }: Service): boolean =>
  tags.some(({ key, value }) => key === 'slipway:follow' && value !== 'false');

/** Why the newest image that the service follows was not taken, when its rule is not allowed that; undefined when a later deployment was. */
export function followStopped(service: Service): string | undefined {
  const since = service.deployments?.find(({ status }) => status === 'PRIMARY')?.createdAt?.getTime() ?? 0;
  const sentence = `(service ${service.serviceName ?? ''}) does not follow `;
  const event = service.events?.find(
    ({ message = '', createdAt }) => message.startsWith(sentence) && (createdAt?.getTime() ?? 0) > since,
  );
  const follows = service.tags?.some(({ key }) => key === 'slipway:follow') === true;
  return follows ? event?.message?.slice(sentence.length) : undefined;
}

function summary(service: Service): object {
  return {
    status: service.status,
    desiredCount: service.desiredCount,
    runningCount: service.runningCount,
    pendingCount: service.pendingCount,
    follow: service.tags?.find((tag) => tag.key === 'slipway:follow')?.value ?? null,
    deployments: service.deployments,
    ...(service.taskSets === undefined ? {} : { taskSets: service.taskSets }),
    events: service.events?.slice(0, 20),
  };
}

/** The tasks of a service that are wanted, or that are not any more; newest first. */
export async function tasksOf(
  client: ECSClient,
  cluster: string,
  service: string,
  desiredStatus: 'RUNNING' | 'STOPPED',
): Promise<readonly Task[]> {
  const { found } = await tasksIn(client, cluster, { service, of: [desiredStatus] });
  return found.toSorted((a, b) => (b.createdAt?.getTime() ?? 0) - (a.createdAt?.getTime() ?? 0));
}

/** The containers' definitions of tasks that have not started whole, by revision; those that may not be read are left out. */
async function definitionsOf(
  client: ECSClient,
  tasks: readonly Task[],
): Promise<ReadonlyMap<string, readonly ContainerDefinition[]>> {
  const pending = tasks.filter(({ lastStatus }) => lastStatus === 'PENDING');
  const found = new Map<string, readonly ContainerDefinition[]>();
  for (const taskDefinition of new Set(pending.flatMap(({ taskDefinitionArn }) => taskDefinitionArn ?? [])))
    await client.send(new DescribeTaskDefinitionCommand({ taskDefinition })).then(
      (answer) => found.set(taskDefinition, answer.taskDefinition?.containerDefinitions ?? []),
      () => undefined,
    );
  return found;
}

/** What must be so of a container that another one depends on, in words. */
const conditions: Readonly<Record<string, string>> = {
  START: 'starts',
  COMPLETE: 'ends',
  SUCCESS: 'ends with exit code 0',
  HEALTHY: 'is HEALTHY',
};

function isMet(condition: string, { lastStatus, exitCode, healthStatus }: Container): boolean {
  if (condition === 'START') return lastStatus !== 'PENDING';
  if (condition === 'HEALTHY') return healthStatus === 'HEALTHY';
  return lastStatus === 'STOPPED' && (condition !== 'SUCCESS' || exitCode === 0);
}

/**
 * Of a task that has begun to start: which containers do not run yet, what their definitions have them wait for and for how long, and
 * how those stand that they can wait for.
 */
export function waitsFor(
  { lastStatus, containers = [] }: Pick<Task, 'lastStatus' | 'containers'>,
  definitions: readonly ContainerDefinition[] = [],
): string | undefined {
  const pending = containers.filter((container) => container.lastStatus === 'PENDING').map(({ name = '' }) => name);
  const begun = containers.filter((container) => container.lastStatus !== 'PENDING');
  if (lastStatus !== 'PENDING' || pending.length === 0 || begun.length === 0) return undefined;
  const stand = begun.map((container) => {
    const health = container.healthStatus === undefined ? '' : `, health ${container.healthStatus}`;
    return `${container.name ?? ''} is ${container.lastStatus ?? ''}${health}`;
  });
  const waits = definitions
    .filter(({ name = '' }) => pending.includes(name))
    .flatMap(({ name, dependsOn = [] }) =>
      dependsOn.flatMap(({ containerName = '', condition = '' }) => {
        const other = containers.find((container) => container.name === containerName);
        if (other !== undefined && isMet(condition, other)) return [];
        const timeout = definitions.find((one) => one.name === containerName)?.startTimeout;
        // No timeout ends a wait for START.
        const long =
          timeout === undefined || condition === 'START' ? 'for as long as that takes' : `at most ${timeout} s`;
        return [`${name ?? ''} waits until ${containerName} ${conditions[condition] ?? condition}, ${long}`];
      }),
    );
  return [`${pending.join(', ')} not started yet: ${stand.join('; ')}`, ...waits].join('; ');
}

/** Why a task ended or does not start yet; what the task and its container both say is said once. */
export function reasonOf(task: Task, definitions?: readonly ContainerDefinition[]): string {
  const containers = (task.containers ?? []).flatMap(({ name = '', reason, exitCode, lastStatus }) => {
    if (reason !== undefined && task.stoppedReason?.includes(reason) !== true) return [`${name}: ${reason}`];
    return exitCode !== undefined && lastStatus === 'STOPPED' ? [`${name}: exit ${exitCode}`] : [];
  });
  return [task.stoppedReason, waitsFor(task, definitions), ...containers]
    .filter((reason) => reason !== undefined)
    .join('; ');
}

function taskLine(task: Task, definitions?: readonly ContainerDefinition[]): TaskLine {
  return {
    id: idOf(task.taskArn),
    revision: idOf(task.taskDefinitionArn),
    status: task.lastStatus ?? '',
    health: task.healthStatus ?? '',
    reason: reasonOf(task, definitions),
  };
}
