import type { Call } from '@slipway/auth/contract';
import type { WebSocket } from 'ws';

import type { ClusterRef } from '../../cluster/index.ts';
import { carryFrames, execLost } from '../../hosts/wire/index.ts';
import type { ExecSessionRecord } from '../../state/index.ts';

import { closingFrame } from '../protocol/index.ts';
import { refusal } from './allowed.ts';
import type { Meetings } from './meeting.ts';
import type { Recorder } from './recorder.ts';
import type { RunningSessions } from './running.ts';
import { Session, type SessionPorts } from './session.ts';
import { hostPatience, type WaitingSessions } from './store.ts';

/** What a client is told while nobody can tell whether it may have its session. */
const unknownRight = 'It is not known at present whether you may run commands in this task; try again.';
const lost = 'The session is over: its host has it no more.';
const noHost = 'The host of the task did not come for the session; try again.';

export interface ServedPorts extends SessionPorts {
  /** Where a session's output is kept. @returns undefined where it is not @throws Error whose message the user is shown */
  readonly record: (ref: ClusterRef, session: ExecSessionRecord, call: Call) => Promise<Recorder | undefined>;
}

/** The rows of sessions, and where they are. */
export interface ServedRooms {
  readonly meetings: Meetings;
  readonly waiting: WaitingSessions;
  readonly running: RunningSessions;
}

/** A client that has shown the token of its session. */
export interface CameClient {
  readonly ws: WebSocket;
  readonly ref: ClusterRef;
  readonly session: ExecSessionRecord;
  readonly clientVersion: string;
  /** The request that opened its connection. */
  readonly call: Call;
  /** Lets what came with the token be heard. */
  readonly release: () => void;
}

/** Says why there is no session, as the end of one: clients wait for ever after any other. */
export function refuse(
  ports: Pick<SessionPorts, 'clock' | 'random'>,
  ws: WebSocket,
  sessionId: string,
  output: string,
): void {
  if (ws.readyState === ws.OPEN) ws.send(closingFrame(ports, sessionId, output));
  ws.close(1000);
}

/** Sessions whose clients have come, to their end. */
export class ServedSessions {
  readonly #ports: ServedPorts;
  readonly #rooms: ServedRooms;

  constructor(ports: ServedPorts, rooms: ServedRooms) {
    this.#ports = ports;
    this.#rooms = rooms;
  }

  /** Begins a session, and serves it here. @param either aborts when its client goes before, or the server stops */
  async serve(came: CameClient, either: AbortSignal, stopped: AbortSignal): Promise<void> {
    const { ref, session, call } = came;
    const { log } = this.#ports;
    const { meetings, waiting, running } = this.#rooms;
    const { id, instanceId } = session;
    const about = { session: id, cluster: ref.cluster, task: session.taskId, container: session.containerName };
    const principal = session.principal.arn;
    try {
      const sides = await this.#begin(came, about, either);
      if (sides === undefined) return;
      const keep = (): Promise<boolean> => running.keep(ref, session);
      const served = new Session(this.#ports, { ...came, ...sides, client: came.ws, keep });
      meetings.keep(id, { instanceId, attach: (ws) => served.attach(ws) });
      // Where that cannot be written, the session is one that nobody comes back to.
      const kept = keep().catch((err: unknown) =>
        log.warn({ ...about, err }, 'the row of a session could not be written'),
      );
      log.info({ ...about, principal, sourceIp: call.sourceIp }, 'a session of ECS Exec began');
      const over = served.run(stopped);
      came.release();
      try {
        await over;
      } finally {
        meetings.forget(id);
        sides.host.terminate();
        await kept;
        log.info({ ...about, principal }, 'a session of ECS Exec ended');
      }
    } finally {
      // A row that stays is nobody's soon.
      const stays = (err: unknown): void => log.warn({ ...about, err }, 'the row of a session could not be removed');
      await waiting.remove(ref, id).catch(stays);
    }
  }

  /** The client of a session that is here came again. Resolves when that connection ends. */
  async again(came: CameClient): Promise<void> {
    const { ws, session, call, release } = came;
    const { log } = this.#ports;
    if (!(await this.#mayGoOn(came))) return;
    if (!this.#rooms.meetings.attach(session.id, ws)) {
      refuse(this.#ports, ws, session.id, '');
      return;
    }
    release();
    log.info({ session: session.id, sourceIp: call.sourceIp }, 'a client of ECS Exec goes on with its session');
    await closed(ws);
  }

  /** The client of a session that another server has came here: its host carries what it sends to that server. Resolves when that ends. */
  async carry(came: CameClient, either: AbortSignal): Promise<void> {
    const { ws, ref, session, call, release } = came;
    const { log } = this.#ports;
    const { meetings, running } = this.#rooms;
    const { id, instanceId } = session;
    const may = await this.#mayGoOn(came);
    const host = may ? await meetings.wait(id, instanceId, hostPatience, either) : undefined;
    const stays = (err: unknown): void => log.warn({ session: id, err }, 'the row of a session could not be written');
    running.carried({ ref, session }).catch(stays);
    if (host === undefined) {
      if (may) refuse(this.#ports, ws, id, noHost);
      return;
    }
    log.info(
      { session: id, sourceIp: call.sourceIp },
      'a client of ECS Exec goes on with the session of another server',
    );
    host.on('error', () => host.terminate());
    host.once('close', (status) => {
      if (status === execLost) refuse(this.#ports, ws, id, lost);
    });
    carryFrames(ws, host);
    carryFrames(host, ws);
    release();
    const stop = (): void => host.terminate();
    either.addEventListener('abort', stop, { once: true });
    if (either.aborted) stop();
    await Promise.all([closed(ws), closed(host)]);
  }

  /** Asks whether a client that came again may have its session from there, and tells it otherwise. While nobody can tell, sessions go on. */
  async #mayGoOn({ ws, ref, session, call }: CameClient): Promise<boolean> {
    const { log } = this.#ports;
    const why = await refusal(this.#ports, { ref, session, call }).catch(() => undefined);
    if (why === undefined) return true;
    log.warn({ session: session.id, sourceIp: call.sourceIp, why }, 'a client may not go on with its session');
    refuse(this.#ports, ws, session.id, why);
    return false;
  }

  /** What is there before a session begins; undefined where it cannot, as its client is told. */
  async #begin(
    { ws, ref, session, call }: CameClient,
    about: object,
    either: AbortSignal,
  ): Promise<{ readonly host: WebSocket; readonly recorder: Recorder | undefined } | undefined> {
    const { log } = this.#ports;
    const { id, instanceId, principal } = session;
    let recorder: Recorder | undefined;
    try {
      // Since it was asked for, a minute may have gone by.
      const why = await refusal(this.#ports, { ref, session, call }).catch((cause: unknown) => {
        // What is wrong with the store is not for clients.
        throw new Error(unknownRight, { cause });
      });
      if (why !== undefined) throw new Error(why);
      recorder = await this.#ports.record(ref, session, call);
      const host = await this.#rooms.meetings.wait(id, instanceId, hostPatience, either);
      if (host === undefined) throw new Error(noHost);
      return { host, recorder };
    } catch (error) {
      log.warn({ ...about, principal: principal.arn, err: error }, 'a session did not begin');
      refuse(this.#ports, ws, id, error instanceof Error ? error.message : String(error));
      await recorder?.end();
      return undefined;
    }
  }
}

const closed = (ws: WebSocket): Promise<void> =>
  ws.readyState === ws.CLOSED ? Promise.resolve() : new Promise((resolve) => ws.once('close', () => resolve()));
