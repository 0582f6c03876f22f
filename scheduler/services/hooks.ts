import type { DeploymentLifecycleHook, DeploymentLifecycleHookStage } from '@aws-sdk/client-ecs';
import { parseArn } from '@slipway/auth/kit';
import { OutboundError, webhookOf } from '@slipway/auth/outbound';

import { type EcsPorts, type Home, invalidParameter } from '../cluster/index.ts';
import {
  type LifecycleHook,
  type LifecycleStage,
  lifecycleStages,
  type TaskDefinitionRecord,
  toJson,
} from '../state/index.ts';
import { bodyOf, containersOf, findDefinition, parseDefinition } from '../tasks/index.ts';

/** What hooks are held against. */
export interface HookPlace {
  /** Where the task definitions of command tasks are. */
  readonly home: Home;
  /** Whether servers may call an address. @throws OutboundError */
  readonly checkUrl: (url: string) => unknown;
}

/** Hooks that one service may have, so that a deployment's record stays small. */
const mostHooks = 20;
/** Characters of `hookDetails` as JSON: a command task gets them in a variable of its environment. */
const mostDetails = 4096;
const day = 1440;
/** Minutes that a pause may last (ECS developer guide, "Lifecycle hooks"); other hooks are bounded by their stage's day. */
const longest = { pause: 14 * day, other: day };

/** Stages that hooks cannot have (ECS API reference, DeploymentLifecycleHook). */
const withoutHooks: readonly LifecycleStage[] = ['SCALE_UP', 'BAKE_TIME', 'CLEAN_UP'];
/** Those that they may have. */
const stages = lifecycleStages.filter((stage) => !withoutHooks.includes(stage));
/** Where nobody can be waited for: traffic is moving. */
const withoutPause: readonly string[] = ['TEST_TRAFFIC_SHIFT', 'PRODUCTION_TRAFFIC_SHIFT'];

const targets =
  "Use the https:// URL of a webhook (or arn:aws:slipway:<region>:<account>:webhook/https://… for programs that take nothing but ARNs), the ARN of an ECS task definition whose exit code decides (with a 'roleArn'), or targetType PAUSE, which a person ends.";

/**
 * Reads `lifecycleHooks`.
 * @throws InvalidParameterException with the hook's place in the list, and what to change
 */
export function parseHooks(given: readonly DeploymentLifecycleHook[], place: HookPlace): readonly LifecycleHook[] {
  if (given.length > mostHooks)
    throw invalidParameter(`lifecycleHooks can have at most ${mostHooks} items, not ${given.length}.`);
  return given.map((hook, index) => parseHook(hook, `lifecycleHooks[${index}]`, place));
}

function parseHook(hook: DeploymentLifecycleHook, where: string, place: HookPlace): LifecycleHook {
  const type = hook.targetType ?? 'AWS_LAMBDA';
  if (type !== 'AWS_LAMBDA' && type !== 'PAUSE')
    throw invalidParameter(`${where}.targetType must be PAUSE, or left out, not '${String(type)}'.`);
  const isPause = type === 'PAUSE';
  const given = [...new Set<string>(hook.lifecycleStages ?? [])];
  if (given.length === 0) throw invalidParameter(`${where}.lifecycleStages must name at least one stage.`);
  const { timeoutInMinutes = day, action = 'ROLLBACK' } = hook.timeoutConfiguration ?? {};
  const most = isPause ? longest.pause : longest.other;
  if (!Number.isInteger(timeoutInMinutes) || timeoutInMinutes < 1 || timeoutInMinutes > most)
    throw invalidParameter(
      `${where}.timeoutConfiguration.timeoutInMinutes must be a whole number from 1 to ${most}, not ${timeoutInMinutes}.`,
    );
  if (action !== 'ROLLBACK' && action !== 'CONTINUE')
    throw invalidParameter(
      `${where}.timeoutConfiguration.action must be ROLLBACK or CONTINUE, not '${String(action)}'.`,
    );
  return {
    ...(isPause ? pauseOf(hook, where) : calledOf(hook, where, place)),
    // In the order given: Terraform compares the list that it reads with the one that it wrote.
    stages: given.map((stage) => readStage(stage, where, isPause)),
    timeoutInMinutes,
    onTimeout: action,
  };
}

function readStage(given: string, where: string, isPause: boolean): LifecycleStage {
  const stage = stages.find((one) => one === given);
  if (stage === undefined)
    throw invalidParameter(`${where}: a hook cannot have the stage '${given}', only ${stages.join(', ')}.`);
  if (isPause && withoutPause.includes(stage))
    throw invalidParameter(
      `${where}: a pause cannot have the stage ${stage}, while traffic shifts: use POST_${stage}, or PRE_PRODUCTION_TRAFFIC_SHIFT.`,
    );
  return stage;
}

type Called = Pick<LifecycleHook, 'target' | 'targetArn' | 'roleArn' | 'details'>;

function pauseOf(hook: DeploymentLifecycleHook, where: string): Called {
  for (const member of ['hookTargetArn', 'roleArn', 'hookDetails'] as const)
    if (hook[member] !== undefined)
      throw invalidParameter(
        `${where}.${member} is not for a hook of targetType PAUSE, which calls nobody: remove it.`,
      );
  return { target: { type: 'pause' } };
}

function calledOf(hook: DeploymentLifecycleHook, where: string, place: HookPlace): Called {
  const { hookTargetArn: targetArn = '', roleArn, hookDetails } = hook;
  if (targetArn === '') throw invalidParameter(`${where}.hookTargetArn can not be blank. ${targets}`);
  const target = targetOf(targetArn, where, place);
  if (target.type === 'task' && roleArn === undefined)
    throw invalidParameter(`${where}.roleArn is needed: the task is run with the rights of that role (ecs:RunTask).`);
  if (roleArn !== undefined) checkRole(roleArn, `${where}.roleArn`, place.home.account);
  return {
    targetArn,
    target,
    ...(roleArn === undefined ? {} : { roleArn }),
    ...(hookDetails === undefined ? {} : { details: detailsOf(hookDetails, where) }),
  };
}

function targetOf(target: string, where: string, { home, checkUrl }: HookPlace): LifecycleHook['target'] {
  const url = webhookOf(target);
  if (url !== undefined) {
    try {
      checkUrl(url);
    } catch (error) {
      if (error instanceof OutboundError) throw invalidParameter(`${where}.hookTargetArn: ${error.message}`);
      throw error;
    }
    return { type: 'webhook', url };
  }
  const arn = parseArn(target);
  if (arn?.service === 'lambda')
    throw invalidParameter(`${where}.hookTargetArn: there are no Lambda functions in this installation. ${targets}`);
  if (arn?.service === 'ecs' && arn.resource.startsWith('task-definition/')) {
    parseDefinition(target, home);
    return { type: 'task', taskDefinition: target };
  }
  throw invalidParameter(`${where}.hookTargetArn: '${target.slice(0, 200)}' cannot be called. ${targets}`);
}

function detailsOf(details: unknown, where: string): unknown {
  if (typeof details !== 'object' || details === null || Array.isArray(details))
    throw invalidParameter(`${where}.hookDetails must be a JSON object.`);
  const { length } = JSON.stringify(details);
  if (length > mostDetails)
    throw invalidParameter(`${where}.hookDetails can have at most ${mostDetails} characters as JSON, not ${length}.`);
  return toJson(details);
}

/**
 * A role that somebody hands to ECS; who may is asked before (`iam:PassRole`).
 * @throws InvalidParameterException for anything but the ARN of a role of the account's
 */
export function checkRole(arn: string, where: string, account: string): void {
  const parsed = parseArn(arn);
  if (parsed?.service !== 'iam' || parsed.account !== account || !/^role\/.+/.test(parsed.resource))
    throw invalidParameter(`${where} must be the ARN of a role of this account, not '${arn.slice(0, 200)}'.`);
}

/** A hook as DescribeServices gives it back. */
export const hookView = (hook: LifecycleHook): DeploymentLifecycleHook => ({
  targetType: hook.target.type === 'pause' ? 'PAUSE' : 'AWS_LAMBDA',
  ...(hook.targetArn === undefined ? {} : { hookTargetArn: hook.targetArn }),
  ...(hook.roleArn === undefined ? {} : { roleArn: hook.roleArn }),
  lifecycleStages: hook.stages as DeploymentLifecycleHookStage[],
  ...(hook.details === undefined ? {} : { hookDetails: hook.details as DeploymentLifecycleHook['hookDetails'] }),
  timeoutConfiguration: { timeoutInMinutes: hook.timeoutInMinutes, action: hook.onTimeout },
});

/**
 * Checks that the revisions of command tasks are there, and have one container whose exit code decides.
 * @throws InvalidParameterException
 */
export async function checkHookDefinitions(
  ports: Pick<EcsPorts, 'records'>,
  home: Home,
  hooks: readonly LifecycleHook[] = [],
): Promise<void> {
  for (const { target } of hooks) {
    if (target.type !== 'task') continue;
    const named = parseDefinition(target.taskDefinition, home);
    const definition = await findDefinition(ports, home.account, named);
    if (definition?.status !== 'ACTIVE')
      throw invalidParameter(
        `The task definition ${target.taskDefinition} of a hook does not exist, or is not ACTIVE.`,
      );
    checkHookDefinition(definition);
  }
}

/**
 * Checks that a revision has one container whose exit code decides. What a hook names without a revision may be another one each time.
 * @throws InvalidParameterException
 */
export function checkHookDefinition(definition: TaskDefinitionRecord): void {
  const { length } = containersOf(bodyOf(definition)).filter(({ essential }) => essential !== false);
  if (length !== 1)
    throw invalidParameter(
      `The task definition ${definition.arn} of a hook must have exactly one essential container, whose exit code decides; it has ${length}.`,
    );
}
