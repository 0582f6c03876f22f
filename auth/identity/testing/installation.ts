import { IAMClient } from '@aws-sdk/client-iam';
import { STSClient } from '@aws-sdk/client-sts';
import { Registry } from '@prometheus-io/client';
import { openSqliteRecords, type RecordStore } from '@slipway/storage/records';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGateway } from '../../gateway/index.ts';
import { unwatched } from '../../gateway/testing/index.ts';
import type { Call, ServiceDefinition } from '../../contract/index.ts';
import { TokenService } from '../../tokens/index.ts';
import type { FirstAdministrator } from '../default-identities.ts';
import { type Identity, type IdentityOptions, openIdentity } from '../open-identity.ts';

export const ACCOUNT = '111122223333';
export const OTHER_ACCOUNT = '444455556666';
export const REGION = 'us-east-1';

/** A key as clients take it. */
export interface Key {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** A front door with IAM and STS over a store of its own, for the tests of this room. */
export interface Installation extends AsyncDisposable {
  readonly url: string;
  readonly identity: Identity;
  readonly records: RecordStore;
  readonly encryptionKey: Uint8Array;
  readonly clock: Clock & { offset: number };
  /** Administrators of {@link ACCOUNT} and {@link OTHER_ACCOUNT}. */
  readonly admin: FirstAdministrator;
  readonly otherAdmin: FirstAdministrator;
  iam(key?: Key): IAMClient;
  sts(key?: Key): STSClient;
  /** Another process's view of the same store. */
  otherServer(): Identity;
}

export async function openInstallation(
  config: Partial<IdentityOptions> = {},
  further: (identity: Identity) => readonly ServiceDefinition[] = () => [],
): Promise<Installation> {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-identity-'));
  const records = await openSqliteRecords({ file: join(folder, 'records.sqlite') }, systemClock);
  const clock = { ...systemClock, offset: 0, now: () => Date.now() + clock.offset };
  const encryptionKey = randomBytes(32);
  const parts = { records, clock, random: randomBytes, encryptionKey, region: REGION, ...config };
  const identity = openIdentity(parts);
  const admin = (await identity.bootstrap(ACCOUNT)) as FirstAdministrator;
  const otherAdmin = (await identity.bootstrap(OTHER_ACCOUNT)) as FirstAdministrator;
  const gateway = createGateway({
    ...unwatched(REGION),
    services: [...identity.services, ...further(identity)],
    credentials: identity.credentials,
    standing: identity.standing,
    authorizer: identity.authorizer,
    tokens: new TokenService({ records, clock, sealer: identity.sealer, issuer: 'slipway:test', region: REGION }),
    clock,
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
    metrics: new Registry(),
    region: REGION,
    account: ACCOUNT,
  });
  const listening = await gateway.listen({ host: '127.0.0.1', port: 0 });
  const clients: { destroy(): void }[] = [];
  const others: Identity[] = [];
  const connect = <C extends { destroy(): void }>(make: () => C): C => {
    const client = make();
    clients.push(client);
    return client;
  };
  const options = (key: Key) => ({ endpoint: listening.url, region: REGION, credentials: key, maxAttempts: 1 });
  return {
    url: listening.url,
    identity,
    records,
    encryptionKey,
    clock,
    admin,
    otherAdmin,
    iam: (key = admin) => connect(() => new IAMClient(options(key))),
    sts: (key = admin) => connect(() => new STSClient(options(key))),
    otherServer() {
      const other = openIdentity(parts);
      others.push(other);
      return other;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) client.destroy();
      await gateway.close(0);
      for (const each of [identity, ...others]) await each.close();
      await records.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A request's surroundings, for what asks the authorizer without a gateway. */
export function callOf(account = ACCOUNT, change: Partial<Call> = {}): Call {
  return {
    requestId: 'test',
    principal: { type: 'anonymous', account: '', arn: '*', id: '' },
    account,
    region: REGION,
    endpoint: 'http://127.0.0.1:7500',
    sourceIp: '192.0.2.10',
    userAgent: 'test',
    time: new Date('2026-06-01T12:00:00Z'),
    signal: new AbortController().signal,
    ...change,
  };
}
