import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import type { Registry } from '@prometheus-io/client';
import type { Log, LogFields } from '@slipway/auth/contract';
import type { LocalRates, RateTable } from '@slipway/auth/rates';
import { answerWithin, type FromProcess, type FromSupervisor, type Listens, marker, roleText } from './process-role.ts';

const main = join(import.meta.dirname, '..', 'cli', 'main.ts');

/** A process that lived this long is replaced at once when it ends; others ever more slowly. Milliseconds. */
const proven = 60_000;
const firstDelay = 250;
const longestDelay = 60_000;
/** Keys of callers that other servers are told of at most, those that were used last. */
const mostUsed = 2000;

/**
 * The process that people started, where a server has several: it answers nobody and opens no store, so that nothing that happens to
 * a server ends it. It starts the others, all alike but that one runs upkeep as well, and each again when it ends; it holds what they
 * count together (rates, metrics). Any of them answers any request meanwhile, and they end with it, however it ends.
 *
 * What it does not need at rest it loads when it does: it is there beside servers that could use the memory.
 */
export class Supervisor {
  readonly #log: () => Promise<Log>;
  readonly #server = randomBytes(8).toString('hex');
  readonly #processes = new Set<ChildProcess>();
  readonly #ended = Promise.withResolvers<number>();
  /** What each process answered last: it stands for one that does not answer just now, so that no counter ever falls. */
  readonly #answered = new Map<ChildProcess, readonly object[]>();
  /** What processes that are gone had counted. */
  #past: Promise<readonly object[]> = Promise.resolve([]);
  /** What the first process said when it listened; undefined until then. */
  #listens: Listens | undefined;
  #table: RateTable | undefined;
  #rates: Promise<LocalRates> | undefined;
  #stopping = false;
  #asks = 0;

  /** @param log opened when there is something to say */
  constructor(log: () => Promise<Log>) {
    this.#log = log;
  }

  /**
   * Runs the processes until {@link stop}.
   * @returns the exit code: 0, or that of the first process where it never came to listen, which the next attempt would not heal
   */
  run(): Promise<number> {
    this.#start(true, firstDelay);
    return this.#ended.promise;
  }

  /** Ends the processes: they finish their requests first. */
  stop(): void {
    this.#stopping = true;
    for (const child of this.#processes) child.kill('SIGTERM');
    if (this.#processes.size === 0) this.#ended.resolve(0);
  }

  /** Ends the processes at once. */
  kill(): void {
    this.#stopping = true;
    for (const child of this.#processes) child.kill('SIGKILL');
  }

  /** @param delay how long the next attempt waits when this one ends early, half; milliseconds */
  #start(upkeep: boolean, delay: number): void {
    const child = spawn(process.execPath, [...process.execArgv, main, 'serve'], {
      env: { ...process.env, [marker]: roleText({ upkeep, server: this.#server, port: this.#listens?.port }) },
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#processes.add(child);
    const begun = performance.now();
    const over = (how: LogFields, code = 1): void => {
      if (!this.#processes.delete(child)) return;
      this.#bury(child);
      if (this.#stopping || this.#listens === undefined) {
        if (this.#processes.size === 0) this.#ended.resolve(this.#stopping ? 0 : code);
        return;
      }
      const next = performance.now() - begun > proven ? firstDelay : Math.min(delay * 2, longestDelay);
      this.#say('error', { ...how, upkeep, againAfterMs: next }, 'a process of the server ended; it is started again');
      setTimeout(() => this.#stopping || this.#start(upkeep, next), next);
    };
    child.on('message', (message: FromProcess) => {
      this.#answer(child, message).catch((err: unknown) =>
        this.#say('warn', { err, asked: message.type }, 'a process of the server got no answer'),
      );
    });
    child.on('exit', (code, signal) => over({ code, signal }, code ?? 1));
    // One that could not even be started never exits.
    child.on('error', (err) => (child.pid === undefined ? over({ err }) : undefined));
  }

  async #answer(child: ChildProcess, message: FromProcess): Promise<void> {
    switch (message.type) {
      case 'rates':
        this.#table ??= message.table;
        return;
      case 'listening':
        if (this.#listens !== undefined) return;
        this.#listens = message;
        for (let more = 1; more < message.processes && !this.#stopping; more++) this.#start(false, firstDelay);
        return;
      case 'all-metrics?':
        return send(child, { type: 'all-metrics', id: message.id, text: await this.#metrics() });
      case 'lease?': {
        const { id, limit, key, most } = message;
        return send(child, { type: 'lease', id, ...(await this.#buckets()).lease(limit, key, most) });
      }
      case 'unused':
        return (await this.#buckets()).giveBack(message.limit, message.key, message.count);
      case 'used?': {
        const used = [...(await this.#buckets()).used()].slice(0, mostUsed);
        return send(child, { type: 'used', id: message.id, used });
      }
      case 'used-elsewhere':
        return (await this.#buckets()).usedElsewhere(message.limit, message.key, message.count);
      // The answer to a question of ours: whoever asked takes it.
      case 'metrics':
    }
  }

  #buckets(): Promise<LocalRates> {
    return (this.#rates ??= import('@slipway/auth/rates').then(
      ({ LocalRates: Buckets }) => new Buckets(this.#table ?? {}, { monotonic: () => performance.now() }),
    ));
  }

  async #metrics(): Promise<string> {
    const answers = [...this.#processes].map(async (child) => {
      const json = await ask(child, ++this.#asks);
      if (json !== undefined) this.#answered.set(child, json);
    });
    await Promise.all(answers);
    return (await sumOf([await this.#past, ...this.#answered.values()])).metrics();
  }

  /** Keeps what a process counted up to the last time it was asked. */
  #bury(child: ChildProcess): void {
    const answered = this.#answered.get(child);
    this.#answered.delete(child);
    if (answered === undefined) return;
    const counted = answered.filter((metric) => !('type' in metric && metric.type === 'gauge'));
    this.#past = this.#past.then(async (past) => {
      try {
        return (await (await sumOf([past, counted])).getMetricsAsJSON()) as object[];
      } catch (err) {
        this.#say('warn', { err }, 'what a process counted is lost');
        return past;
      }
    });
  }

  #say(level: 'warn' | 'error', what: LogFields, text: string): void {
    this.#log()
      .then((log) => log[level](what, text))
      .catch(() => process.stderr.write(`slipway: ${text}\n`));
  }
}

async function sumOf(all: readonly (readonly object[])[]): Promise<Registry> {
  const { AggregatorRegistry } = await import('@prometheus-io/client');
  return AggregatorRegistry.aggregate([...all]);
}

/** A process' metrics; undefined when it does not answer in time (it is starting, ending or very busy). */
function ask(child: ChildProcess, id: number): Promise<object[] | undefined> {
  return new Promise((resolve) => {
    const done = (json: object[] | undefined): void => {
      clearTimeout(timer);
      child.off('message', take);
      resolve(json);
    };
    const take = (message: FromProcess): void => {
      if (message.type === 'metrics' && message.id === id) done(message.json);
    };
    const timer = setTimeout(() => done(undefined), answerWithin);
    child.on('message', take);
    send(child, { type: 'metrics?', id });
  });
}

function send(child: ChildProcess, message: FromSupervisor): void {
  // A process that is just ending closes its channel: there is nobody to tell.
  if (child.connected) child.send(message, () => undefined);
}
