import { nextRun, parseSchedule } from '../../scaling/rules/index.ts';

import type { Rotation, RotationRules, RotationRun, RotationStep, SecretRecord } from './records.ts';
import { current, label, pending } from './versions.ts';

/** What whoever rotates is asked to do, one after the other (Secrets Manager user guide, "Lambda rotation functions"). */
export const rotationSteps: readonly RotationStep[] = ['createSecret', 'setSecret', 'testSecret', 'finishSecret'];

const day = 86_400_000;
const hour = 3_600_000;
/** Hours of the window that a rotation has when none is said. */
const usualHours = 24;
/** How often a rotation is begun anew, and how long after it failed: the first pause doubles. Milliseconds. */
export const mostAttempts = 6;
const firstPause = 30_000;

/** When a rotation is due after a moment, or undefined when never. @param since when the rules were set */
export function nextRotation({ days, schedule }: RotationRules, since: number, after: number): number | undefined {
  if (schedule !== undefined) return nextRun(parseSchedule(schedule), { createdAt: since }, after);
  return days === undefined ? undefined : after + days * day;
}

/** A rotation that begins now, under a version that has no value yet. */
export function begun(rotation: Rotation, token: string, now: number): Rotation {
  const until = now + (rotation.rules.hours ?? usualHours) * hour;
  const run: RotationRun = { token, step: 'createSecret', attempt: 1, startedAt: now, until, tryAt: now };
  return { ...rotation, run };
}

/** What one step came to. */
export type StepOutcome = { readonly done: true } | { readonly done: false; readonly reason: string };

/**
 * A secret after a step of its rotation. The last step makes the new version AWSCURRENT, unless whoever rotates has done that already; it
 * fails when the version has no value. A step that failed begins the rotation anew, later and later, and after six of them, or when
 * its window is over, it is given up until the next one is due.
 * @param hasValue whether the new version has one
 */
export function stepped(secret: SecretRecord, outcome: StepOutcome, hasValue: boolean, now: number): SecretRecord {
  const { rotation } = secret;
  const run = rotation?.run;
  if (rotation === undefined || run === undefined) return secret;
  const needsValue = run.step !== 'createSecret' || outcome.done;
  if (outcome.done && needsValue && !hasValue)
    return stepped(
      secret,
      { done: false, reason: `${run.step} left the version ${run.token} without a value` },
      true,
      now,
    );
  if (!outcome.done) return { ...secret, rotation: failed(rotation, run, outcome.reason, now) };
  const next = rotationSteps[rotationSteps.indexOf(run.step) + 1];
  if (next !== undefined) {
    const { task: _, taskSince: __, ...kept } = run;
    return { ...secret, rotation: { ...rotation, run: { ...kept, step: next, tryAt: now } } };
  }
  const isCurrent = secret.versions.some(({ id, stages }) => id === run.token && stages.includes(current));
  const { run: _, failure: __, ...rested } = rotation;
  return {
    ...secret,
    versions: isCurrent ? secret.versions : label(secret.versions, run.token, [current]),
    changedAt: now,
    rotation: withNext({ ...rested, lastAt: now }, now),
  };
}

function failed(rotation: Rotation, run: RotationRun, reason: string, now: number): Rotation {
  const { task: _, taskSince: __, ...kept } = run;
  const tryAt = now + firstPause * 2 ** (run.attempt - 1);
  if (run.attempt < mostAttempts && tryAt <= run.until)
    return { ...rotation, run: { ...kept, step: 'createSecret', attempt: run.attempt + 1, tryAt, reason } };
  const { run: ___, ...rested } = rotation;
  return withNext({ ...rested, failure: { at: now, reason } }, now);
}

/** With the time of the next rotation. */
export function withNext(rotation: Rotation, now: number): Rotation {
  const { nextAt: _, ...rest } = rotation;
  const nextAt = nextRotation(rotation.rules, rotation.since, now);
  return nextAt === undefined ? rest : { ...rest, nextAt };
}

/** When something is to be done about a secret's rotation; undefined when nothing is. */
export function rotationDue({ rotation, deletionAt }: SecretRecord): number | undefined {
  if (rotation?.enabled !== true || deletionAt !== undefined) return undefined;
  return rotation.run?.tryAt ?? rotation.nextAt;
}

/** Whether a version waits to become AWSCURRENT. */
export const isPending = (secret: SecretRecord, token: string): boolean =>
  secret.versions.some(({ id, stages }) => id === token && stages.includes(pending));
