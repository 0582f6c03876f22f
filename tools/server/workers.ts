import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { AggregatorRegistry, Registry } from '@prometheus-io/client';
import {
  type Lease,
  LeasedRates,
  type LimitName,
  type LocalRates,
  type Rates,
  type RateTable,
} from '@slipway/auth/rates';
import { systemClock } from '@slipway/storage/clock';
import type { Log } from '@slipway/auth/contract';

/**
 * Further processes of one server on the same port. The first process runs everything; workers answer requests as well (any
 * process answers any request) and take over leaderships should the first stop. They end with the first process, however it ends.
 */
const main = join(import.meta.dirname, '..', 'cli', 'main.ts');

/** Set in a worker's environment by the process that started it. */
const marker = 'SLIPWAY_WORKER_PORT';

/** The port a worker joins; undefined in the first process. A worker that lost its first process while it started ends here. */
export function workerPort(): number | undefined {
  const text = process.env[marker];
  if (text === undefined) return undefined;
  // Without this it would take itself for a first process, and the port with it.
  if (!process.connected) process.exit(1);
  return Number(text);
}

type Message =
  | { readonly type: 'metrics?'; readonly id: number }
  | { readonly type: 'metrics'; readonly id: number; readonly json: object[] }
  | { readonly type: 'all-metrics?'; readonly id: number }
  | { readonly type: 'all-metrics'; readonly id: number; readonly text: string }
  | {
      readonly type: 'lease?';
      readonly id: number;
      readonly limit: LimitName;
      readonly key: string;
      readonly most: number;
    }
  | ({ readonly type: 'lease'; readonly id: number } & Lease)
  | { readonly type: 'unused'; readonly limit: LimitName; readonly key: string; readonly count: number };

const answerWithin = 2000;

/** What the first process has of what its workers share. */
export interface Shared {
  readonly metrics: SharedMetrics;
  readonly rates: LocalRates;
}

/** Starts `count` workers on a port and keeps them running. */
export class Workers {
  readonly #children = new Set<ChildProcess>();
  /** What each worker answered last: it stands for one that does not answer just now, so that no counter ever falls. */
  readonly #answered = new Map<ChildProcess, readonly object[]>();
  /** What workers that are gone had counted. */
  #past: Promise<readonly object[]> = Promise.resolve([]);
  readonly #shared: Shared;
  readonly #log: Log;
  #stopping = false;

  constructor(count: number, port: number, shared: Shared, log: Log) {
    this.#shared = shared;
    this.#log = log;
    shared.metrics.gather = () => this.#gather();
    for (let i = 0; i < count; i++) this.#start(port, 1000);
  }

  #start(port: number, delay: number): void {
    const child = spawn(process.execPath, [...process.execArgv, main, 'serve'], {
      env: { ...process.env, [marker]: String(port) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#children.add(child);
    const begun = performance.now();
    child.on('message', (message: Message) => this.#answer(child, message));
    child.on('error', (error) => this.#log.error({ err: error }, 'a worker could not be started'));
    child.on('exit', (code, signal) => {
      this.#children.delete(child);
      this.#bury(child);
      if (this.#stopping) return;
      // A worker that ran for a while is replaced at once; one that cannot start is tried ever more slowly.
      const next = performance.now() - begun > 60_000 ? 1000 : Math.min(delay * 2, 60_000);
      this.#log.error({ code, signal, againAfterMs: next }, 'a worker ended; it is started again');
      setTimeout(() => this.#stopping || this.#start(port, next), next).unref();
    });
  }

  #answer(child: ChildProcess, message: Message): void {
    const { metrics, rates } = this.#shared;
    const { type } = message;
    if (type === 'all-metrics?')
      void metrics
        .metrics()
        .then((text) => send(child, { type: 'all-metrics', id: message.id, text }))
        .catch((err: unknown) => this.#log.warn({ err }, 'metrics of all processes cannot be told to a worker'));
    else if (type === 'lease?')
      send(child, { type: 'lease', id: message.id, ...rates.lease(message.limit, message.key, message.most) });
    else if (type === 'unused') rates.giveBack(message.limit, message.key, message.count);
  }

  async #gather(): Promise<readonly (readonly object[])[]> {
    const answers = [...this.#children].map(async (child, id) => {
      const json = await ask(child, id);
      if (json !== undefined) this.#answered.set(child, json);
    });
    await Promise.all(answers);
    return [await this.#past, ...this.#answered.values()];
  }

  /** Keeps what a worker counted up to the last time it was asked. */
  #bury(child: ChildProcess): void {
    const counted = (this.#answered.get(child) ?? []).filter(
      (metric) => !('type' in metric && metric.type === 'gauge'),
    );
    this.#answered.delete(child);
    this.#past = this.#past.then(async (past) => {
      try {
        return (await sumOf([past, counted]).getMetricsAsJSON()) as object[];
      } catch (err) {
        this.#log.warn({ err }, 'what a worker counted is lost');
        return past;
      }
    });
  }

  /** Ends the workers: they finish their requests first. */
  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(
      [...this.#children].map(async (child) => {
        const ended = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGTERM');
        await ended;
      }),
    );
  }
}

/** In a worker: end when the first process is gone, and let it read our metrics. */
export function joinFirst(metrics: SharedMetrics): void {
  process.on('disconnect', () => process.exit(1));
  if (!process.connected) process.exit(1);
  process.on('message', (message: Message) => {
    if (message.type !== 'metrics?') return;
    void metrics
      .own()
      .then((json) => process.send?.({ type: 'metrics', id: message.id, json } satisfies Message))
      // Whoever asked goes on without them after a while.
      .catch(() => undefined);
  });
}

/** In a worker: rates whose buckets the first process has. */
export function ratesOfFirst(table: RateTable): Rates {
  const asked = new Map<number, (lease: Lease) => void>();
  process.on('message', (message: Message) => {
    if (message.type !== 'lease') return;
    asked.get(message.id)?.(message);
    asked.delete(message.id);
  });
  let ids = 0;
  const source = {
    lease: (limit: LimitName, key: string, most: number): Promise<Lease> =>
      new Promise((resolve) => {
        const id = ++ids;
        asked.set(id, resolve);
        process.send?.({ type: 'lease?', id, limit, key, most } satisfies Message);
      }),
    giveBack: (limit: LimitName, key: string, count: number): void =>
      void process.send?.({ type: 'unused', limit, key, count } satisfies Message),
  };
  return new LeasedRates(source, table, systemClock);
}

/** A registry of metrics whose text is that of all processes together, whichever of them is asked. */
export class SharedMetrics extends Registry {
  /** In the first process: the workers' metrics. */
  gather: (() => Promise<readonly (readonly object[])[]>) | undefined;

  own(): Promise<object[]> {
    return this.getMetricsAsJSON() as Promise<object[]>;
  }

  override async metrics(): Promise<string> {
    if (workerPort() !== undefined) return askFirst();
    if (this.gather === undefined) return super.metrics();
    return sumOf([await this.own(), ...(await this.gather())]).metrics();
  }
}

const sumOf = (all: readonly (readonly object[])[]): Registry => AggregatorRegistry.aggregate([...all]);

/** A worker's metrics; undefined when it does not answer in time (it is starting, ending or very busy). */
function ask(child: ChildProcess, id: number): Promise<object[] | undefined> {
  return new Promise((resolve) => {
    const done = (json: object[] | undefined): void => {
      clearTimeout(timer);
      child.off('message', take);
      resolve(json);
    };
    const take = (message: Message): void => {
      if (message.type === 'metrics' && message.id === id) done(message.json);
    };
    const timer = setTimeout(() => done(undefined), answerWithin);
    child.on('message', take);
    send(child, { type: 'metrics?', id });
  });
}

let asked = 0;

function askFirst(): Promise<string> {
  const id = ++asked;
  return new Promise((resolve, reject) => {
    const take = (message: Message): void => {
      if (message.type !== 'all-metrics' || message.id !== id) return;
      clearTimeout(timer);
      process.off('message', take);
      resolve(message.text);
    };
    const timer = setTimeout(() => {
      process.off('message', take);
      reject(new Error('the first process did not answer with its metrics'));
    }, answerWithin * 2);
    process.on('message', take);
    process.send?.({ type: 'all-metrics?', id } satisfies Message);
  });
}

function send(child: ChildProcess, message: Message): void {
  // A worker that is just ending closes its channel: there is nobody to tell.
  if (child.connected) child.send(message, () => undefined);
}
