import type { Clock } from '@slipway/storage/clock';
import type Docker from 'dockerode';

import type { Log } from '@slipway/auth/contract';

import { engineCall, labels } from './docker.ts';

export interface EngineWatchOptions {
  readonly docker: Docker;
  readonly agentId: string;
  readonly clock: Clock;
  readonly log: Log;
  /** A container of a task may have changed. */
  readonly changed: (taskArn: string) => void;
  /** The engine went away or came back. */
  readonly answering: (answering: boolean) => void;
}

/** What can change a plan; health checks alone would cause several events each second. */
const events = ['create', 'start', 'die', 'oom', 'pause', 'unpause', 'destroy', 'health_status'];

/**
 * Listens to the Docker engine and knows whether it answers. Events are hints: whoever listens looks at everything again
 * after a gap, which shows as `answering(true)`.
 */
export class EngineWatch {
  readonly #options: EngineWatchOptions;
  readonly #stop = new AbortController();
  #answers: boolean | undefined;
  #waiting = Promise.withResolvers<void>();
  #doubted = new AbortController();

  constructor(options: EngineWatchOptions) {
    this.#options = options;
  }

  get answers(): boolean {
    return this.#answers === true;
  }

  /** Resolves once the engine has answered after this call; a caller that met a failure waits here. */
  untilAnswers(): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    this.#set(false);
    // The event stream may not have noticed yet.
    this.#doubted.abort();
    return this.#waiting.promise;
  }

  /** Resolves when the engine answers, or at {@link stop}; at once where it answers already. */
  whenAnswers(): Promise<void> {
    return this.answers || this.#stop.signal.aborted ? Promise.resolve() : this.#waiting.promise;
  }

  stop(): void {
    this.#stop.abort();
    this.#waiting.resolve();
  }

  /** Follows the engine until {@link stop}. */
  async run(): Promise<void> {
    const { clock, log } = this.#options;
    while (!this.#stop.signal.aborted) {
      this.#doubted = new AbortController();
      try {
        await this.#follow(AbortSignal.any([this.#stop.signal, this.#doubted.signal]));
      } catch (error) {
        // Our own end of the stream, not the engine's.
        if (this.#stop.signal.aborted) return;
        if (this.#answers !== false) log.warn({ err: error }, 'the Docker engine does not answer');
        this.#set(false);
      }
      await clock.sleep(1_000, this.#stop.signal).catch(() => undefined);
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { docker, agentId, changed } = this.#options;
    const stream = (await engineCall(() =>
      docker.getEvents({
        filters: { type: ['container'], event: events, label: [`${labels.agent}=${agentId}`] },
        abortSignal: signal,
      }),
    )) as NodeJS.ReadableStream & { destroy(): void };
    const onAbort = (): void => stream.destroy();
    // Doubted while the engine was still answering: a stream that nobody ends would be followed for ever, and no doubt heard any more.
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    try {
      await engineCall(() => docker.ping());
      this.#set(true);
      let rest = '';
      for await (const chunk of stream) {
        const lines = (rest + String(chunk)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const arn = line.trim() === '' ? undefined : taskOf(line);
          if (arn !== undefined) changed(arn);
        }
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
    if (!signal.aborted) throw new Error('the stream of events ended');
  }

  #set(answers: boolean): void {
    if (this.#answers === answers) return;
    this.#answers = answers;
    if (answers) {
      this.#waiting.resolve();
      this.#waiting = Promise.withResolvers();
    }
    this.#options.answering(answers);
  }
}

function taskOf(line: string): string | undefined {
  const event = JSON.parse(line) as { Actor?: { Attributes?: Record<string, string> } };
  return event.Actor?.Attributes?.[labels.task];
}
