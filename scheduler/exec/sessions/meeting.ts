import { type Clock, waitAtMost } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

/** Where the client of a session meets its host: the process that the client is connected to. */
export class Meetings {
  readonly #waiting = new Map<string, { readonly instanceId: string; readonly came: (ws: WebSocket) => void }>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the client of a session waits here for this host. */
  awaits(sessionId: string, instanceId: string): boolean {
    return this.#waiting.get(sessionId)?.instanceId === instanceId;
  }

  /** A host has come for a session. @returns whether its client still waits */
  join(sessionId: string, instanceId: string, ws: WebSocket): boolean {
    const waiting = this.#waiting.get(sessionId);
    if (waiting?.instanceId !== instanceId) return false;
    this.#waiting.delete(sessionId);
    waiting.came(ws);
    return true;
  }

  /** Waits for a session's host. @returns undefined when it does not come in time, or the signal aborts */
  async wait(
    sessionId: string,
    instanceId: string,
    milliseconds: number,
    signal: AbortSignal,
  ): Promise<WebSocket | undefined> {
    let host: WebSocket | undefined;
    const listen = (wake: () => void): (() => void) => {
      const came = (ws: WebSocket): void => {
        host = ws;
        wake();
      };
      this.#waiting.set(sessionId, { instanceId, came });
      return () => this.#waiting.delete(sessionId);
    };
    await waitAtMost(milliseconds, listen, this.#clock, signal);
    return host;
  }
}
