import { transact } from '@slipway/storage/records';

import { type ClusterRef, type EcsPorts, scan } from '../../cluster/index.ts';
import {
  accountKeys,
  accountPartition,
  clusterKeys,
  clusterPartition,
  type ExecSessionRecord,
  toJson,
} from '../../state/index.ts';
import { isAlive, newToken } from './store.ts';

/** A session that has begun, and where its row is. */
export interface RunningSession {
  readonly ref: ClusterRef;
  readonly session: ExecSessionRecord;
}

/** The rows of sessions that have begun: how a client whose connection broke finds its own again, and who else may end one. */
export class RunningSessions {
  readonly #ports: EcsPorts;

  constructor(ports: EcsPorts) {
    this.#ports = ports;
  }

  /**
   * This server has the session: said when it begins, and again while it lasts.
   * @returns whether somebody has asked for its end
   */
  keep(ref: ClusterRef, begun: ExecSessionRecord): Promise<boolean> {
    const { records, clock } = this.#ports;
    const key = clusterKeys.exec(begun.id);
    return transact(records, clusterPartition(ref.account, ref.cluster), async (tx) => {
      // One that was away from its store for so long that others took it for gone writes its row anew.
      const { tokenHash, openedAt, ...rest } = (await tx.get<ExecSessionRecord>(key)) ?? begun;
      const again =
        rest.aliveAt === undefined ? {} : { ...(tokenHash && { tokenHash }), ...(openedAt && { openedAt }) };
      tx.put(key, toJson({ ...rest, ...again, aliveAt: clock.now() }));
      return rest.endAskedAt !== undefined;
    });
  }

  /**
   * The host has come for a client that came again, or will not. Of one that has come once more since then it is still told.
   * @param session as it was opened for that client
   */
  carried({ ref, session }: RunningSession): Promise<void> {
    return this.#change(ref, session.id, (row) => {
      if (row.carries !== session.carries) return row;
      const { openedAt: _, ...rest } = row;
      return rest;
    });
  }

  /** A session that has begun and is not over, of whichever cluster of the account. */
  async find(account: string, sessionId: string): Promise<RunningSession | undefined> {
    const { records, clock } = this.#ports;
    const key = clusterKeys.exec(sessionId);
    for await (const ref of this.#clusters(account)) {
      const row = await records.get<ExecSessionRecord>(clusterPartition(account, ref.cluster), key);
      if (row !== undefined && isAlive(row.value, clock.now())) return { ref, session: row.value };
    }
    return undefined;
  }

  /** All of an account that have begun and are not over. */
  async list(account: string): Promise<readonly RunningSession[]> {
    const { records, clock } = this.#ports;
    const found: RunningSession[] = [];
    for await (const ref of this.#clusters(account))
      for await (const { value } of scan<ExecSessionRecord>(
        records,
        clusterPartition(account, ref.cluster),
        clusterKeys.execs,
      ))
        if (isAlive(value, clock.now())) found.push({ ref, session: value });
    return found;
  }

  /** A new token for the client of a session; one that was made before is good no more. */
  async resume({ ref, session }: RunningSession): Promise<string> {
    const { random, clock } = this.#ports;
    const { tokenValue, tokenHash } = newToken(random);
    await this.#change(ref, session.id, (row) => ({ ...row, tokenHash, resumableAt: clock.now() }));
    return tokenValue;
  }

  /** Has a session end: its host is told, and its server looks for it. */
  askEnd({ ref, session }: RunningSession): Promise<void> {
    return this.#change(ref, session.id, (row) => ({ ...row, endAskedAt: row.endAskedAt ?? this.#ports.clock.now() }));
  }

  /** Changes the row of a session that has begun; one that is over stays so. */
  #change(ref: ClusterRef, id: string, to: (row: ExecSessionRecord) => ExecSessionRecord): Promise<void> {
    const key = clusterKeys.exec(id);
    return transact(this.#ports.records, clusterPartition(ref.account, ref.cluster), async (tx) => {
      const row = await tx.get<ExecSessionRecord>(key);
      if (row?.aliveAt !== undefined) tx.put(key, toJson(to(row)));
    });
  }

  async *#clusters(account: string): AsyncGenerator<ClusterRef> {
    for await (const { key } of scan(this.#ports.records, accountPartition(account), accountKeys.clusters))
      yield { account, cluster: key.slice(accountKeys.clusters.length) };
  }
}
