import type { WebSocket } from 'ws';

import { hostPatience } from '../../exec/sessions/index.ts';
import { arns, newEventId } from '../../state/index.ts';
import { sendMessage } from '../wire/index.ts';
import type { SessionPorts } from './control-session.ts';
import { timing } from './timing.ts';

/** Calls one host to the sessions of ECS Exec that wait for it, or are to end. */
export class SessionCalls {
  readonly #ports: Pick<SessionPorts, 'options' | 'ref' | 'view'>;
  readonly #ws: WebSocket;
  /** Sessions that the agent was told of, when, on the monotonic clock, and what. */
  readonly #told = new Map<string, { readonly at: number; readonly what: string }>();

  constructor(ports: Pick<SessionPorts, 'options' | 'ref' | 'view'>, ws: WebSocket) {
    this.#ports = ports;
    this.#ws = ws;
  }

  /** Tells of clients that wait for a session with a task here. @returns when to do so again, on the monotonic clock */
  tell(): number {
    const { options, ref, view } = this.#ports;
    const now = options.clock.monotonic();
    const waiting = [...view.execs.values()].filter(
      ({ value }) => value.instanceId === ref.id && (value.openedAt ?? value.endAskedAt) !== undefined,
    );
    for (const id of this.#told.keys()) if (!view.execs.has(id)) this.#told.delete(id);
    for (const { value } of waiting) {
      const { carries: carry, endAskedAt, copies } = value;
      const more = {
        ...(copies === undefined ? {} : { copies: true }),
        ...(carry === undefined ? {} : { carry }),
        ...(endAskedAt === undefined ? {} : { end: true }),
      };
      const told = this.#told.get(value.id);
      const what = JSON.stringify(more);
      if (told?.what === what && now - told.at < timing.resendSession) continue;
      this.#told.set(value.id, { at: now, what });
      sendMessage(this.#ws, 'ExecSessionMessage', {
        messageId: newEventId(options.random),
        sessionId: value.id,
        taskArn: arns.task(options.region, ref.account, ref.cluster, value.taskId),
        ...more,
      });
    }
    // A row that its server left lies there until the next session is asked for.
    const due = waiting.filter(
      ({ value }) => options.clock.now() - Math.max(value.openedAt ?? 0, value.endAskedAt ?? 0) < hostPatience,
    );
    return due.length === 0 ? Infinity : now + timing.resendSession;
  }
}
