import { timingSafeEqual } from 'node:crypto';
import { type RecordStore, scanPages } from '@slipway/storage/records';
import { LRUCache } from 'lru-cache';
import { growingTo } from '../kit/index.ts';
import type { IdentityPorts } from './accounts.ts';
import { asJson, type SessionEntity } from './entities.ts';
import { keys, sessionPartitionOf } from './keys.ts';
import { accountOfAccessKey, hashToken, newAccessKeyId, newSecret, newSessionToken } from './ids.ts';

/** Temporary credentials, as STS hands them out. */
export interface TemporaryCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken: string;
  readonly expiration: Date;
}

export type SessionDraft = Omit<SessionEntity, 'accessKeyId' | 'sealed' | 'tokenHash' | 'issued'>;

/** A looked-up session is believed for this long, so that a revoked one is refused everywhere within five seconds. Milliseconds. */
const believedFor = 2500;
const sweepPage = 500;

/** Temporary credentials: issue, look up, revoke, sweep. One record a session. */
export class Sessions {
  readonly #base: IdentityPorts;
  readonly #cache = new LRUCache<string, { session: SessionEntity | undefined; readAt: number }>(growingTo(20_000));
  readonly #reading = new Map<string, Promise<SessionEntity | undefined>>();

  constructor(base: IdentityPorts) {
    this.#base = base;
  }

  get #records(): RecordStore {
    return this.#base.records;
  }

  async issue(account: string, draft: SessionDraft): Promise<TemporaryCredentials> {
    const { random, seal, clock } = this.#base;
    const accessKeyId = newAccessKeyId('ASIA', account, random);
    const secretAccessKey = newSecret(random);
    const sessionToken = newSessionToken(random);
    const session: SessionEntity = {
      ...draft,
      accessKeyId,
      sealed: seal.seal(secretAccessKey, accessKeyId),
      tokenHash: hashToken(sessionToken),
      issued: clock.now(),
    };
    const key = keys.session(accessKeyId);
    await this.#records.commit(sessionPartitionOf(account), {
      require: [{ key, exists: false }],
      put: [{ key, value: asJson(session) }],
    });
    return { accessKeyId, secretAccessKey, sessionToken, expiration: new Date(draft.expires) };
  }

  /** The session behind a temporary key, also an expired one; undefined when there is none or it was revoked. @throws StoreUnavailable */
  find(accessKeyId: string): SessionEntity | undefined | Promise<SessionEntity | undefined> {
    const cached = this.#cache.get(accessKeyId);
    if (cached !== undefined && this.#base.clock.monotonic() - cached.readAt < believedFor) return cached.session;
    let reading = this.#reading.get(accessKeyId);
    if (reading === undefined) {
      reading = this.#read(accessKeyId).finally(() => this.#reading.delete(accessKeyId));
      this.#reading.set(accessKeyId, reading);
    }
    return reading;
  }

  async #read(accessKeyId: string): Promise<SessionEntity | undefined> {
    const account = accountOfAccessKey(accessKeyId);
    if (account === undefined) return undefined;
    const readAt = this.#base.clock.monotonic();
    const stored = await this.#records.get<SessionEntity>(sessionPartitionOf(account), keys.session(accessKeyId));
    // Unknown keys are not remembered: they are free to invent, and a new session must be found at once.
    if (stored === undefined) this.#cache.delete(accessKeyId);
    else this.#cache.set(accessKeyId, { session: stored.value, readAt });
    return stored?.value;
  }

  /** Ends a session; it is refused at once here and within five seconds everywhere. Revoking twice is not an error. */
  async revoke(accessKeyId: string): Promise<void> {
    const account = accountOfAccessKey(accessKeyId);
    if (account === undefined) return;
    await this.#records.commit(sessionPartitionOf(account), { remove: [keys.session(accessKeyId)] });
    this.#cache.delete(accessKeyId);
  }

  /** Whether a token is the session's; takes the same time whatever the difference. */
  hasToken(session: SessionEntity, token: string): boolean {
    return timingSafeEqual(Buffer.from(session.tokenHash, 'hex'), Buffer.from(hashToken(token), 'hex'));
  }

  /**
   * Removes sessions that expired more than an hour ago; until then they are kept so that the caller hears "expired".
   * @returns how many were removed
   */
  async sweep(account: string): Promise<number> {
    const partition = sessionPartitionOf(account);
    const limit = this.#base.clock.now() - 3_600_000;
    let removed = 0;
    const sessions = { prefix: keys.session(''), limit: sweepPage };
    for await (const page of scanPages<SessionEntity>(this.#records, partition, sessions)) {
      const over = page.records.filter((record) => record.value.expires < limit).map((record) => record.key);
      if (over.length > 0) await this.#records.commit(partition, { remove: over });
      removed += over.length;
    }
    return removed;
  }
}
