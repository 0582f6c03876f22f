import { waitAtMost } from '@slipway/storage/clock';
import { StaleEpoch, transact } from '@slipway/storage/records';

import type { Led } from '../control/index.ts';
import type { ServiceRef } from '../services/index.ts';
import {
  clusterKeys,
  clusterPartition,
  hookName,
  type HookResultRecord,
  type TaskRecord,
  toJson,
} from '../state/index.ts';
import { stopping } from '../tasks/index.ts';
import { mostDetails } from './answer.ts';
import { type AskedHook, askedHook, askedHooks, refOf } from './asked.ts';
import { outcomeOf, runOf, startCommand } from './command.ts';
import { merged, payloadOf } from './payload.ts';
import type { HookPorts } from './ports.ts';
import { readResult, recordResult } from './results.ts';
import { hookSecret } from './secrets.ts';
import { Turns } from './turns.ts';
import { askWebhook } from './webhook.ts';

/** Milliseconds between looks at every service, changed or not. */
const levelInterval = 30_000;

/** Milliseconds before an asking that the store failed is begun anew. */
const retryAfter = 2_000;

/** Milliseconds for which room for a command task is looked for, and between two looks. */
const roomWithin = 60_000;
const roomInterval = 2_000;

/** Webhooks of a cluster that are called at the same time. */
const mostCalls = 64;

/** One asking that this server has begun. */
interface Asking {
  readonly service: string;
  readonly isTask: boolean;
  readonly over: AbortController;
  readonly done: Promise<void>;
}

/** What one call of a hook came to. */
type Outcome = Pick<HookResultRecord, 'status' | 'reason' | 'details' | 'askAgainAt' | 'task'>;

/** Asks hooks, as long as this server leads the cluster. One for each leadership. */
export class HookRunner {
  readonly #ports: HookPorts;
  readonly #led: Led;
  readonly #turns = new Turns(mostCalls);
  /** By the asking's id; one that is done stays until its deployment goes on. */
  readonly #begun = new Map<string, Asking>();
  /** Services to look at. */
  readonly #stirred = new Set<string>();
  /** Whether a command task may be there that nobody waits for any more. */
  #leftovers = false;
  #ring: () => void = () => {};
  /** Called when a task has ended. */
  readonly #ends = new Set<() => void>();

  constructor(ports: HookPorts, led: Led) {
    this.#ports = ports;
    this.#led = led;
  }

  /** Runs until the signal aborts: calls that are under way end with it, command tasks go on, and the next leader takes both up. */
  async run(over: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    const { view } = this.#led;
    const unlisten = view.listen({
      serviceChanged: (name) => {
        this.#stirred.add(name);
        this.#ring();
      },
      capacityChanged: () => {
        for (const wake of this.#ends) wake();
      },
    });
    try {
      let level = clock.monotonic();
      while (!over.aborted) {
        if (clock.monotonic() >= level) {
          level = clock.monotonic() + levelInterval;
          for (const name of view.services.keys()) this.#stirred.add(name);
          for (const { service } of this.#begun.values()) this.#stirred.add(service);
          this.#leftovers = true;
        }
        for (const name of this.#stirred) this.#look(name, over);
        this.#stirred.clear();
        if (this.#leftovers) await this.#stopLeftovers();
        if (this.#stirred.size > 0 || this.#leftovers) continue;
        const listen = (wake: () => void): void => void (this.#ring = wake);
        await waitAtMost(Math.ceil(Math.max(0, level - clock.monotonic())), listen, clock, over);
      }
    } finally {
      unlisten();
      for (const asking of this.#begun.values()) asking.over.abort(over.reason);
      await Promise.all([...this.#begun.values()].map(({ done }) => done));
    }
  }

  #look(name: string, over: AbortSignal): void {
    const asked = new Map(askedHooks(this.#led.view.services.get(name)?.value).map((one) => [one.run.id, one]));
    for (const [id, asking] of this.#begun) {
      if (asking.service !== name || asked.has(id)) continue;
      asking.over.abort(new Error('the deployment does not wait for the hook any more'));
      this.#begun.delete(id);
      if (asking.isTask) this.#leftovers = true;
    }
    for (const [id, one] of asked) if (!this.#begun.has(id)) this.#begin(id, one, over);
  }

  #begin(id: string, { service, hook }: AskedHook, leads: AbortSignal): void {
    const over = new AbortController();
    const isTask = hook.target.type === 'task';
    const done = this.#ask(refOf(this.#led.view, service), id, over.signal).finally(() => {
      // A task may have been started in the meantime for a deployment that went on without it.
      if (!isTask || !over.signal.aborted || leads.aborted) return;
      this.#leftovers = true;
      this.#ring();
    });
    this.#begun.set(id, { service: service.name, isTask, over, done });
  }

  /** Asks until there is an answer that decides, or nobody waits for one. Never rejects. */
  async #ask(ref: ServiceRef, id: string, over: AbortSignal): Promise<void> {
    const { clock, log } = this.#ports;
    while (!over.aborted) {
      try {
        await this.#askUntilDecided(ref, id, over);
        return;
      } catch (err) {
        // Whoever leads now asks.
        if (over.aborted || err instanceof StaleEpoch) return;
        log.warn({ ...ref, run: id, err }, 'cannot ask a deployment hook now; trying again');
        await clock.sleep(retryAfter, over).catch(() => {});
      }
    }
  }

  async #askUntilDecided(ref: ServiceRef, id: string, over: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    for (;;) {
      const before = await readResult(this.#ports, ref, id);
      if (before !== undefined && before.status !== 'IN_PROGRESS') return;
      const wait = Math.ceil((before?.askAgainAt ?? 0) - clock.now());
      // A clock that was set back makes nobody wait longer than the longest delay.
      if (wait > 0) await clock.sleep(Math.min(wait, 3_600_000), over);
      over.throwIfAborted();
      const asked = askedHook(this.#led.view.services.get(ref.service)?.value, id);
      if (asked === undefined) return;
      const outcome = await (asked.hook.target.type === 'webhook'
        ? this.#callWebhook(ref, asked, before, asked.hook.target.url, over)
        : this.#runCommand(ref, asked, before, over));
      over.throwIfAborted();
      const { deployment } = asked;
      const row = { id, service: ref.service, deploymentId: deployment.id, at: clock.now(), ...outcome };
      const recorded = await recordResult(this.#ports, ref, before, row, this.#led.held);
      if (recorded === 'over') return;
      if (recorded === 'recorded') this.#tell(ref, asked, outcome);
    }
  }

  async #callWebhook(
    ref: ServiceRef,
    asked: AskedHook,
    before: HookResultRecord | undefined,
    url: string,
    over: AbortSignal,
  ): Promise<Outcome> {
    const secret = await hookSecret(this.#ports, ref);
    const payload = payloadOf(this.#ports, ref, asked, before?.details);
    const release = await this.#turns.take(over);
    try {
      const answer = await askWebhook(this.#ports, url, { payload, secret }, over);
      if (answer.status === 'SUCCEEDED') return { status: 'SUCCEEDED' };
      if (answer.status === 'FAILED') return failed(asked, answer.reason);
      const details = merged(before?.details, answer.details);
      if (JSON.stringify(details).length > mostDetails)
        return failed(asked, `the hookDetails of its answers are larger than ${mostDetails} characters together`);
      return { status: 'IN_PROGRESS', details, askAgainAt: this.#ports.clock.now() + answer.askAgainIn };
    } finally {
      release();
    }
  }

  /** Starts the task, or waits for the end of the one that was started. */
  async #runCommand(
    ref: ServiceRef,
    asked: AskedHook,
    before: HookResultRecord | undefined,
    over: AbortSignal,
  ): Promise<Outcome> {
    if (before?.task !== undefined) {
      const ended = await this.#ended(before.task, over);
      if (ended === undefined) return failed(asked, `its task ${before.task} is not in the cluster any more`);
      const { reason } = outcomeOf(ended);
      return reason === undefined
        ? { status: 'SUCCEEDED', task: ended.id }
        : { ...failed(asked, reason), task: ended.id };
    }
    const { clock } = this.#ports;
    const payload = payloadOf(this.#ports, ref, asked, undefined);
    const until = clock.monotonic() + roomWithin;
    for (;;) {
      const started = await startCommand(this.#ports, ref, asked, payload);
      if ('task' in started) return { status: 'IN_PROGRESS', task: started.task.id };
      if ('refused' in started) return failed(asked, started.refused);
      if (clock.monotonic() >= until) return failed(asked, `no instance has room for its task: ${started.noRoom}`);
      await clock.sleep(roomInterval, over);
    }
  }

  /** The task once it is STOPPED; undefined when it is gone. @throws what the signal was aborted with */
  async #ended(id: string, over: AbortSignal): Promise<TaskRecord | undefined> {
    const { view, feed } = this.#led;
    for (;;) {
      if (!view.tasks.has(id)) await feed.catchUp();
      over.throwIfAborted();
      const task = view.tasks.get(id)?.value;
      if (task === undefined || task.lastStatus === 'STOPPED') return task;
      const listen = (wake: () => void): (() => void) => {
        this.#ends.add(wake);
        return () => this.#ends.delete(wake);
      };
      await waitAtMost(levelInterval, listen, this.#ports.clock, over);
    }
  }

  #tell(ref: ServiceRef, { deployment, run, hook }: AskedHook, { status, reason, task }: Outcome): void {
    const { log, meter } = this.#ports;
    const { type } = hook.target;
    meter.hooked(type, status);
    const fields = { ...ref, deploymentId: deployment.id, run: run.id, stage: run.stage, kind: type, outcome: status };
    log[status === 'FAILED' ? 'warn' : 'info'](
      { ...fields, ...(reason === undefined ? {} : { reason }), ...(task === undefined ? {} : { task }) },
      'asked a deployment hook',
    );
  }

  /** Orders tasks to stop that were started for an asking whose deployment has gone on or is over. */
  async #stopLeftovers(): Promise<void> {
    this.#leftovers = false;
    const { clock, records, log } = this.#ports;
    const { view, held } = this.#led;
    const wanted = new Set(
      [...view.services.values()].flatMap(({ value }) => askedHooks(value).map(({ run }) => run.id)),
    );
    const reason = 'The deployment does not wait for this hook any more';
    const leftovers: TaskRecord[] = [];
    for (const { value } of view.tasks.values()) {
      const run = value.desiredStatus === 'RUNNING' ? runOf(value) : undefined;
      if (run !== undefined && !wanted.has(run)) leftovers.push(value);
    }
    for (const { id } of leftovers) {
      try {
        await transact(
          records,
          clusterPartition(view.account, view.name),
          async (tx) => {
            const task = await tx.get<TaskRecord>(clusterKeys.task(id));
            if (task === undefined) return;
            const changed = stopping(task, 'ServiceSchedulerInitiated', reason, clock.now());
            if (changed !== task) tx.put(clusterKeys.task(id), toJson(changed));
          },
          { fence: held },
        );
        log.info({ cluster: view.name, task: id }, 'stops the task of a deployment hook that is over');
      } catch (err) {
        log.warn({ cluster: view.name, task: id, err }, 'cannot stop the task of a deployment hook now');
      }
    }
  }
}

const failed = ({ hook }: AskedHook, why: string): Outcome => {
  const name = hookName(hook);
  return {
    status: 'FAILED',
    reason: `${name.charAt(0).toUpperCase()}${name.slice(1)} failed: ${why.replace(/\.$/, '')}.`,
  };
};
