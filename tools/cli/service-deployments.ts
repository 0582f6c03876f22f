import {
  ContinueServiceDeploymentCommand,
  DescribeServiceDeploymentsCommand,
  DescribeServiceRevisionsCommand,
  type ECSClient,
  ListServiceDeploymentsCommand,
  type ServiceDeployment,
  type ServiceDeploymentBrief,
  type ServiceDeploymentStatus,
  type ServiceRevisionSummary,
  StopServiceDeploymentCommand,
} from '@aws-sdk/client-ecs';
import type { Kind, Shown } from './deployment-kinds.ts';
import { CliError } from './errors.ts';
import { table } from './output.ts';

const over: readonly (ServiceDeploymentStatus | undefined)[] = [
  'SUCCESSFUL',
  'STOPPED',
  'ROLLBACK_SUCCESSFUL',
  'ROLLBACK_FAILED',
];

export const listHeader = ['DEPLOYMENT', 'STATUS', 'STARTED', 'ENDED', 'REASON'];

/** The deployments that ECS itself makes, rolling or by shifting traffic. */
export function serviceDeployments(client: ECSClient, cluster: string, service: string): Kind {
  const look = async (id: string | undefined): Promise<ServiceDeployment | undefined> => {
    if (id?.includes(':service-deployment/') === true) return describe(client, id);
    for await (const brief of remembered(client, cluster, service)) {
      const { serviceDeploymentArn: arn } = brief;
      if (arn !== undefined && (id === undefined || isNamed(brief, id))) return describe(client, arn);
    }
    return undefined;
  };
  const need = async (id: string | undefined): Promise<ServiceDeployment> => {
    const found = await look(id);
    if (found === undefined)
      throw new CliError(`${cluster}/${service} has no deployment${id === undefined ? 's' : ` ${id}`}`);
    return found;
  };
  return {
    async list() {
      const json: ServiceDeploymentBrief[] = [];
      for await (const one of remembered(client, cluster, service)) json.push(one);
      return { json, header: listHeader, rows: json.map(rowOf) };
    },
    async find(id) {
      const found = await look(id);
      return found === undefined ? undefined : shown(client, found);
    },
    async goOn(id, { hook, endOld }) {
      if (endOld === true)
        throw new CliError(`--end-old is for deployments of CodeDeploy, and ECS deploys ${cluster}/${service}`, 2);
      const deployment = await need(id);
      const waiting = (deployment.lifecycleHookDetails ?? []).filter(({ status }) => status === 'AWAITING_ACTION');
      const hookId = hook ?? waiting[0]?.hookId;
      if (hookId === undefined)
        throw new CliError(`${cluster}/${service} does not wait for a person: ${lineOf(deployment)}`);
      if (hook === undefined && waiting.length > 1)
        throw new CliError(
          `which one goes on? Say it with --hook: ${waiting.map((one) => one.hookId ?? '').join(', ')}`,
          2,
        );
      const { serviceDeploymentArn } = deployment;
      await client.send(new ContinueServiceDeploymentCommand({ serviceDeploymentArn, hookId, action: 'CONTINUE' }));
      return { json: { serviceDeploymentArn, hookId, action: 'CONTINUE' }, words: 'goes on' };
    },
    async goBack(id, stopType) {
      const { serviceDeploymentArn } = await need(id);
      await client.send(new StopServiceDeploymentCommand({ serviceDeploymentArn, stopType }));
      return { json: { serviceDeploymentArn, stopType }, words: 'goes back to what it ran before' };
    },
  };
}

/** A deployment has an ARN, and another id in DescribeServices and events, `ecs-svc/<number>`, whose number its revision has too. */
const isNamed = ({ serviceDeploymentArn, targetServiceRevisionArn }: ServiceDeploymentBrief, id: string): boolean =>
  idOf(serviceDeploymentArn) === id || (/^\d+$/.test(idOf(id)) && idOf(targetServiceRevisionArn) === idOf(id));

export const rowOf = (one: ServiceDeploymentBrief): readonly string[] => [
  idOf(one.serviceDeploymentArn),
  one.status ?? '',
  one.createdAt?.toISOString() ?? '',
  one.finishedAt?.toISOString() ?? '',
  one.statusReason ?? '',
];

function shown(client: ECSClient, deployment: ServiceDeployment): Shown {
  const { status = '' } = deployment;
  const end = over.includes(deployment.status)
    ? { end: { isWell: status === 'SUCCESSFUL', words: `${status}: ${reasonOf(deployment)}` } }
    : {};
  return {
    id: idOf(deployment.serviceDeploymentArn),
    ref: deployment.serviceDeploymentArn ?? '',
    json: deployment,
    line: lineOf(deployment),
    ...end,
    details: async () => [await revisionsTable(client, deployment), ...hooksTables(deployment)],
  };
}

async function revisionsTable(client: ECSClient, deployment: ServiceDeployment): Promise<string> {
  const revisions = [
    { which: 'new', ...deployment.targetServiceRevision },
    ...(deployment.sourceServiceRevisions ?? []).map((one) => ({ which: 'old', ...one })),
  ];
  const definitions = await definitionsOf(client, revisions);
  return table(
    ['', 'REVISION', 'TASK DEFINITION', 'TASKS', 'PENDING', 'PRODUCTION', 'TEST'],
    revisions.map((one) => [
      one.which,
      idOf(one.arn),
      definitions.get(one.arn ?? '') ?? '',
      `${one.runningTaskCount ?? 0}/${one.requestedTaskCount ?? 0}`,
      String(one.pendingTaskCount ?? 0),
      percent(one.requestedProductionTrafficWeight),
      percent(one.requestedTestTrafficWeight),
    ]),
  );
}

/** What hooks were asked, as one table; none where there are none. */
export function hooksTables({ lifecycleHookDetails: hooks = [] }: ServiceDeployment): readonly string[] {
  if (hooks.length === 0) return [];
  return [
    table(
      ['HOOK', 'TARGET', 'STATUS', 'ENDS', 'THEN'],
      hooks.map((one) => [
        one.hookId ?? '',
        one.targetArn ?? 'a person',
        one.status ?? '',
        one.expiresAt?.toISOString() ?? '',
        one.timeoutAction ?? '',
      ]),
    ),
  ];
}

/** The deployments of a service that are remembered, newest first, page by page. */
export async function* remembered(
  client: Pick<ECSClient, 'send'>,
  cluster: string,
  service: string,
): AsyncIterable<ServiceDeploymentBrief> {
  let nextToken: string | undefined;
  do {
    const page = await client.send(new ListServiceDeploymentsCommand({ cluster, service, maxResults: 100, nextToken }));
    yield* page.serviceDeployments ?? [];
    ({ nextToken } = page);
  } while (nextToken !== undefined);
}

/** undefined for one that is not remembered any more */
async function describe(client: ECSClient, arn: string): Promise<ServiceDeployment | undefined> {
  const answer = await client.send(new DescribeServiceDeploymentsCommand({ serviceDeploymentArns: [arn] }));
  return answer.serviceDeployments?.[0];
}

/** The newest deployment of a service, as explain shows it; undefined for none that shifts traffic, or when the caller may not see it. */
export async function shiftOf(client: ECSClient, arn: string | undefined): Promise<ServiceDeployment | undefined> {
  if (arn === undefined) return undefined;
  const found = await describe(client, arn).catch(() => undefined);
  return found?.lifecycleStage === undefined ? undefined : found;
}

/** The task definitions of revisions, as FAMILY:REVISION by the ARN of the revision. */
async function definitionsOf(
  client: ECSClient,
  revisions: readonly ServiceRevisionSummary[],
): Promise<ReadonlyMap<string, string>> {
  const { serviceRevisions = [] } = await client.send(
    new DescribeServiceRevisionsCommand({ serviceRevisionArns: revisions.flatMap(({ arn }) => arn ?? []) }),
  );
  return new Map(serviceRevisions.map((one) => [one.serviceRevisionArn ?? '', idOf(one.taskDefinition)]));
}

/** Where a deployment is, how traffic and tasks are shared out, and what it waits for: one line. */
export function lineOf(deployment: ServiceDeployment): string {
  const {
    status = '',
    lifecycleStage,
    targetServiceRevision: target = {},
    sourceServiceRevisions: sources = [],
  } = deployment;
  const tasks = (one: ServiceRevisionSummary): string => `${one.runningTaskCount ?? 0}/${one.requestedTaskCount ?? 0}`;
  const shares =
    target.requestedProductionTrafficWeight === undefined
      ? []
      : [
          `production ${percent(target.requestedProductionTrafficWeight)} new`,
          `test ${percent(target.requestedTestTrafficWeight)} new`,
        ];
  const old = sources.reduce((sum, { runningTaskCount = 0 }) => sum + runningTaskCount, 0);
  return [
    [status, ...(lifecycleStage === undefined ? [] : [lifecycleStage])].join(' '),
    ...shares,
    `tasks ${tasks(target)} new${sources.length === 0 ? '' : `, ${old} old`}`,
    reasonOf(deployment),
  ]
    .filter((part) => part !== '')
    .join('; ');
}

const reasonOf = ({ rollback, statusReason, status }: ServiceDeployment): string =>
  (status?.startsWith('ROLLBACK') === true ? rollback?.reason : undefined) ?? statusReason ?? '';

const percent = (weight: number | undefined): string => (weight === undefined ? '' : `${weight} %`);

/** The last part of an ARN or id. */
export const idOf = (arn: string | undefined): string => arn?.split('/').at(-1) ?? '';
