import { hash, timingSafeEqual } from 'node:crypto';

import { AwsError } from '@slipway/auth/contract';
import { transact } from '@slipway/storage/records';

import { type ClusterRef, type EcsPorts, scanAll } from '../../cluster/index.ts';
import { clusterKeys, clusterPartition, type ExecSessionRecord, toJson } from '../../state/index.ts';

/** For how long a token may be used, and a client that came waits for its host. Milliseconds. */
export const tokenLife = 60_000;
export const hostPatience = 30_000;
/** Sessions of one cluster that may wait at a time; whoever asks for more is throttled. */
const mostWaiting = 500;
/** After this a row is nobody's. */
const rowLife = tokenLife + hostPatience;

/** A server that has a session says so all half minute; one that has not for so long is gone, and the session with it. Milliseconds. */
export const aliveLife = 120_000;

/** What ExecuteCommand hands out. */
export interface ExecTicket {
  readonly sessionId: string;
  readonly tokenValue: string;
}

/** Whether a session has begun, and its server is there as far as anybody knows. */
export const isAlive = ({ aliveAt }: ExecSessionRecord, now: number): boolean =>
  aliveAt !== undefined && Math.abs(now - aliveAt) < aliveLife;

const hashOf = (token: string): string => hash('sha256', token, 'base64url');

/** The form of the ids of sessions. */
export const sessionIdForm = /^ecs-execute-command-[0-9a-z]{17}$/;

/** 17 characters of 36; biased by less than nothing that matters: it is no secret. */
function newSessionId(random: EcsPorts['random']): string {
  const letters = [...random(17)].map((byte) => (byte % 36).toString(36));
  return `ecs-execute-command-${letters.join('')}`;
}

/** A token for a session, and what its row keeps of it. */
export function newToken(random: EcsPorts['random']): { readonly tokenValue: string; readonly tokenHash: string } {
  const tokenValue = Buffer.from(random(32)).toString('base64url');
  return { tokenValue, tokenHash: hashOf(tokenValue) };
}

/** What is asked for of a session. */
type AskedSession = Omit<
  ExecSessionRecord,
  'id' | 'createdAt' | 'tokenHash' | 'resumableAt' | 'openedAt' | 'carries' | 'aliveAt' | 'endAskedAt'
>;

/** The rows of sessions that wait for their clients: in the cluster's partition, so that any server may take the client. */
export class WaitingSessions {
  readonly #ports: EcsPorts;

  constructor(ports: EcsPorts) {
    this.#ports = ports;
  }

  /**
   * Notes a session that was asked for; rows that nobody came for go.
   * @throws ThrottlingException when too many wait
   */
  async add(ref: ClusterRef, session: AskedSession): Promise<ExecTicket> {
    const { tokenValue, tokenHash } = newToken(this.#ports.random);
    const { id } = await this.#note(ref, { ...session, tokenHash });
    return { sessionId: id, tokenValue };
  }

  /**
   * Notes a session whose client is here already: its host is told.
   * @throws ThrottlingException when too many wait
   */
  begin(ref: ClusterRef, session: AskedSession): Promise<ExecSessionRecord> {
    return this.#note(ref, { ...session, openedAt: this.#ports.clock.now() });
  }

  async #note(
    ref: ClusterRef,
    session: AskedSession & Pick<ExecSessionRecord, 'tokenHash' | 'openedAt'>,
  ): Promise<ExecSessionRecord> {
    const { records, clock, random } = this.#ports;
    const partition = clusterPartition(ref.account, ref.cluster);
    const now = clock.now();
    const rows = await scanAll<ExecSessionRecord>(records, partition, clusterKeys.execs);
    const left = rows.filter((row) => !isAlive(row, now));
    const over = left.filter(({ createdAt }) => Math.abs(now - createdAt) > rowLife);
    if (left.length - over.length >= mostWaiting)
      throw new AwsError('ThrottlingException', 'Too many sessions of the cluster wait for their clients.');
    const record: ExecSessionRecord = { ...session, id: newSessionId(random), createdAt: now };
    await records.commit(partition, {
      put: [{ key: clusterKeys.exec(record.id), value: toJson(record) }],
      remove: over.map((row) => clusterKeys.exec(row.id)),
    });
    return record;
  }

  /**
   * Takes a token in, once; from then on the host is told.
   * @param isHere whether this server has the session: then the host has nothing to do with it
   * @returns the session; undefined for a token that is not its, was used, or came too late
   */
  open(ref: ClusterRef, sessionId: string, tokenValue: string, isHere = false): Promise<ExecSessionRecord | undefined> {
    const { records, clock } = this.#ports;
    const key = clusterKeys.exec(sessionId);
    return transact(records, clusterPartition(ref.account, ref.cluster), async (tx) => {
      const session = await tx.get<ExecSessionRecord>(key);
      const now = clock.now();
      if (session?.tokenHash === undefined) return undefined;
      if (Math.abs(now - (session.resumableAt ?? session.createdAt)) > tokenLife) return undefined;
      if (session.aliveAt !== undefined && !isAlive(session, now)) return undefined;
      const said = Buffer.from(hashOf(tokenValue));
      const kept = Buffer.from(session.tokenHash);
      if (said.length !== kept.length || !timingSafeEqual(said, kept)) return undefined;
      const { tokenHash: _, ...rest } = session;
      const carries = session.aliveAt === undefined ? {} : { carries: (session.carries ?? 0) + 1 };
      const opened = isHere ? rest : { ...rest, ...carries, openedAt: now };
      tx.put(key, toJson(opened));
      return opened;
    });
  }

  /** The session is over, or will never begin. */
  async remove(ref: ClusterRef, sessionId: string): Promise<void> {
    await this.#ports.records.commit(clusterPartition(ref.account, ref.cluster), {
      remove: [clusterKeys.exec(sessionId)],
    });
  }
}
