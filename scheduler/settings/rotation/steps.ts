import { createHash } from 'node:crypto';
import { webhookOf } from '@slipway/auth/outbound';

import { groupOf } from '../../cluster/index.ts';
import { callSigned, outcomeOf, runAccess, runCommand } from '../../hooks/index.ts';
import { actingFor, callOf } from '../../services/index.ts';
import { clusterKeys, clusterPartition, type TaskDefinitionRecord, type TaskRecord } from '../../state/index.ts';
import { changeTask, stopping } from '../../tasks/index.ts';
import type { Rotation, RotationRun, SecretRecord, StepOutcome } from '../secrets/index.ts';

import { callKey } from './call-key.ts';
import type { RotationPorts } from './ports.ts';
import { checkRotationDefinition } from './targets.ts';

/** A rotation that is under way. */
export interface Rotating {
  readonly account: string;
  readonly secret: SecretRecord;
  readonly rotation: Rotation;
  readonly run: RotationRun;
}

/** What became of a step so far: an outcome, or a task to look at later. */
export type StepState = StepOutcome | { readonly task: string } | { readonly waits: true };

/** For how long a task may take one step: as long as a Lambda function has. Milliseconds. */
const mostTaskTime = 900_000;

/** What whoever rotates is told: the event that Secrets Manager hands to a Lambda function. */
const eventOf = ({ secrets }: RotationPorts, { account, secret, run }: Rotating) => ({
  Step: run.step,
  SecretId: secrets.arn(account, secret),
  ClientRequestToken: run.token,
});

/** The same for each repetition of one step of one attempt, and no other's. */
const idOf = ({ account, secret, run }: Rotating): string =>
  createHash('sha256')
    .update(JSON.stringify([account, secret.name, secret.suffix, run.token, run.attempt, run.step]))
    .digest('hex')
    .slice(0, 32);

/** Takes a step, or looks at the task that takes it. @throws what `over` was aborted with; StoreUnavailable */
export async function takeStep(ports: RotationPorts, rotating: Rotating, over: AbortSignal): Promise<StepState> {
  const url = webhookOf(rotating.rotation.target);
  if (url !== undefined) return callWebhook(ports, rotating, url, over);
  return rotating.run.task === undefined ? startTask(ports, rotating) : lookAtTask(ports, rotating, rotating.run.task);
}

async function callWebhook(
  ports: RotationPorts,
  rotating: Rotating,
  url: string,
  over: AbortSignal,
): Promise<StepState> {
  const secret = await callKey(ports, rotating.account, rotating.secret);
  const call = { id: idOf(rotating), payload: eventOf(ports, rotating), secret };
  const called = await callSigned(ports, url, call, over);
  if ('failure' in called) return { done: false, reason: called.failure };
  const { status } = called;
  return status >= 200 && status <= 299
    ? { done: true }
    : { done: false, reason: `the webhook answered with HTTP status ${status}` };
}

async function startTask(ports: RotationPorts, rotating: Rotating): Promise<StepState> {
  const { account, rotation } = rotating;
  const ref = { account, cluster: rotation.cluster };
  const event = eventOf(ports, rotating);
  const started = await runCommand(ports, ref, {
    taskDefinition: rotation.target,
    token: idOf(rotating),
    startedBy: `secret-rotation/${idOf(rotating)}`,
    environment: [
      { name: 'SLIPWAY_ROTATION', value: JSON.stringify(event) },
      { name: 'SLIPWAY_ROTATION_STEP', value: event.Step },
      { name: 'SLIPWAY_ROTATION_SECRET', value: event.SecretId },
      { name: 'SLIPWAY_ROTATION_TOKEN', value: event.ClientRequestToken },
    ],
    refusal: (definition) => refusalOf(ports, rotating, definition),
    launch: (definition) => {
      checkRotationDefinition(definition);
      return Promise.resolve({
        kind: 'standalone' as const,
        launchType: 'EC2' as const,
        capacityProvider: undefined,
        group: groupOf([], undefined),
        network: undefined,
        constraints: [],
        strategies: [],
      });
    },
  });
  if ('task' in started) return { task: started.task.id };
  const reason = 'refused' in started ? started.refused : `no instance has room for its task: ${started.noRoom}`;
  return { done: false, reason };
}

/** Why whoever named the task may not run it, now; undefined when they may. */
async function refusalOf(
  ports: RotationPorts,
  { account, rotation }: Rotating,
  definition: TaskDefinitionRecord,
): Promise<string | undefined> {
  const principal = actingFor(rotation.by);
  const call = callOf(ports, principal);
  for (const access of runAccess(ports, { account, cluster: rotation.cluster }, definition)) {
    const { allowed, reason } = await ports.authorizer.authorize(principal, access, call);
    if (!allowed)
      return `${rotation.by.arn}, who named it, may not ${access.action} on ${access.resources[0]?.arn ?? '*'}: ${reason}`;
  }
  return undefined;
}

async function lookAtTask(ports: RotationPorts, { account, rotation, run }: Rotating, id: string): Promise<StepState> {
  const partition = clusterPartition(account, rotation.cluster);
  const task = (await ports.records.get<TaskRecord>(partition, clusterKeys.task(id)))?.value;
  if (task === undefined) return { done: false, reason: `its task ${id} is not in the cluster any more` };
  if (task.lastStatus === 'STOPPED') {
    const { reason } = outcomeOf(task);
    return reason === undefined ? { done: true } : { done: false, reason };
  }
  const now = ports.clock.now();
  if (now < (run.taskSince ?? now) + mostTaskTime) return { waits: true };
  const reason = 'The rotation of a secret does not wait for this task any more';
  await changeTask(ports, { account, cluster: rotation.cluster }, id, (before) =>
    stopping(before, 'UserInitiated', reason, now),
  );
  return { done: false, reason: `its task ${id} has taken more than ${mostTaskTime / 60_000} minutes` };
}
