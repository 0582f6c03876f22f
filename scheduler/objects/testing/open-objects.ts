import { Registry } from '@prometheus-io/client';
import { S3Client } from '@aws-sdk/client-s3';
import type { AccessRequest, FrontAuthorizer, Principal } from '@slipway/auth/contract';
import type { AuditFacts } from '@slipway/auth/audit';
import { createGateway } from '@slipway/auth/gateway';
import { unwatched } from '@slipway/auth/gateway/testing';
import { compiledPolicy, evaluate } from '@slipway/auth/policy';
import { TokenService } from '@slipway/auth/tokens';
import { openFilesystemBlobs } from '@slipway/storage/blobs';
import { systemClock } from '@slipway/storage/clock';
import { memoryRecords } from '@slipway/storage/records/memory';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createObjects } from '../create-objects.ts';

export const account = '000000000000';
export const region = 'us-east-1';
/** Of who may do everything that is not refused, of who is of another account and may do everything there, and of who may do nothing. */
export const keys = {
  root: { accessKeyId: 'AKIAROOT', secretAccessKey: 'the-secret-of-root' },
  admin: { accessKeyId: 'AKIAADMIN', secretAccessKey: 'the-secret-of-admin' },
  other: { accessKeyId: 'AKIAOTHER', secretAccessKey: 'the-secret-of-other' },
  nobody: { accessKeyId: 'AKIANOBODY', secretAccessKey: 'the-secret-of-nobody' },
};
export type Who = keyof typeof keys;

const principalOf = (who: Who): Principal => {
  const of = who === 'other' ? '111111111111' : account;
  return {
    type: who === 'root' ? 'root' : 'user',
    account: of,
    arn: `arn:aws:iam::${of}:${who === 'root' ? who : `user/${who}`}`,
    id: `AIDA${who.toUpperCase()}`,
    accessKeyId: keys[who].accessKeyId,
  };
};
const all = JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: '*', Resource: '*' }] });

/** The API of S3 behind the real gateway, over records in memory and blobs on disk, with a clock that a test may move on. */
export async function openObjects() {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'slipway-s3-'));
  opened.defer(() => rm(folder, { recursive: true }));
  const clock = { ...systemClock, ahead: 0, now: (): number => systemClock.now() + clock.ahead };
  const records = memoryRecords(systemClock);
  const blobs = await openFilesystemBlobs({ root: folder }, systemClock);
  opened.defer(() => blobs.close());
  const asked: AccessRequest[] = [];
  /** Actions on resources that are refused to all: `s3:GetObject arn:…`. */
  const refused = new Set<string>();
  const authorizer: FrontAuthorizer = {
    authorize: async (principal, access) => {
      asked.push(access);
      for (const { arn, policy, account: owner } of access.resources) {
        const decision = evaluate(
          {
            identity: principal.arn.endsWith('/nobody')
              ? []
              : [{ name: 'all', policy: compiledPolicy(all, 'identity') }],
          },
          {
            principal,
            action: access.action,
            resource: arn,
            resourceAccount: owner ?? (principal.account || account),
            resourcePolicies:
              policy === undefined ? [] : [{ name: 'bucket', policy: compiledPolicy(policy, 'resource') }],
            trust: false,
            open: false,
            context: (key: string) =>
              access.context?.[key] ??
              Object.entries(access.context ?? {}).find(([name]) => name.toLowerCase() === key)?.[1],
          } as never,
        );
        if (!decision.allowed || refused.has(`${access.action} ${arn}`))
          return { allowed: false, reason: decision.reason, resource: arn };
      }
      return { allowed: true, reason: 'the test allows it' };
    },
    foresee: () => Promise.resolve(undefined),
  };
  const options = {
    records,
    blobs,
    clock,
    random: (bytes: number) => randomBytes(bytes),
    region,
    authorizer,
    principals: { bind: (text: string) => Promise.resolve(text), show: (text: string) => Promise.resolve(text) },
  };
  /** What the server says of itself. */
  const faults: object[] = [];
  const audited: AuditFacts[] = [];
  const gateway = createGateway({
    ...unwatched(region),
    audit: { write: (_moment, { facts }) => void audited.push(facts) },
    services: [],
    web: [createObjects(options)],
    credentials: {
      find: (id) => {
        const who = (Object.keys(keys) as Who[]).find((one) => keys[one].accessKeyId === id);
        return Promise.resolve(
          who === undefined
            ? { refused: 'unknown' }
            : { secret: keys[who].secretAccessKey, principal: principalOf(who) },
        );
      },
    },
    standing: { standing: () => Promise.resolve(true) },
    authorizer,
    tokens: new TokenService({
      records,
      clock: systemClock,
      region,
      issuer: `slipway:${account}`,
      sealer: { seal: (text) => text, open: (text) => text },
    }),
    clock: systemClock,
    log: { info: () => {}, warn: () => {}, error: (fields) => faults.push(fields) },
    metrics: new Registry(),
    region,
    account,
  });
  const { url } = await gateway.listen({ host: '127.0.0.1', port: 0 });
  opened.defer(() => gateway.close(500));
  const clients: S3Client[] = [];
  opened.defer(() => {
    for (const client of clients) client.destroy();
  });
  const clientOf = (who: Who, more: object = {}): S3Client => {
    const client = new S3Client({
      endpoint: url,
      region,
      credentials: keys[who],
      forcePathStyle: true,
      maxAttempts: 1,
      ...more,
    });
    clients.push(client);
    return client;
  };
  const s3 = clientOf('admin');
  const closing = opened.move();
  return {
    url,
    options,
    clock,
    blobs,
    records,
    asked,
    refused,
    faults,
    audited,
    s3,
    clientOf,
    /** Digests of every blob that is stored. */
    stored: async (): Promise<string[]> => {
      const found: string[] = [];
      for await (const { generation } of blobs.list()) found.push(generation);
      return found;
    },
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  };
}
