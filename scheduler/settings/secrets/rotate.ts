import { nextRun, parseSchedule, type Schedule, ScheduleError } from '../../scaling/rules/index.ts';

import { invalidParameter, invalidRequest } from './errors.ts';
import { newVersionId } from './given-value.ts';
import { accessTo, find, mayOn, namesOf, operation, type SecretsOperations } from './operation.ts';
import type { Rotation, RotationRules, SecretRecord } from './records.ts';
import { begun, withNext } from './rotating.ts';
import { clusterTag } from './rotation-port.ts';
import { byId, flag, list, named, number, refused, required, struct, text } from './shapes.ts';
import { current } from './versions.ts';

const noPartners = 'Secrets of other services are not rotated here: leave it out.';
const leastRate = 4 * 3_600_000;

export const rotationRules = struct('RotationRulesType', {
  AutomaticallyAfterDays: number,
  Duration: text,
  ScheduleExpression: text,
});

/** Rotation: who carries it out, and when. */
export const rotationOperations: SecretsOperations = {
  RotateSecret: operation({
    input: struct('RotateSecretRequest', {
      ...byId,
      ClientRequestToken: text,
      RotationLambdaARN: text,
      RotationRules: rotationRules,
      RotateImmediately: flag,
      ExternalSecretRotationMetadata: refused(
        list(struct('ExternalSecretRotationMetadataItem', { Key: required(text), Value: required(text) })),
        noPartners,
      ),
      ExternalSecretRotationRoleArn: refused(text, noPartners),
    }),
    output: struct('RotateSecretResponse', { ...named, VersionId: text }),
    access: async (input, scene) => {
      const { api, account, call } = scene;
      const found = await api.secrets.find(account, input.SecretId);
      const target = input.RotationLambdaARN ?? found?.rotation?.target;
      const own = await accessTo(scene, 'RotateSecret', input.SecretId, {
        'secretsmanager:RotationLambdaARN': target,
        'secretsmanager:ModifyRotationRules': String(input.RotationRules !== undefined),
        'secretsmanager:RotateImmediately': String(input.RotateImmediately ?? true),
      });
      return input.RotationLambdaARN === undefined
        ? [own]
        : [own, ...(await api.rotation.access(call, input.RotationLambdaARN, clusterOf(found)))];
    },
    handle: async (input, scene) => {
      const { api, account, call } = scene;
      const found = await find(scene, input.SecretId);
      const target = input.RotationLambdaARN ?? found.rotation?.target;
      if (target === undefined || target === '')
        throw invalidRequest('No Lambda rotation function ARN is associated with this secret.');
      const asked = input.RotationLambdaARN === undefined ? found.rotation?.by : await api.rotation.check(call, target);
      if (asked === undefined) throw invalidRequest('Name what rotates the secret in RotationLambdaARN.');
      const now = call.time.getTime();
      const rules = input.RotationRules === undefined ? found.rotation?.rules : rulesOf(input.RotationRules, now);
      if (rules === undefined)
        throw invalidParameter('RotationRules must say AutomaticallyAfterDays or a ScheduleExpression.');
      const immediately = input.RotateImmediately ?? true;
      const token = input.ClientRequestToken ?? newVersionId(api.random(16));
      const setUp = (secret: SecretRecord): Rotation => {
        const { rotation } = secret;
        // Who named the task was asked for the right to run it in that cluster: who only begins a rotation moves it nowhere.
        const kept = input.RotationLambdaARN === undefined ? rotation : undefined;
        const { target: to, by, cluster } = kept ?? { target, by: asked, cluster: clusterOf(secret) };
        const since = input.RotationRules === undefined ? (rotation?.since ?? now) : now;
        return withNext({ ...rotation, enabled: true, target: to, by, cluster, rules, since }, now);
      };
      const secret = immediately
        ? await api.secrets.beginRotation(account, input.SecretId, token, (before) => {
            if (before.rotation?.run?.token === token) return undefined;
            if (before.rotation?.run !== undefined && before.rotation.enabled)
              throw invalidRequest("A previous rotation isn't complete. That rotation will be reattempted.");
            return begun(setUp(before), token, now);
          })
        : await api.secrets.change(account, input.SecretId, (before) => ({ ...before, rotation: setUp(before) }));
      const version = immediately ? token : currentOf(secret);
      return { ...namesOf(scene, secret), ...(version === undefined ? {} : { VersionId: version }) };
    },
  }),
  CancelRotateSecret: operation({
    input: struct('CancelRotateSecretRequest', byId),
    output: struct('CancelRotateSecretResponse', { ...named, VersionId: text }),
    access: mayOn('CancelRotateSecret'),
    handle: async ({ SecretId }, scene) => {
      const secret = await scene.api.secrets.change(scene.account, SecretId, (before) => {
        if (before.rotation === undefined) return before;
        const { run: _, nextAt: __, ...rotation } = before.rotation;
        return { ...before, rotation: { ...rotation, enabled: false } };
      });
      const version = currentOf(secret);
      return { ...namesOf(scene, secret), ...(version === undefined ? {} : { VersionId: version }) };
    },
  }),
};

const currentOf = ({ versions }: SecretRecord): string | undefined =>
  versions.find(({ stages }) => stages.includes(current))?.id;

const clusterOf = (secret: SecretRecord | undefined): string => secret?.tags[clusterTag] ?? 'default';

/** @throws InvalidParameterException */
function rulesOf(
  given: {
    readonly AutomaticallyAfterDays?: number | undefined;
    readonly Duration?: string | undefined;
    readonly ScheduleExpression?: string | undefined;
  },
  now: number,
): RotationRules {
  const { AutomaticallyAfterDays: days, Duration, ScheduleExpression: schedule } = given;
  if ((days === undefined) === (schedule === undefined))
    throw invalidParameter('RotationRules must say AutomaticallyAfterDays or a ScheduleExpression, and not both.');
  if (schedule !== undefined) checkSchedule(schedule, now);
  const hours = Duration === undefined ? undefined : Number(Duration.slice(0, -1));
  if (hours !== undefined && (hours < 1 || hours > 24)) throw invalidParameter('Duration is between 1h and 24h.');
  return {
    ...(days === undefined ? {} : { days }),
    ...(schedule === undefined ? {} : { schedule }),
    ...(hours === undefined ? {} : { hours }),
  };
}

/** The shortest time between two of the next runs of a schedule, in milliseconds: of as many as a day's every four hours are in two months. */
function leastPause(schedule: Schedule, from: number): number {
  if (schedule.kind === 'rate') return schedule.every;
  let [last, least] = [from, Infinity];
  for (let runs = 0; runs < 372; runs += 1) {
    const next = nextRun(schedule, { createdAt: from }, last);
    if (next === undefined) break;
    if (runs > 0) least = Math.min(least, next - last);
    last = next;
    if (least < leastRate) break;
  }
  return least;
}

/** `rate(4 hours)` to `rate(999 days)`, or `cron(…)`. @throws InvalidParameterException */
function checkSchedule(text: string, now: number): void {
  try {
    const schedule = parseSchedule(text);
    if (schedule.kind === 'at') throw new ScheduleError('A rotation has a rate(…) or a cron(…).');
    if (leastPause(schedule, now) < leastRate) throw new ScheduleError('A secret is rotated every 4 hours at most.');
  } catch (error) {
    if (!(error instanceof ScheduleError)) throw error;
    throw invalidParameter(`Invalid ScheduleExpression: ${error.message}`);
  }
}

/** What is said of a rotation wherever a secret is described or listed. */
export const rotationShown = ({ rotation }: SecretRecord) =>
  rotation === undefined
    ? {}
    : {
        RotationEnabled: rotation.enabled,
        RotationLambdaARN: rotation.target,
        RotationRules: {
          ...(rotation.rules.days === undefined ? {} : { AutomaticallyAfterDays: rotation.rules.days }),
          ...(rotation.rules.schedule === undefined ? {} : { ScheduleExpression: rotation.rules.schedule }),
          ...(rotation.rules.hours === undefined ? {} : { Duration: `${rotation.rules.hours}h` }),
        },
        ...(rotation.lastAt === undefined ? {} : { LastRotatedDate: new Date(rotation.lastAt) }),
        ...(rotation.nextAt === undefined ? {} : { NextRotationDate: new Date(rotation.nextAt) }),
      };
