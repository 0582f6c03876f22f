import { AwsError } from '@slipway/auth/contract';
import { waitAtMost } from '@slipway/storage/clock';
import { type HeldLease, leadEach } from '@slipway/storage/leases';
import { StaleEpoch } from '@slipway/storage/records';

import {
  begun,
  newVersionId,
  rotationDue,
  type SecretRecord,
  secretKeys,
  secretsPartition,
  stepped,
  withNext,
} from '../secrets/index.ts';

import type { RotationPorts } from './ports.ts';
import { takeStep } from './steps.ts';

/** Milliseconds between looks at what is due, between looks at a task that takes a step, and between looks for more accounts. */
const pace = 5_000;
const taskPace = 5_000;
const searchPace = 10_000;
const retryAfter = 1_000;
/** Secrets of an account that are rotated at the same time. */
const mostAtOnce = 16;

/** Rotates the secrets of all accounts when they are due: those of each account on one server at a time. */
export class SecretRotator {
  readonly #ports: RotationPorts;

  constructor(ports: RotationPorts) {
    this.#ports = ports;
  }

  /** Works until the signal aborts; it never rejects. */
  keep(signal: AbortSignal): Promise<void> {
    const { records, leases, clock, log } = this.#ports;
    return leadEach(
      leases,
      {
        records,
        prefix: secretsPartition(''),
        name: secretKeys.rotator,
        clock,
        signal,
        searchPace,
        waiting: (err) => log.warn({ err }, 'rotations of secrets wait for the store'),
        interrupted: (err, account) => log.warn({ err, account }, 'secrets could not be rotated; it begins anew'),
        retryAfter,
        retryAtMost: 60_000,
      },
      (held, until, account) => new AccountRotations(this.#ports, account, held).run(until),
    );
  }
}

/** One leadership over the rotations of an account. */
export class AccountRotations {
  readonly #ports: RotationPorts;
  readonly #account: string;
  readonly #held: HeldLease;
  /** By the name of the secret. */
  readonly #under = new Map<string, Promise<void>>();
  /** The version of the row that tells of changes, as it was looked at, and when something is due according to it. */
  #seen: number | undefined;
  #dueAt = Infinity;

  constructor(ports: RotationPorts, account: string, held: HeldLease) {
    this.#ports = ports;
    this.#account = account;
    this.#held = held;
  }

  async run(over: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports;
    try {
      while (!over.aborted) {
        try {
          await this.look(over);
        } catch (err) {
          if (err instanceof StaleEpoch || over.aborted) throw err;
          log.warn({ err, account: this.#account }, 'cannot look at rotations of secrets now; trying again');
        }
        await waitAtMost(pace, () => {}, clock, over);
      }
    } finally {
      await this.idle();
    }
  }

  /** Begins what is due. All secrets are read only when a rotation has changed, or one is due: the lease changes the partition all the time. */
  async look(over: AbortSignal): Promise<void> {
    const { records, clock, secrets } = this.#ports;
    const told = await records.get(secretsPartition(this.#account), secretKeys.rotations);
    const version = told?.version ?? 0;
    if (version === this.#seen && clock.now() < this.#dueAt) return;
    const now = clock.now();
    const all = await secrets.all(this.#account);
    let dueAt = Infinity;
    for (const secret of all) {
      const at = rotationDue(secret);
      if (at === undefined) continue;
      if (at <= now) this.#begin(secret.name, over);
      dueAt = Math.min(dueAt, at);
    }
    this.#seen = version;
    this.#dueAt = dueAt;
  }

  /** Waits for what was begun. */
  async idle(): Promise<void> {
    await Promise.all(this.#under.values());
  }

  #begin(name: string, over: AbortSignal): void {
    if (this.#under.has(name) || this.#under.size >= mostAtOnce) return;
    const done = this.#rotate(name, over)
      .catch((err: unknown) => {
        // Whoever leads now goes on.
        if (over.aborted || err instanceof StaleEpoch) return;
        this.#ports.log.warn({ err, account: this.#account, secret: name }, 'cannot rotate a secret now; trying again');
      })
      .finally(() => {
        this.#under.delete(name);
        this.#seen = undefined;
      });
    this.#under.set(name, done);
  }

  /** Takes step after step, until there is nothing more to do now. */
  async #rotate(name: string, over: AbortSignal): Promise<void> {
    const { records, clock, secrets } = this.#ports;
    for (;;) {
      over.throwIfAborted();
      const stored = await records.get<SecretRecord>(secretsPartition(this.#account), secretKeys.secret(name));
      const secret = stored?.value;
      const due = secret && rotationDue(secret);
      if (secret?.rotation === undefined || due === undefined || due > clock.now()) return;
      const { run } = secret.rotation;
      if (run === undefined) {
        await this.#start(secret);
        continue;
      }
      const rotating = { account: this.#account, secret, rotation: secret.rotation, run };
      const state = await takeStep(this.#ports, rotating, over);
      over.throwIfAborted();
      const now = clock.now();
      const after = await secrets.changeRotation(this.#account, name, this.#held, (before, hasValue) => {
        const { rotation } = before;
        // It was cancelled, or begun anew, while the step was taken.
        if (
          rotation?.run?.token !== run.token ||
          rotation.run.attempt !== run.attempt ||
          rotation.run.step !== run.step
        )
          return undefined;
        if ('done' in state) return stepped(before, state, hasValue, now);
        const task = 'task' in state ? { task: state.task, taskSince: now } : {};
        return { ...before, rotation: { ...rotation, run: { ...rotation.run, ...task, tryAt: now + taskPace } } };
      });
      this.#tell(secret, after);
    }
  }

  async #start(secret: SecretRecord): Promise<void> {
    const { clock, random, secrets, log } = this.#ports;
    const arn = secrets.arn(this.#account, secret);
    const token = newVersionId(random(16));
    const isDue = (before: SecretRecord): boolean => {
      const due = rotationDue(before);
      return before.rotation?.run === undefined && due !== undefined && due <= clock.now();
    };
    try {
      await secrets.beginRotation(
        this.#account,
        arn,
        token,
        (before) =>
          before.rotation === undefined || !isDue(before) ? undefined : begun(before.rotation, token, clock.now()),
        this.#held,
      );
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      // A secret that takes no version more now takes none in five seconds: the next one is due as if this one had failed.
      const failure = { at: clock.now(), reason: error.message };
      const after = await secrets.changeRotation(this.#account, secret.name, this.#held, (before) =>
        before.rotation === undefined || !isDue(before)
          ? undefined
          : { ...before, rotation: withNext({ ...before.rotation, failure }, failure.at) },
      );
      if (after?.rotation?.failure?.at === failure.at)
        log.warn({ secret: arn, reason: failure.reason }, 'the rotation of a secret could not begin');
    }
  }

  #tell(before: SecretRecord, after: SecretRecord | undefined): void {
    const { log, secrets } = this.#ports;
    const run = before.rotation?.run;
    const now = after?.rotation;
    if (run === undefined || now === undefined) return;
    const fields = { secret: secrets.arn(this.#account, before), version: run.token, step: run.step };
    if (now.run === undefined && now.failure === undefined) log.info(fields, 'rotated a secret');
    else if (now.run === undefined)
      log.warn({ ...fields, reason: now.failure?.reason }, 'gave up the rotation of a secret');
    else if (now.run.attempt > run.attempt)
      log.warn(
        { ...fields, reason: now.run.reason, attempt: run.attempt },
        'the rotation of a secret failed; it begins anew',
      );
  }
}
