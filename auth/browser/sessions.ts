import { createHash, timingSafeEqual } from 'node:crypto';
import type { Clock } from '@slipway/storage/clock';
import { type Json, type RecordStore, scanPages, transact, type Transaction } from '@slipway/storage/records';
import { barePrincipal, type Principal } from '../contract/index.ts';
import { keys, sessionPartition } from './keys.ts';
import type { CodeRecord, OwnerRecord, SessionRecord } from './records.ts';

export interface SessionsPorts {
  readonly records: RecordStore;
  readonly clock: Pick<Clock, 'now'>;
  readonly random: (size: number) => Uint8Array;
}

/** Without a call for this long, a session ends. Milliseconds. */
export const idleFor = 2 * 3_600_000;
/** No session lasts longer. Milliseconds. */
export const lastsFor = 12 * 3_600_000;
/** A code is good for this long. Milliseconds. */
export const codeFor = 60_000;
/** Sessions of one principal; a further one ends the oldest. */
const mostSessions = 20;
/** How exactly the last use is kept, so that a page that asks every few seconds does not write as often. Milliseconds. */
const usedWithin = 60_000;

/** What a browser is given: a cookie that no script reads, and a proof that no other address of the same host is sent. */
export interface OpenedSession {
  readonly token: string;
  readonly proof: string;
  /** Milliseconds since the epoch. */
  readonly expires: number;
}

/**
 * Sessions of browsers and the codes that become one. The store has hashes only. A session needs cookie and proof: cookies are sent to every
 * port of a host, so that a task's web server beside this one could be shown the cookie, and could set one of its own choice.
 */
export class Sessions {
  readonly #ports: SessionsPorts;

  constructor(ports: SessionsPorts) {
    this.#ports = ports;
  }

  /** Begins a session. @param instead the token of one that it takes the place of: a browser never goes on with what it came with */
  async open(principal: Principal, instead?: string): Promise<OpenedSession> {
    if (instead !== undefined) await this.close(instead);
    const { records, clock } = this.#ports;
    const [token, proof] = [this.#secret(), this.#secret()];
    const now = clock.now();
    const expires = Math.min(now + lastsFor, principal.expiresAt ?? Infinity);
    const kept = barePrincipal(principal);
    const session: SessionRecord = { principal: kept, proofHash: hashOf(proof), begun: now, used: now, expires };
    await transact(records, sessionPartition, async (tx) => {
      const owner = await ownerOf(tx, principal.id);
      const sessions = [...owner.sessions, hashOf(token)];
      for (const hash of sessions.splice(0, sessions.length - mostSessions)) tx.remove(keys.session(hash));
      tx.put(keys.of(principal.id), asJson({ ...owner, sessions }));
      tx.put(keys.session(hashOf(token)), asJson(session));
    });
    return { token, proof, expires };
  }

  /** Whose session it is; undefined when it is over, or the proof is another's. @throws StoreUnavailable */
  async find(token: string, proof: string): Promise<SessionRecord | undefined> {
    if (!isSecret(token) || !isSecret(proof)) return undefined;
    const { records, clock } = this.#ports;
    const key = keys.session(hashOf(token));
    const session = (await records.get<SessionRecord>(sessionPartition, key))?.value;
    if (session === undefined || !sameHash(session.proofHash, hashOf(proof))) return undefined;
    const now = clock.now();
    if (isOver(session, now)) return undefined;
    if (now - session.used >= usedWithin) {
      await transact(records, sessionPartition, async (tx) => {
        const still = await tx.get<SessionRecord>(key);
        // Whoever signed out meanwhile stays signed out.
        if (still !== undefined) tx.put(key, asJson({ ...still, used: now }));
      });
    }
    return session;
  }

  /** Ends a session. Harmless when there is none. */
  async close(token: string): Promise<void> {
    if (!isSecret(token)) return;
    const hash = hashOf(token);
    await transact(this.#ports.records, sessionPartition, async (tx) => {
      const session = await tx.get<SessionRecord>(keys.session(hash));
      if (session === undefined) return;
      tx.remove(keys.session(hash));
      await forget(tx, session.principal.id, (owner) => ({
        ...owner,
        sessions: owner.sessions.filter((one) => one !== hash),
      }));
    });
  }

  /** A code for one sign-in within a minute; one that was made for the same principal before is worth nothing from now on. */
  async issueCode(principal: Principal): Promise<{ readonly code: string; readonly expires: number }> {
    const { records, clock } = this.#ports;
    const code = this.#secret();
    const expires = Math.min(clock.now() + codeFor, principal.expiresAt ?? Infinity);
    const record: CodeRecord = { principal: barePrincipal(principal), expires };
    await transact(records, sessionPartition, async (tx) => {
      const owner = await ownerOf(tx, principal.id);
      if (owner.code !== undefined) tx.remove(keys.code(owner.code));
      tx.put(keys.of(principal.id), asJson({ ...owner, code: hashOf(code) }));
      tx.put(keys.code(hashOf(code)), asJson(record));
    });
    return { code, expires };
  }

  /** Uses a code up. @returns whose it was; undefined when it is none, was used, or is too old */
  async takeCode(code: string): Promise<Principal | undefined> {
    if (!isSecret(code)) return undefined;
    const { records, clock } = this.#ports;
    const hash = hashOf(code);
    const taken = await transact(records, sessionPartition, async (tx) => {
      const record = await tx.get<CodeRecord>(keys.code(hash));
      if (record === undefined) return undefined;
      tx.remove(keys.code(hash));
      await forget(tx, record.principal.id, ({ sessions }) => ({ sessions }));
      return record;
    });
    return taken === undefined || taken.expires <= clock.now() ? undefined : taken.principal;
  }

  /** Removes what is over; call it now and then. @returns how many sessions and codes that were */
  async sweep(): Promise<number> {
    const { records, clock } = this.#ports;
    const now = clock.now();
    let removed = 0;
    for await (const page of scanPages<SessionRecord>(records, sessionPartition, {
      prefix: keys.session(''),
      limit: 500,
    }))
      for (const { key, value } of page.records)
        if (isOver(value, now)) {
          await this.#drop(key, value.principal.id, ({ sessions, ...owner }) => ({
            ...owner,
            sessions: sessions.filter((one) => keys.session(one) !== key),
          }));
          removed++;
        }
    for await (const page of scanPages<CodeRecord>(records, sessionPartition, { prefix: keys.code(''), limit: 500 }))
      for (const { key, value } of page.records)
        if (value.expires <= now) {
          await this.#drop(key, value.principal.id, ({ sessions }) => ({ sessions }));
          removed++;
        }
    return removed;
  }

  #drop(key: string, principalId: string, without: (owner: OwnerRecord) => OwnerRecord): Promise<void> {
    return transact(this.#ports.records, sessionPartition, async (tx) => {
      tx.remove(key);
      await forget(tx, principalId, without);
    });
  }

  #secret(): string {
    return Buffer.from(this.#ports.random(32)).toString('base64url');
  }
}

const isOver = ({ used, expires }: SessionRecord, now: number): boolean => now >= expires || now - used >= idleFor;

const isSecret = (text: string): boolean => /^[A-Za-z0-9_-]{43}$/.test(text);

const hashOf = (secret: string): string => createHash('sha256').update(secret).digest('base64url');

const sameHash = (a: string, b: string): boolean => timingSafeEqual(Buffer.from(a), Buffer.from(b));

const asJson = (value: object): Json => value as unknown as Json;

async function ownerOf(tx: Transaction, principalId: string): Promise<OwnerRecord> {
  return (await tx.get<OwnerRecord>(keys.of(principalId))) ?? { sessions: [] };
}

/** Takes something off what a principal has; who has nothing left has no row. */
async function forget(
  tx: Transaction,
  principalId: string,
  without: (owner: OwnerRecord) => OwnerRecord,
): Promise<void> {
  const left = without(await ownerOf(tx, principalId));
  if (left.sessions.length === 0 && left.code === undefined) tx.remove(keys.of(principalId));
  else tx.put(keys.of(principalId), asJson(left));
}
