import { createHash } from 'node:crypto';
import type { ImageDetail } from '@aws-sdk/client-ecr';
import type { ContainerInstance, Service, ServiceDeploymentBrief, Task } from '@aws-sdk/client-ecs';
import { hostDetail, taskDetail, type ToldStatus } from './event-details.ts';
import { reasonOf } from './explain.ts';

/** An event in the form that EventBridge has for those of ECS and ECR. */
export interface EventShape {
  readonly version: '0';
  readonly id: string;
  readonly 'detail-type': string;
  readonly source: 'aws.ecs' | 'aws.ecr';
  readonly account: string;
  readonly time: string;
  readonly region: string;
  readonly resources: readonly string[];
  readonly detail: Readonly<Record<string, unknown>>;
}

/** An event, and how a person reads it. */
export interface Told {
  readonly event: EventShape;
  readonly level: 'INFO' | 'WARN' | 'ERROR';
  /** Milliseconds since the epoch: EventBridge says seconds. */
  readonly at: number;
  /** What it is about: a service, a task, a host, an image. */
  readonly subject: string;
  readonly words: string;
}

/** Without members that are not known. */
const withoutGaps = (detail: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(Object.entries(detail).filter(([, value]) => value !== undefined));

const lastOf = (arn: string | undefined): string => arn?.split('/').at(-1) ?? '';

/** Events are read from what they left behind: the same state has the same id each time. */
function told(
  type: string,
  arn: string,
  time: Date,
  detail: Readonly<Record<string, unknown>>,
  said: Pick<Told, 'level' | 'subject' | 'words'>,
  { key = '', resources = [arn] }: { readonly key?: string | undefined; readonly resources?: readonly string[] } = {},
): Told {
  const [, , service = 'ecs', region = '', account = ''] = arn.split(':');
  const hash = createHash('sha256').update(`${type}\n${arn}\n${time.getTime()}\n${said.words}\n${key}`).digest('hex');
  const id = [hash.slice(0, 8), hash.slice(8, 12), hash.slice(12, 16), hash.slice(16, 20), hash.slice(20, 32)].join(
    '-',
  );
  const event: EventShape = {
    version: '0',
    id,
    'detail-type': type,
    source: service === 'ecr' ? 'aws.ecr' : 'aws.ecs',
    account,
    time: time.toISOString().replace(/\.\d{3}Z$/, 'Z'),
    region,
    resources,
    detail: withoutGaps(detail),
  };
  return { event, at: time.getTime(), ...said };
}

/** Names that EventBridge has for what a service says, and how grave it is. */
const actions: readonly (readonly [RegExp, string | undefined, Told['level']])[] = [
  [/has reached a steady state/, 'SERVICE_STEADY_STATE', 'INFO'],
  [/has stopped \d+ running tasks/, 'TASKS_STOPPED', 'INFO'],
  [/unable to consistently start tasks/, 'SERVICE_TASK_START_IMPAIRED', 'WARN'],
  [/unable to place a task/, 'SERVICE_TASK_PLACEMENT_FAILURE', 'ERROR'],
  [/deployment failed|failed to register|cannot be rolled back|unable to shift/, undefined, 'ERROR'],
  [/unhealthy|failed container health checks|lost contact|unable to|rolling back|went into ALARM/, undefined, 'WARN'],
];

/** What a service has said, and how its deployments went. */
export function eventsOfService(service: Service, deployments: readonly ServiceDeploymentBrief[]): readonly Told[] {
  const { serviceArn = '', serviceName = '', clusterArn, events = [] } = service;
  const said = events.flatMap(({ id, message = '', createdAt }) => {
    if (createdAt === undefined) return [];
    const words = message.replace(`(service ${serviceName}) `, '');
    const [, eventName, level = 'INFO'] = actions.find(([pattern]) => pattern.test(message)) ?? [];
    const detail = {
      eventType: level,
      ...(eventName === undefined ? {} : { eventName }),
      clusterArn,
      // The name says all where nothing is wrong (ECS developer guide, "Service action events").
      ...(eventName !== undefined && level === 'INFO' ? {} : { reason: words }),
      createdAt: createdAt.toISOString(),
    };
    return [
      told('ECS Service Action', serviceArn, createdAt, detail, { level, subject: serviceName, words }, { key: id }),
    ];
  });
  return [...said, ...deployments.flatMap((one) => eventsOfDeployment(serviceArn, serviceName, one))];
}

function eventsOfDeployment(arn: string, subject: string, one: ServiceDeploymentBrief): readonly Told[] {
  const deploymentId = `ecs-svc/${lastOf(one.targetServiceRevisionArn)}`;
  const of = (time: Date, eventName: string, level: Told['level'], reason: string): Told =>
    told(
      'ECS Deployment State Change',
      arn,
      time,
      { eventType: level, eventName, deploymentId, updatedAt: time.toISOString(), reason },
      { level, subject, words: reason },
    );
  const begun = one.startedAt ?? one.createdAt;
  const name = `ECS deployment ${deploymentId}`;
  return [
    ...(begun === undefined ? [] : [of(begun, 'SERVICE_DEPLOYMENT_IN_PROGRESS', 'INFO', `${name} in progress.`)]),
    ...(one.finishedAt === undefined
      ? []
      : one.status === 'SUCCESSFUL'
        ? [of(one.finishedAt, 'SERVICE_DEPLOYMENT_COMPLETED', 'INFO', `${name} completed.`)]
        : [
            of(
              one.finishedAt,
              'SERVICE_DEPLOYMENT_FAILED',
              'ERROR',
              `${name} ended ${one.status ?? ''}${one.statusReason === undefined ? '.' : `: ${one.statusReason}`}`,
            ),
          ]),
  ];
}

/** The states that a task has come through, as far as it says when. */
export function eventsOfTask(task: Task): readonly Told[] {
  const { taskArn = '', group = '', createdAt, startedAt, stoppedAt } = task;
  const subject = `${group.replace(/^(service|family):/, '')}/${lastOf(taskArn).slice(0, 12)}`;
  const of = (
    time: Date | undefined,
    lastStatus: ToldStatus,
    words: string,
    level: Told['level'] = 'INFO',
  ): readonly Told[] =>
    time === undefined
      ? []
      : [told('ECS Task State Change', taskArn, time, taskDetail(task, lastStatus, time), { level, subject, words })];
  const reason = reasonOf(task);
  // Whoever was told to stop may end with any code.
  const failed = task.stopCode === 'EssentialContainerExited' || task.stopCode === 'TaskFailedToStart';
  return [
    ...of(createdAt, 'PENDING', `task of ${lastOf(task.taskDefinitionArn)} is PENDING`),
    ...of(startedAt, 'RUNNING', `task is RUNNING on ${lastOf(task.containerInstanceArn).slice(0, 12)}`),
    ...of(stoppedAt, 'STOPPED', `task is STOPPED${reason === '' ? '' : `: ${reason}`}`, failed ? 'ERROR' : 'INFO'),
  ];
}

/** That an image was pushed, and what its last scan found. */
export function eventsOfImage(image: ImageDetail, region: string): readonly Told[] {
  const { repositoryName = '', registryId = '', imageTags = [], imageDigest = '' } = image;
  const arn = `arn:aws:ecr:${region}:${registryId}:repository/${repositoryName}`;
  const subject = `${repositoryName}:${imageTags[0] ?? imageDigest.slice(7, 19)}`;
  const pushed = image.imagePushedAt;
  const scanned = image.imageScanFindingsSummary?.imageScanCompletedAt;
  const counts = image.imageScanFindingsSummary?.findingSeverityCounts ?? {};
  const found = Object.entries(counts).map(([severity, count]) => `${count} ${severity}`);
  const grave = (counts['CRITICAL'] ?? 0) + (counts['HIGH'] ?? 0) > 0;
  return [
    ...(pushed === undefined
      ? []
      : [
          told(
            'ECR Image Action',
            arn,
            pushed,
            {
              'action-type': 'PUSH',
              result: 'SUCCESS',
              'repository-name': repositoryName,
              'image-digest': imageDigest,
              ...(imageTags[0] === undefined ? {} : { 'image-tag': imageTags[0] }),
            },
            { level: 'INFO', subject, words: `pushed ${imageDigest.slice(0, 19)}` },
            { resources: [] },
          ),
        ]),
    ...(scanned === undefined
      ? []
      : [
          told(
            'ECR Image Scan',
            arn,
            scanned,
            {
              'scan-status': image.imageScanStatus?.status,
              'repository-name': repositoryName,
              'image-digest': imageDigest,
              'image-tags': imageTags,
              'finding-severity-counts': counts,
            },
            { level: grave ? 'WARN' : 'INFO', subject, words: `scanned: ${found.join(', ') || 'nothing found'}` },
          ),
        ]),
  ];
}

/** How a host stands: what it was before is not remembered anywhere, so that it is an event from when it is seen. */
export function eventOfHost(host: ContainerInstance, time: Date): Told {
  const { containerInstanceArn = '', status = '', agentConnected = false, statusReason } = host;
  const words = `host is ${status}, its agent ${agentConnected ? 'connected' : 'away'}${statusReason === undefined ? '' : `: ${statusReason}`}`;
  return told('ECS Container Instance State Change', containerInstanceArn, time, hostDetail(host, time), {
    level: status === 'ACTIVE' && agentConnected ? 'INFO' : 'WARN',
    subject: lastOf(containerInstanceArn).slice(0, 12),
    words,
  });
}

/** Oldest first; of one moment, in the order of what they are about. */
export const inOrder = (events: readonly Told[]): readonly Told[] =>
  events.toSorted((a, b) => a.at - b.at || (a.subject < b.subject ? -1 : a.subject > b.subject ? 1 : 0));
