import type Docker from 'dockerode';

import { engineCall, EngineError } from '../docker.ts';

/** A part of a container's log by time: seconds since the epoch, both included. */
export interface LogRange {
  readonly since: number;
  readonly until?: number;
  /** Whether it goes on with what is yet to be written, until the container ends. */
  readonly follow: boolean;
}

/** What an agent asks of its engine to read logs. */
export interface EngineLogs {
  /** The bytes that the engine answers, as they come; ends early when the signal aborts. @throws EngineError, EngineUnavailable */
  open(container: string, range: LogRange, signal: AbortSignal): Promise<AsyncIterable<Buffer>>;
  /** Undefined: there is no such container. @throws EngineUnavailable */
  inspect(container: string): Promise<{ readonly running: boolean; readonly terminal: boolean } | undefined>;
}

/** The logs of a Docker engine. */
export const dockerLogs = (docker: Docker): EngineLogs => ({
  open: async (container, { since, until, follow }, signal) => {
    const query = {
      stdout: true,
      stderr: true,
      timestamps: true,
      follow,
      since,
      ...(until === undefined ? {} : { until }),
    };
    // Not through the client's `logs`, which collects in memory what it does not follow.
    const answer = await engineCall(() => streamOf(docker, container, query, signal));
    const end = (): void => answer.destroy();
    if (signal.aborted) end();
    signal.addEventListener('abort', end, { once: true });
    answer.once('close', () => signal.removeEventListener('abort', end));
    return answer as AsyncIterable<Buffer>;
  },
  inspect: async (container) => {
    try {
      const { State: state, Config: config } = await engineCall(() => docker.getContainer(container).inspect());
      return { running: state.Running, terminal: config.Tty };
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return undefined;
      throw error;
    }
  },
});

type Answer = NodeJS.ReadableStream & { destroy(): void };

function streamOf(docker: Docker, container: string, query: object, signal: AbortSignal): Promise<Answer> {
  const request = {
    path: `/containers/${container}/logs?`,
    method: 'GET',
    isStream: true,
    abortSignal: signal,
    statusCodes: { 200: true, 404: 'no such container', 500: 'server error' },
    options: query,
  };
  return new Promise((resolve, reject) => {
    const modem = docker.modem as {
      dial(options: object, done: (error: Error | null, answer: unknown) => void): void;
    };
    modem.dial(request, (error, answer) => (error === null ? resolve(answer as Answer) : reject(error)));
  });
}
