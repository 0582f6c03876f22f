import type { CreateDeploymentInput, RevisionLocation } from '@aws-sdk/client-codedeploy';
import { AwsError, type Call } from '@slipway/auth/contract';
import { createHash } from 'node:crypto';

import { checkContainers, checkTargetGroups, findService, parseHooks } from '../services/index.ts';
import {
  type LifecycleHook,
  newDeploymentId,
  type RandomBytes,
  type ServiceLoadBalancer,
  type TaskDefinitionRecord,
} from '../state/index.ts';
import { activeDefinition } from '../tasks/index.ts';

import { parseAlarms, stoppingAlarms } from './alarms.ts';
import type { AppSpec } from './appspec.ts';
import { asRevision, noConfiguration, notDone, refuse } from './errors.ts';
import { readLaunch } from './launch.ts';
import { type CodeDeployApi, placeOf } from './options.ts';
import { stageOf } from './progress.ts';
import {
  type CodeDeployRecord,
  type GroupRecord,
  type RevisionRecord,
  type RollbackEvent,
  rollbackEvents,
} from './records.ts';
import { checkRole } from './role.ts';
import { strategyOf } from './routing.ts';
import { configuration } from './store.ts';

/** Minutes that new tasks have to become healthy, and that a hook has to answer (CodeDeploy user guide: an hour each). */
const installMinutes = 60;
const hookMinutes = 60;

/**
 * What CreateDeployment asks for, checked against everything that is there.
 * @throws CodeDeploy's exceptions, each about one member or one line of the AppSpec
 */
export async function prepare(
  api: CodeDeployApi,
  input: CreateDeploymentInput,
  group: GroupRecord,
  call: Call,
): Promise<CodeDeployRecord> {
  refuseOthers(input);
  const { account } = call;
  const name = input.deploymentConfigName ?? group.configuration;
  const configured = await configuration(api, account, name);
  if (configured === undefined) throw noConfiguration(name);
  const revision = readRevision(input.revision);
  // Loaded with the first deployment: reading YAML is a twelfth of what a server loads.
  const { parseAppSpec } = await import('./appspec.ts');
  const appSpec = parseAppSpec(revision.content);
  const ref = { account, cluster: group.service.cluster, service: group.service.name };
  const service = await findService(api, ref);
  if (service?.status !== 'ACTIVE' || service.controller !== 'CODE_DEPLOY')
    throw refuse(
      'InvalidECSService',
      `The ECS service ${ref.service} does not exist in the cluster ${ref.cluster}, is not ACTIVE, or has another deployment controller than CODE_DEPLOY.`,
    );
  const definition = await asRevision(() => activeDefinition(api, account, appSpec.taskDefinition));
  const launch = await asRevision(() => readLaunch(api, ref, appSpec, service, definition));
  const loadBalancer = await readBalancer(api, account, group, appSpec, definition);
  const id = `d-${newCode(api.random)}`;
  const hooks = readHooks(api, group, appSpec, id, call);
  const rollback = readRollback(input) ?? group.rollback;
  const given = parseAlarms(input.overrideAlarmConfiguration);
  const alarms = stoppingAlarms(given ?? group.alarms, rollback);
  await checkRole(api, group, id, { service, definition, call, launch, alarms: alarms?.alarmNames ?? [] });
  return {
    id,
    rollbackId: `d-${newCode(api.random)}`,
    group,
    configuration: name,
    revision,
    ...(input.description === undefined ? {} : { description: input.description }),
    start: {
      id: newDeploymentId(api.random),
      taskDefinition: definition.arn,
      strategy: strategyOf(configured.routing),
      bakeTimeInMinutes: group.terminationWait,
      hooks: hooks.map(({ hook }) => hook),
      loadBalancer,
      ...(launch === undefined ? {} : { launch }),
      codeDeploy: {
        id,
        goesBack: rollback.includes('DEPLOYMENT_FAILURE'),
        installMinutes,
        ...(alarms === undefined ? {} : { alarms }),
      },
    },
    hookEvents: hooks.map(({ event }) => event),
    rollback,
    ...(given === undefined ? {} : { alarms: given }),
    createdAt: api.clock.now(),
    createdBy: call.principal.arn,
  };
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789';

/** Nine capital letters and digits. */
const newCode = (random: RandomBytes): string =>
  Array.from(random(9), (byte) => letters[byte % letters.length] ?? 'A').join('');

function refuseOthers(input: CreateDeploymentInput): void {
  if (input.targetInstances !== undefined || input.updateOutdatedInstancesOnly === true)
    throw refuse(
      'InvalidInput',
      'targetInstances and updateOutdatedInstancesOnly are for the compute platform Server: remove them.',
    );
  if (input.ignoreApplicationStopFailures === true || (input.fileExistsBehavior ?? 'DISALLOW') !== 'DISALLOW')
    throw refuse(
      'InvalidInput',
      'ignoreApplicationStopFailures and fileExistsBehavior are for the compute platform Server: remove them.',
    );
  if ((input.description?.length ?? 0) > 1000)
    throw refuse('DescriptionTooLong', 'A description has at most 1000 characters.');
}

/** @throws RevisionRequiredException, InvalidRevisionException, OperationNotSupportedException */
function readRevision(given: RevisionLocation | undefined): RevisionRecord {
  if (given === undefined) throw refuse('RevisionRequired', 'A revision is required.');
  const { revisionType: type, appSpecContent, string } = given;
  if (type === 'S3' || type === 'GitHub')
    throw notDone(
      `A revision of type ${type}`,
      'Give the content of the AppSpec: revisionType AppSpecContent with appSpecContent.content.',
    );
  const located = type === 'AppSpecContent' ? appSpecContent : type === 'String' ? string : undefined;
  if (located === undefined || (type !== 'AppSpecContent' && type !== 'String'))
    throw refuse('InvalidRevision', 'revisionType must be AppSpecContent with appSpecContent, or String with string.');
  const { content = '', sha256: said } = located;
  const sha256 = createHash('sha256').update(content).digest('hex');
  if (said !== undefined && said.toLowerCase() !== sha256)
    throw refuse('InvalidRevision', `The sha256 of the AppSpec's content is ${sha256}, not the one that was given.`);
  return { type, content, sha256 };
}

/** The pair of target groups, with the listeners whose default action shares traffic out between them. */
async function readBalancer(
  api: CodeDeployApi,
  account: string,
  group: GroupRecord,
  { containerName, containerPort }: AppSpec,
  definition: TaskDefinitionRecord,
): Promise<ServiceLoadBalancer> {
  const bad = (message: string): Error => refuse('InvalidTargetGroupPair', message);
  const named = async (name: string): Promise<string> => {
    const arn = await api.targetGroups.named(account, name);
    if (arn === undefined) throw bad(`There is no target group ${name}.`);
    return arn;
  };
  const pair = [await named(group.targetGroups[0]), await named(group.targetGroups[1])] as const;
  const { productionListener, testListener, roleArn } = group;
  for (const arn of [productionListener, ...(testListener === undefined ? [] : [testListener])]) {
    const rule = await api.targetGroups.rule(account, arn);
    if (rule === undefined) throw refuse('InvalidLoadBalancerInfo', `There is no listener ${arn}.`);
    if (rule.groups.length === 0 || !rule.groups.every((one) => pair.includes(one)))
      throw bad(
        `The default action of the listener ${arn} must forward to the target groups ${group.targetGroups.join(' and ')}, and to no other: ` +
          'let it forward to the first one (modify-listener); deployments add the second one and set the weights.',
      );
  }
  const balancer: ServiceLoadBalancer = {
    targetGroupArn: pair[0],
    containerName,
    containerPort,
    advanced: {
      alternateTargetGroupArn: pair[1],
      productionListenerRule: productionListener,
      ...(testListener === undefined ? {} : { testListenerRule: testListener }),
      roleArn,
    },
  };
  await asRevision(async () => {
    checkContainers([balancer], definition);
    // One of the two may be in no listener yet.
    const groups = pair.map((targetGroupArn) => ({ targetGroupArn, containerName, containerPort }));
    const used = { patience: 0, find: ofAny(api), rule: () => Promise.resolve(undefined) };
    await checkTargetGroups(used, api.clock, account, groups, definition);
  });
  return balancer;
}

/** Target groups of which it does not matter whether anything forwards to them. */
const ofAny =
  (api: CodeDeployApi): CodeDeployApi['targetGroups']['find'] =>
  async (account, arn) => {
    const found = await api.targetGroups.find(account, arn);
    return found === undefined ? undefined : { ...found, usedBy: found.usedBy ?? 'any' };
  };

interface EventHook {
  readonly event: string;
  readonly hook: LifecycleHook;
}

/** Hooks of the AppSpec as the service scheduler asks them, and the pause before production traffic. */
function readHooks(api: CodeDeployApi, group: GroupRecord, { hooks }: AppSpec, id: string, call: Call): EventHook[] {
  const place = { home: placeOf(api, call), checkUrl: (url: string) => api.outbound.check(url) };
  const read = hooks.map(({ event, target, where }): EventHook => {
    const stages = [stageOf(event)];
    const timing = { stages, once: true, timeoutInMinutes: hookMinutes, onTimeout: 'ROLLBACK' } as const;
    if (target.toUpperCase() === 'PAUSE') return { event, hook: { ...timing, target: { type: 'pause' } } };
    try {
      const [parsed] = parseHooks(
        [{ hookTargetArn: target, roleArn: group.roleArn, lifecycleStages: ['PRE_SCALE_UP'] }],
        place,
      );
      if (parsed === undefined) throw new TypeError('no hook was read');
      const details = { DeploymentId: id, LifecycleEvent: event };
      return { event, hook: { ...parsed, ...timing, details } };
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      const message = error.message.replace(/^lifecycleHooks\[0\](\.hookTargetArn)?:? ?/, '');
      throw refuse(
        'InvalidRevision',
        `The AppSpec is not valid: ${where}: ${message.replace('targetType PAUSE', "'PAUSE'")}`,
      );
    }
  });
  if (group.readyWait === undefined) return read;
  const ready: LifecycleHook = {
    target: { type: 'pause' },
    stages: [stageOf('Ready')],
    once: true,
    timeoutInMinutes: group.readyWait,
    onTimeout: 'ROLLBACK',
  };
  return [...read, { event: 'Ready', hook: ready }];
}

/** @throws InvalidAutoRollbackConfigException */
function readRollback({
  autoRollbackConfiguration: given,
}: CreateDeploymentInput): readonly RollbackEvent[] | undefined {
  if (given === undefined) return undefined;
  if (given.enabled !== true) return [];
  const events: readonly string[] = given.events ?? [];
  const known = rollbackEvents.filter((one) => events.includes(one));
  if (known.length === 0)
    throw refuse('InvalidAutoRollbackConfig', 'autoRollbackConfiguration.events must name an event.');
  return known;
}
