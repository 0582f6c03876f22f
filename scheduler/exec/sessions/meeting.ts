import { type Clock, waitAtMost } from '@slipway/storage/clock';
import type { WebSocket } from 'ws';

/** A session that this process has, as hosts find it that bring its client from another one. */
interface Here<Connection> {
  readonly instanceId: string;
  readonly attach: (ws: Connection) => void;
}

/** Where the client of a session, or of a copy, meets its host: the process that the client is connected to. */
export class Meetings<Connection = WebSocket> {
  readonly #waiting = new Map<string, { readonly instanceId: string; readonly came: (ws: Connection) => void }>();
  readonly #here = new Map<string, Here<Connection>>();
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the client of a session waits here for this host. */
  awaits(sessionId: string, instanceId: string): boolean {
    return this.#waiting.get(sessionId)?.instanceId === instanceId;
  }

  /** A host has come for a session. @returns whether its client still waits */
  join(sessionId: string, instanceId: string, ws: Connection): boolean {
    const waiting = this.#waiting.get(sessionId);
    if (waiting?.instanceId !== instanceId) return false;
    this.#waiting.delete(sessionId);
    waiting.came(ws);
    return true;
  }

  /** This process has a session, until it says otherwise. */
  keep(sessionId: string, here: Here<Connection>): void {
    this.#here.set(sessionId, here);
  }

  forget(sessionId: string): void {
    this.#here.delete(sessionId);
  }

  /** Whether this process has a session; with a host: one of that host. */
  has(sessionId: string, instanceId?: string): boolean {
    const here = this.#here.get(sessionId);
    return here !== undefined && (instanceId === undefined || here.instanceId === instanceId);
  }

  /**
   * The client of a session goes on over another connection: its own, or one that its host carries here from the process that the client
   * came to. What a host types that way it could type in its containers without.
   * @returns whether the session is here still
   */
  attach(sessionId: string, ws: Connection): boolean {
    const here = this.#here.get(sessionId);
    here?.attach(ws);
    return here !== undefined;
  }

  /**
   * Waits for a session's host, in the place of a connection of the same client that broke, and of which nobody has seen that.
   * @returns undefined when it does not come in time, or the signal aborts
   */
  async wait(
    sessionId: string,
    instanceId: string,
    milliseconds: number,
    signal: AbortSignal,
  ): Promise<Connection | undefined> {
    let host: Connection | undefined;
    const listen = (wake: () => void): (() => void) => {
      const came = (ws: Connection): void => {
        host = ws;
        wake();
      };
      const own = { instanceId, came };
      this.#waiting.set(sessionId, own);
      return () => {
        if (this.#waiting.get(sessionId) === own) this.#waiting.delete(sessionId);
      };
    };
    await waitAtMost(milliseconds, listen, this.#clock, signal);
    return host;
  }
}
