import { ECRClient } from '@aws-sdk/client-ecr';
import type { RegisterTaskDefinitionCommandInput } from '@aws-sdk/client-ecs';
import { clientSettings, ecsClient } from '../aws-client.ts';
import { CliError } from '../errors.ts';
import { untilServing, balancerName } from '../expose.ts';
import { callJson } from '../json-api.ts';
import { harmless, note, type Output, parseOutput, print, printJson } from '../output.ts';
import { Progress } from '../progress.ts';
import { ApiError } from '../query-api.ts';
import { agree } from './agree.ts';
import { type Applied, applyServices } from './apply.ts';
import { appOfImage, findInput, type ImageOptions, overrideOf, readApp } from './input.ts';
import type { App } from './model.ts';
import { observe } from './observe.ts';
import { type ImagePlan, type Plan, planOf, type Step } from './plan.ts';
import { projectTag, registrationOf } from './registration.ts';
import { account, makeRole, roleArn, secretArns } from './secrets.ts';
import { Images } from './sources.ts';
import { untilSteady } from './wait.ts';

export interface UpOptions extends ImageOptions {
  readonly cluster: string;
  readonly from?: string;
  readonly timeout: string;
  readonly dryRun?: true;
  readonly yes?: true;
  readonly output: string;
}

/** `slipway up`: from a file, a Dockerfile or an image to services that run, behind load balancers where they have ports. */
export async function up(what: string | undefined, options: UpOptions): Promise<void> {
  const output = parseOutput(options.output);
  const timeout = Number(options.timeout);
  if (!Number.isInteger(timeout) || timeout < 1 || timeout > 86_400)
    throw new CliError('--timeout is a number of seconds from 1 to 86400', 2);
  const settings = clientSettings();
  const ecs = ecsClient();
  const ecr = new ECRClient(settings);
  const images = new Images(ecr, new URL(settings.endpoint).host);
  const { cluster, from } = options;
  const app = { ...(await appOf(what, options, images)), ...(from === undefined ? {} : { from }) };
  const plans = new Map<string, readonly ImagePlan[]>();
  for (const { name, containers } of app.services)
    plans.set(name, await Promise.all(containers.map((container) => images.plan(container))));
  const now = await observe(ecs, ecr, cluster, app);
  const secrets = await secretArns(app.services);
  const owner = secrets.size === 0 ? '' : await account();
  const registrations = new Map<string, RegisterTaskDefinitionCommandInput>();
  const register = (service: App['services'][number]): void => {
    const known = (plans.get(service.name) ?? []).filter(({ image }) => image !== undefined);
    if (known.length < service.containers.length) return;
    const executionRoleArn = roleArn(owner, cluster, service);
    registrations.set(
      service.name,
      registrationOf(service, {
        project: app.name,
        region: settings.region,
        images: new Map(known.map(({ container, image = '' }) => [container, image])),
        secrets,
        ...(executionRoleArn === undefined ? {} : { executionRoleArn }),
      }),
    );
  };
  app.services.forEach(register);
  const plan = planOf(app, now, plans, registrations);
  if (output === 'text') for (const line of planLines(plan.steps)) note(line);
  if (options.dryRun) {
    if (output === 'json') printJson({ project: app.name, plan: plan.steps });
    return;
  }
  if (!options.yes && plan.steps.some((step) => step.disturbs))
    await agree({ question: 'Go on?', instead: '--yes, or --dry-run', nothing: 'nothing was changed' }, output);
  // What the cluster says of tasks, their images may have made up.
  const say = (line: string): void => note(harmless(line));

  const repositories = new Set(now.repositories);
  const pushed = new Map<string, string>();
  for (const service of app.services) {
    const done: ImagePlan[] = [];
    for (const [i, one] of (plans.get(service.name) ?? []).entries()) {
      const source = service.containers[i]?.source;
      if (one.push === undefined || source === undefined) done.push(one);
      else {
        const name = `${one.push.repository}:${one.push.tag}`;
        const image = pushed.get(name) ?? (await images.push(one.push, source, app.name, repositories));
        if (!pushed.has(name)) say(`pushed ${name}`);
        pushed.set(name, image);
        done.push({ ...one, image });
      }
    }
    plans.set(service.name, done);
    register(service);
  }
  if (!now.logGroup) await makeLogGroup(app.name);
  for (const service of app.services)
    if (roleArn(owner, cluster, service) !== undefined) await makeRole(cluster, service, secrets);
  const applied = await applyServices(plan, {
    ecs,
    cluster,
    project: app.name,
    ...(from === undefined ? {} : { from }),
    registrations,
    say,
  });
  const hush = (): void => undefined;
  const progress = new Progress('waiting');
  // A line that wraps could not be written over.
  const shown = (line: string): void =>
    progress.show(
      harmless(line)
        .replaceAll(/\s+/g, ' ')
        .slice(0, (process.stderr.columns ?? 80) - 12),
    );
  const waiting = process.stderr.isTTY ? shown : say;
  try {
    for (const service of applied)
      await untilSteady(ecs, cluster, service, timeout * 1000, service.changed ? waiting : hush);
  } finally {
    progress.end();
  }
  for (const { service, tasks, balancer } of applied)
    if (tasks > 0)
      // Where deployments share requests out, they have looked at the targets themselves.
      for (const { targetGroupArn } of (balancer?.groups ?? []).filter(({ isShared }) => !isShared))
        await untilServing(balancerName(cluster, service), targetGroupArn);
  report(app, cluster, plan, applied, output);
}

async function appOf(what: string | undefined, options: UpOptions, images: Images): Promise<App> {
  const input = findInput(what);
  if ('path' in input) {
    for (const option of ['port', 'listen', 'count', 'healthPath', 'env'] as const)
      if (options[option] !== undefined)
        throw new CliError(
          `${input.path} says what runs: change it there, the options are for an image or a Dockerfile`,
          2,
        );
    const app = readApp(input, process.env, options);
    const override = overrideOf(input);
    if (override !== undefined) note(`${override} is not read: slipway up reads one file`);
    if (!options.dryRun) await images.build(app);
    return app;
  }
  if (input.kind === 'image') return appOfImage(input, options, await images.exposedPort(input.image));
  // What its image listens on is known once it is built.
  const draft = appOfImage(input, { ...options, port: options.port ?? '1' }, undefined);
  const image = draft.services[0]?.containers[0]?.source.image ?? '';
  if (!options.dryRun) await images.build(draft);
  return appOfImage(input, options, await images.exposedPort(image));
}

/** A plan for people. */
export function planLines(steps: readonly Step[]): readonly string[] {
  if (steps.length === 0) return ['nothing to do: all is as it should be'];
  return steps.map(({ sign, what, why }) => `  ${sign} ${what}${why === undefined ? '' : `: ${why}`}`);
}

async function makeLogGroup(logGroupName: string): Promise<void> {
  await callJson('logs', 'CreateLogGroup', { logGroupName, tags: { [projectTag]: logGroupName } }).catch(
    (error: unknown) => {
      if (!(error instanceof ApiError) || error.code !== 'ResourceAlreadyExistsException') throw error;
    },
  );
}

function report(app: App, cluster: string, plan: Plan, applied: readonly Applied[], output: Output): void {
  const urlsOf = ({ balancer }: Applied): readonly string[] =>
    (balancer?.groups ?? []).map(({ port }) => `http://${balancer?.dnsName ?? ''}${port === 80 ? '' : `:${port}`}`);
  if (output === 'json')
    return printJson({
      project: app.name,
      cluster,
      changed: plan.steps.length > 0,
      services: applied.map((one) => ({
        service: one.service,
        taskDefinition: one.taskDefinition,
        tasks: one.tasks,
        urls: urlsOf(one),
      })),
    });
  for (const one of applied) for (const url of urlsOf(one)) print(url);
  const names = applied.map(({ service }) => service).join(', ');
  note(
    `${names} ${applied.length === 1 ? 'is' : 'are'} steady: slipway ps, slipway logs ${applied[0]?.service ?? ''}, slipway down`,
  );
}
