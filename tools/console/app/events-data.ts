import { type AwsError, cloudwatch, ecr, ecs, inGroups, pages, unlessRefused } from './aws.ts';
import { lastOf } from './format.ts';
import { type Level, whyStopped } from './health.ts';
import { readServices } from './overview-data.ts';
import type { ImageDetail, ServiceRow, Task } from './types.ts';

export type Kind = 'service' | 'task' | 'image' | 'alarm';

/** Something that happened. */
export interface Happened {
  readonly id: string;
  /** Seconds since the epoch. */
  readonly at: number;
  readonly kind: Kind;
  readonly level: Extract<Level, 'idle' | 'warn' | 'bad'>;
  /** A service, an image, an alarm. */
  readonly about: string;
  /** The parts of the address of the page that says more. */
  readonly to?: readonly string[];
  readonly words: string;
}

export interface Events {
  readonly clusters: readonly string[];
  /** As `cluster/service`, sorted. */
  readonly services: readonly string[];
  readonly happened: readonly Happened[];
  readonly refused: readonly AwsError[];
}

/** What is kept of all that happened, the newest. */
const mostEvents = 1000;
/** Clusters and repositories that are looked into; each is a call or more. */
const mostPlaces = 20;
/** Stopped tasks of a cluster and images of a repository that are read. */
const mostOfEach = 200;

const grave = /deployment failed|failed to|cannot be|unable to place|unable to shift/;
const odd = /unhealthy|failed|lost contact|unable to|rolling back|went into ALARM/;

/** How grave what a service says is. */
export const levelOf = (message: string): Happened['level'] =>
  grave.test(message) ? 'bad' : odd.test(message) ? 'warn' : 'idle';

/** What services said, tasks that stopped, images that were pushed and what alarms did, the newest first. @throws AwsError */
export async function readEvents(signal: AbortSignal): Promise<Events> {
  const refused: AwsError[] = [];
  const shown = <T>(work: Promise<readonly T[]>): Promise<readonly T[]> =>
    unlessRefused(work, [], (one) => {
      if (refused.every(({ operation }) => operation !== one.operation)) refused.push(one);
    });
  const all = await readServices(signal);
  refused.push(...all.refused);
  const [tasks, images, alarms] = await Promise.all([
    Promise.all(all.clusters.slice(0, mostPlaces).map((cluster) => shown(stoppedIn(cluster, signal)))),
    shown(pushedImages(signal)),
    shown(alarmHistory(signal)),
  ]);
  const happened = [...all.services.flatMap(saidBy), ...tasks.flat(), ...images, ...alarms]
    .toSorted((a, b) => b.at - a.at)
    .slice(0, mostEvents);
  const services = all.services
    .map(({ clusterArn, serviceName = '' }) => `${lastOf(clusterArn)}/${serviceName}`)
    .toSorted((a, b) => a.localeCompare(b));
  return { clusters: all.clusters, services, happened, refused };
}

export const saidBy = ({ clusterArn, serviceName = '', events = [] }: ServiceRow): readonly Happened[] =>
  events.map(({ id = '', createdAt = 0, message = '' }) => ({
    id,
    at: createdAt,
    kind: 'service',
    level: levelOf(message),
    about: serviceName,
    to: ['services', lastOf(clusterArn), serviceName],
    words: message.replace(`(service ${serviceName}) `, ''),
  }));

async function stoppedIn(cluster: string, signal: AbortSignal): Promise<readonly Happened[]> {
  const arns = await pages(
    (nextToken) => ecs('ListTasks', { cluster, desiredStatus: 'STOPPED', maxResults: 100, nextToken }, { signal }),
    (page) => page.taskArns,
    mostOfEach,
  );
  const tasks = await inGroups(
    arns,
    100,
    async (group) => (await ecs('DescribeTasks', { cluster, tasks: group }, { signal })).tasks ?? [],
  );
  return tasks.flatMap((task) => stopOf(cluster, task));
}

/** A task that was told to stop is nothing odd; one that ended by itself, or did not start, is. */
export function stopOf(cluster: string, task: Task): readonly Happened[] {
  const { taskArn, group = '', stopCode, stoppedAt, stoppedReason, containers } = task;
  if (stoppedAt === undefined) return [];
  const service = /^service:(.+)$/.exec(group)?.[1];
  return [
    {
      id: `stopped ${taskArn ?? ''}`,
      at: stoppedAt,
      kind: 'task',
      level: stopCode === 'TaskFailedToStart' ? 'bad' : stopCode === 'EssentialContainerExited' ? 'warn' : 'idle',
      about: service ?? group.replace(/^family:/, ''),
      ...(service === undefined ? {} : { to: ['services', cluster, service] }),
      words: `task ${lastOf(taskArn).slice(0, 12)} stopped: ${whyStopped(stoppedReason, containers)}`,
    },
  ];
}

async function pushedImages(signal: AbortSignal): Promise<readonly Happened[]> {
  const repositories = await pages(
    (nextToken) => ecr('DescribeRepositories', { nextToken, maxResults: 100 }, { signal }),
    (page) => page.repositories,
    mostPlaces,
  );
  return inGroups(repositories.slice(0, mostPlaces), 1, async ([repository]) => {
    const { repositoryName } = repository ?? {};
    const { imageDetails = [] } = await ecr('DescribeImages', { repositoryName, maxResults: mostOfEach }, { signal });
    return imageDetails.map(pushOf);
  });
}

const pushOf = ({ repositoryName = '', imageDigest = '', imageTags, imagePushedAt = 0 }: ImageDetail): Happened => ({
  id: `pushed ${repositoryName} ${imageDigest}`,
  at: imagePushedAt,
  kind: 'image',
  level: 'idle',
  about: repositoryName,
  to: ['repositories', repositoryName],
  words: `${imageDigest.slice(0, 19)} was pushed${imageTags === undefined ? '' : `, now tagged ${imageTags.join(', ')}`}`,
});

async function alarmHistory(signal: AbortSignal): Promise<readonly Happened[]> {
  const AlarmTypes: ('MetricAlarm' | 'CompositeAlarm')[] = ['MetricAlarm', 'CompositeAlarm'];
  const { AlarmHistoryItems = [] } = await cloudwatch(
    'DescribeAlarmHistory',
    { AlarmTypes, MaxRecords: 100 },
    { signal },
  );
  return AlarmHistoryItems.map(({ AlarmName = '', Timestamp = 0, HistoryItemType = '', HistorySummary = '' }) => ({
    id: `alarm ${AlarmName} ${Timestamp} ${HistorySummary}`,
    at: Timestamp,
    kind: 'alarm',
    level: HistorySummary.startsWith('Failed') ? 'bad' : /to ALARM/.test(HistorySummary) ? 'warn' : 'idle',
    about: AlarmName,
    words: `${HistoryItemType === 'Action' ? 'told: ' : ''}${HistorySummary}`,
  }));
}

/** What a filter leaves. @param service as `cluster/service`; empty for all */
export function matching(
  happened: readonly Happened[],
  filter: { readonly text: string; readonly kind: Kind | ''; readonly service: string; readonly onlyOdd: boolean },
): readonly Happened[] {
  const text = filter.text.toLowerCase();
  const service = filter.service === '' ? undefined : `services/${filter.service}`;
  return happened.filter(
    ({ about, words, kind, level, to }) =>
      (filter.kind === '' || kind === filter.kind) &&
      (!filter.onlyOdd || level !== 'idle') &&
      (service === undefined || to?.join('/') === service) &&
      (text === '' || about.toLowerCase().includes(text) || words.toLowerCase().includes(text)),
  );
}
