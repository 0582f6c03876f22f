import type { AccessList, AccessRequest } from '@slipway/auth/contract';
import { passRole } from '@slipway/auth/identity';
import { parseArn } from '@slipway/auth/kit';
import { OutboundError, webhookOf } from '@slipway/auth/outbound';

import {
  type ActionResult,
  answerAction,
  changeHooks,
  globalTimeout,
  type HookRecord,
  transitionNames,
  unsupported,
  validation,
  withHooks,
  withoutHook,
} from '../groups/index.ts';
import { type AutoScalingOperations, mayList, mayOn, operation, type Scene } from './operation.ts';
import { list, number, type Of, oneGroup, required, type Shape, struct, text, texts } from './shapes.ts';

const settings = {
  RoleARN: text,
  NotificationTargetARN: text,
  NotificationMetadata: text,
  HeartbeatTimeout: number,
  DefaultResult: text,
} as const;

/** A hook that a new group has from the start. */
export const hookSpecification = struct('LifecycleHookSpecification', {
  LifecycleHookName: required(text),
  LifecycleTransition: required(text),
  ...settings,
});

const namedHook = { LifecycleHookName: required(text), ...oneGroup } as const;
const putInput = struct('PutLifecycleHookType', { ...namedHook, LifecycleTransition: text, ...settings });
const namedAction = { ...namedHook, LifecycleActionToken: text, InstanceId: text } as const;
const shown = struct('LifecycleHook', {
  LifecycleHookName: text,
  AutoScalingGroupName: text,
  LifecycleTransition: text,
  GlobalTimeout: number,
  ...settings,
});

/** Hooks of groups: who is asked before a machine comes into service, or goes. */
export const hookOperations: AutoScalingOperations = {
  PutLifecycleHook: operation({
    input: putInput,
    output: struct('PutLifecycleHookAnswer', {}) as Shape<object>,
    access: async (input, scene): Promise<AccessList> => [
      ...(await mayOn('PutLifecycleHook')(input, scene)),
      ...mayPassTo([input]),
    ],
    handle: async (input, scene) => {
      const { AutoScalingGroupName: name, LifecycleHookName: hook } = input;
      await changeHooks(scene.api, scene.account, name, (group) =>
        withHooks(group, [
          hookOf(
            input,
            scene,
            group.hooks?.find((one) => one.name === hook),
          ),
        ]),
      );
      return {};
    },
  }),
  DescribeLifecycleHooks: operation({
    input: struct('DescribeLifecycleHooksType', { ...oneGroup, LifecycleHookNames: texts }),
    output: struct('DescribeLifecycleHooksAnswer', { LifecycleHooks: list(shown) }),
    access: mayList('DescribeLifecycleHooks'),
    handle: async ({ AutoScalingGroupName: name, LifecycleHookNames: names }, { api, account }) => {
      const group = await api.groups.byName(account, name);
      if (group === undefined) throw validation(`AutoScalingGroup name not found - null`);
      const hooks = (group.hooks ?? []).filter((one) => names === undefined || names.includes(one.name));
      return { LifecycleHooks: hooks.map((hook) => view(name, hook)) };
    },
  }),
  DescribeLifecycleHookTypes: operation({
    input: struct('Unit', {}),
    output: struct('DescribeLifecycleHookTypesAnswer', { LifecycleHookTypes: texts }),
    access: mayList('DescribeLifecycleHookTypes'),
    handle: () => ({ LifecycleHookTypes: Object.values(transitionNames) }),
  }),
  DeleteLifecycleHook: operation({
    input: struct('DeleteLifecycleHookType', namedHook),
    output: struct('DeleteLifecycleHookAnswer', {}) as Shape<object>,
    access: mayOn('DeleteLifecycleHook'),
    handle: async ({ AutoScalingGroupName: name, LifecycleHookName: hook }, { api, account }) => {
      await changeHooks(api, account, name, (group) => withoutHook(group, hook));
      return {};
    },
  }),
  CompleteLifecycleAction: operation({
    input: struct('CompleteLifecycleActionType', { ...namedAction, LifecycleActionResult: required(text) }),
    output: struct('CompleteLifecycleActionAnswer', {}) as Shape<object>,
    access: mayOn('CompleteLifecycleAction'),
    handle: async (input, { api, account }) => {
      await answerAction(
        api,
        account,
        actionOf(input),
        resultNamed(input.LifecycleActionResult, 'LifecycleActionResult'),
      );
      return {};
    },
  }),
  RecordLifecycleActionHeartbeat: operation({
    input: struct('RecordLifecycleActionHeartbeatType', namedAction),
    output: struct('RecordLifecycleActionHeartbeatAnswer', {}) as Shape<object>,
    access: mayOn('RecordLifecycleActionHeartbeat'),
    handle: async (input, { api, account }) => {
      await answerAction(api, account, actionOf(input), undefined);
      return {};
    },
  }),
};

type HookInput = Partial<Omit<Of<typeof putInput>, 'AutoScalingGroupName'>>;

/** A role that a hook names is handed over, as on AWS, though nothing is done with it. */
export const mayPassTo = (hooks: readonly HookInput[]): readonly AccessRequest[] =>
  hooks.flatMap(({ RoleARN: role }) => (role === undefined ? [] : [passRole(role, 'autoscaling.amazonaws.com')]));

/** The hooks that a request for a group names. @throws ValidationError */
export function hooksOf(given: readonly HookInput[] = [], scene: Scene): readonly HookRecord[] {
  const hooks = given.map((one) => hookOf(one, scene));
  if (new Set(hooks.map(({ name }) => name)).size < hooks.length)
    throw validation('LifecycleHookSpecificationList names the same hook twice.');
  return hooks;
}

/**
 * What a request makes of a hook. What it does not say stays as it was.
 * @throws ValidationError
 */
function hookOf(input: HookInput, { api, account }: Scene, before?: HookRecord): HookRecord {
  const { LifecycleHookName: name = '', NotificationTargetARN: target, RoleARN: role } = input;
  const transition = transitionNamed(input.LifecycleTransition) ?? before?.transition;
  if (transition === undefined) throw validation('LifecycleTransition is required for a new lifecycle hook.');
  if (target !== undefined && target !== '') checkTarget(target, api.checkUrl);
  if (role !== undefined && !isRole(role, account))
    throw validation(`RoleARN must be the ARN of a role of this account, not ${role.slice(0, 200)}.`);
  const { DefaultResult: result, HeartbeatTimeout: timeout, NotificationMetadata: metadata } = input;
  // An empty target takes the one away that was there (EC2 Auto Scaling API reference, PutLifecycleHook).
  const told = target === '' ? undefined : (target ?? before?.target);
  const meta = metadata ?? before?.metadata;
  const handed = role ?? before?.role;
  return {
    name,
    transition,
    timeout: timeout ?? before?.timeout ?? 3600,
    result: result === undefined ? (before?.result ?? 'ABANDON') : resultNamed(result, 'DefaultResult'),
    ...(told === undefined ? {} : { target: told }),
    ...(meta === undefined ? {} : { metadata: meta }),
    ...(handed === undefined ? {} : { role: handed }),
  };
}

function transitionNamed(asked: string | undefined): HookRecord['transition'] | undefined {
  if (asked === undefined) return undefined;
  for (const transition of ['launching', 'terminating'] as const)
    if (transitionNames[transition] === asked) return transition;
  throw validation(
    `Invalid Lifecycle Transition: ${asked.slice(0, 100)}. Valid values are ${Object.values(transitionNames).join(' and ')}.`,
  );
}

function resultNamed(asked: string, member: string): ActionResult {
  if (asked === 'CONTINUE' || asked === 'ABANDON') return asked;
  throw validation(`${member} must be CONTINUE or ABANDON, not ${asked.slice(0, 50)}.`);
}

const webhooks =
  'Name a webhook: its https:// address, or arn:aws:slipway:<region>:<account>:webhook/https://… for programs that take nothing but ARNs.';

function checkTarget(target: string, checkUrl: Scene['api']['checkUrl']): void {
  const url = webhookOf(target);
  if (url === undefined) {
    const { service = '' } = parseArn(target) ?? {};
    const kinds: Readonly<Record<string, string>> = {
      sns: 'topic of SNS',
      sqs: 'queue of SQS',
      lambda: 'Lambda function',
    };
    const kind = kinds[service];
    if (kind !== undefined) throw unsupported(`A ${kind} as NotificationTargetARN`, webhooks);
    throw validation(`NotificationTargetARN ${target.slice(0, 200)} cannot be told. ${webhooks}`);
  }
  try {
    checkUrl(url);
  } catch (error) {
    if (error instanceof OutboundError) throw validation(`NotificationTargetARN: ${error.message}`);
    throw error;
  }
}

function isRole(arn: string, account: string): boolean {
  const parsed = parseArn(arn);
  return parsed?.service === 'iam' && parsed.account === account && /^role\/.+/.test(parsed.resource);
}

const actionOf = (input: {
  readonly AutoScalingGroupName: string;
  readonly LifecycleHookName: string;
  readonly LifecycleActionToken?: string | undefined;
  readonly InstanceId?: string | undefined;
}) => ({
  group: input.AutoScalingGroupName,
  hook: input.LifecycleHookName,
  token: input.LifecycleActionToken,
  instance: input.InstanceId,
});

const view = (group: string, hook: HookRecord): Of<typeof shown> => ({
  LifecycleHookName: hook.name,
  AutoScalingGroupName: group,
  LifecycleTransition: transitionNames[hook.transition],
  HeartbeatTimeout: hook.timeout,
  GlobalTimeout: globalTimeout(hook),
  DefaultResult: hook.result,
  ...(hook.target === undefined ? {} : { NotificationTargetARN: hook.target }),
  ...(hook.metadata === undefined ? {} : { NotificationMetadata: hook.metadata }),
  ...(hook.role === undefined ? {} : { RoleARN: hook.role }),
});
