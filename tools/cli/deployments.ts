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
  type StopServiceDeploymentStopType,
} from '@aws-sdk/client-ecs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ecsClient, parseService } from './aws-client.ts';
import { CliError } from './errors.ts';
import { note, type Output, parseOutput, print, printJson, table } from './output.ts';

interface Options {
  readonly output: string;
}

/** Exit code of a deployment that ended without success. */
export const notDeployed = 3;
/** Milliseconds between looks at a deployment. */
const pause = 1000;

const over: readonly (ServiceDeploymentStatus | undefined)[] = [
  'SUCCESSFUL',
  'STOPPED',
  'ROLLBACK_SUCCESSFUL',
  'ROLLBACK_FAILED',
];

/** `slipway deployments list`: the deployments of a service that are remembered, newest first. */
export async function listDeployments(name: string, options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const { cluster, service } = parseService(name);
  const client = ecsClient();
  const serviceDeployments: ServiceDeploymentBrief[] = [];
  for await (const one of remembered(client, cluster, service)) serviceDeployments.push(one);
  if (output === 'json') return printJson(serviceDeployments);
  const rows = serviceDeployments.map((one) => [
    idOf(one.serviceDeploymentArn),
    one.status ?? '',
    one.createdAt?.toISOString() ?? '',
    one.finishedAt?.toISOString() ?? '',
    one.statusReason ?? '',
  ]);
  print(table(['DEPLOYMENT', 'STATUS', 'STARTED', 'ENDED', 'REASON'], rows));
}

/** `slipway deployments show`: stage, weights, tasks and hooks of one deployment. */
export async function showDeployment(name: string, id: string | undefined, options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const client = ecsClient();
  const deployment = await deploymentOf(client, name, id);
  if (output === 'json') return printJson(deployment);
  print(`${name}, deployment ${idOf(deployment.serviceDeploymentArn)}: ${lineOf(deployment)}`);
  print();
  const revisions = [
    { which: 'new', ...deployment.targetServiceRevision },
    ...(deployment.sourceServiceRevisions ?? []).map((one) => ({ which: 'old', ...one })),
  ];
  const definitions = await definitionsOf(client, revisions);
  print(
    table(
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
    ),
  );
  const hooks = deployment.lifecycleHookDetails ?? [];
  if (hooks.length === 0) return;
  print();
  print(
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
  );
}

/** `slipway deployments watch`: a line for every change of a deployment until it is over; exit code 3 when it did not succeed. */
export async function watchDeployment(name: string, id: string | undefined, options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const client = ecsClient();
  const { serviceDeploymentArn = '' } = await deploymentOf(client, name, id);
  await watch(client, serviceDeploymentArn, output);
}

/** Follows a deployment to its end. @throws CliError when it does not succeed */
export async function watch(client: ECSClient, arn: string, output: Output): Promise<void> {
  for (let said = ''; ; await sleep(pause)) {
    const deployment = await describe(client, arn);
    const line = lineOf(deployment);
    if (line !== said) {
      if (output === 'json') print(JSON.stringify(deployment));
      else print(`${new Date().toISOString()}  ${line}`);
      said = line;
    }
    if (!over.includes(deployment.status)) continue;
    if (deployment.status === 'SUCCESSFUL') return;
    throw new CliError(`the deployment is ${deployment.status}: ${reasonOf(deployment)}`, notDeployed);
  }
}

/** `slipway deployments continue`: lets a deployment go on that waits for a person. */
export async function continueDeployment(name: string, options: Options & { readonly hook?: string }): Promise<void> {
  const output = parseOutput(options.output);
  const client = ecsClient();
  const deployment = await deploymentOf(client, name, undefined);
  const waiting = (deployment.lifecycleHookDetails ?? []).filter(({ status }) => status === 'AWAITING_ACTION');
  const hookId = options.hook ?? waiting[0]?.hookId;
  if (hookId === undefined) throw new CliError(`${name} does not wait for a person: ${lineOf(deployment)}`);
  if (options.hook === undefined && waiting.length > 1)
    throw new CliError(
      `which one goes on? Say it with --hook: ${waiting.map((one) => one.hookId ?? '').join(', ')}`,
      2,
    );
  const { serviceDeploymentArn } = deployment;
  await client.send(new ContinueServiceDeploymentCommand({ serviceDeploymentArn, hookId, action: 'CONTINUE' }));
  if (output === 'json') printJson({ serviceDeploymentArn, hookId, action: 'CONTINUE' });
  else print(`${name} goes on: slipway deployments watch ${name}`);
}

/** `slipway deployments rollback` and `stop`: traffic goes back to the old revision. */
export async function stopDeployment(
  name: string,
  stopType: StopServiceDeploymentStopType,
  options: Options,
): Promise<void> {
  const output = parseOutput(options.output);
  const client = ecsClient();
  const { serviceDeploymentArn } = await deploymentOf(client, name, undefined);
  await client.send(new StopServiceDeploymentCommand({ serviceDeploymentArn, stopType }));
  if (output === 'json') return printJson({ serviceDeploymentArn, stopType });
  print(`${name} goes back to what it ran before`);
  note(`slipway deployments watch ${name} shows how it goes`);
}

/** One deployment of a service: by the last part of its ARN, or the newest. */
async function deploymentOf(client: ECSClient, name: string, id: string | undefined): Promise<ServiceDeployment> {
  const { cluster, service } = parseService(name);
  for await (const { serviceDeploymentArn: arn } of remembered(client, cluster, service))
    if (arn !== undefined && (id === undefined || arn === id || idOf(arn) === id)) return describe(client, arn);
  throw new CliError(
    id === undefined
      ? `${name} has no deployments`
      : `${name} has no deployment ${id}: slipway deployments list ${name} shows them`,
  );
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

async function describe(client: ECSClient, arn: string): Promise<ServiceDeployment> {
  const answer = await client.send(new DescribeServiceDeploymentsCommand({ serviceDeploymentArns: [arn] }));
  const [found] = answer.serviceDeployments ?? [];
  if (found === undefined) throw new CliError(`the deployment ${idOf(arn)} is not remembered any more`);
  return found;
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

const idOf = (arn: string | undefined): string => arn?.split('/').at(-1) ?? '';
