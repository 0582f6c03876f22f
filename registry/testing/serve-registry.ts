import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Registry } from '@prometheus-io/client';
import { createGateway } from '@slipway/auth/gateway';
import { unwatched } from '@slipway/auth/gateway/testing';
import { openIdentity } from '@slipway/auth/identity';
import { createOutbound } from '@slipway/auth/outbound';
import { TokenService } from '@slipway/auth/tokens';
import type { BlobStore } from '@slipway/storage/blobs';
import { systemClock } from '@slipway/storage/clock';
import { openEventLog } from '@slipway/storage/events';
import type { EventLog } from '@slipway/storage/events';
import { openStorage, type StorageConfig } from '@slipway/storage/engine';
import type { RecordStore } from '@slipway/storage/records';
import { createDistribution, createLayerDownloads, type Redirects } from '../distribution/index.ts';
import { createEcr, type EcrOptions } from '../ecr/index.ts';
import { createEcrPublic } from '../ecr-public/index.ts';
import { createReplication, type ReplicationTarget } from '../replication/index.ts';
import { createPolicyCheck } from '../scanning/index.ts';
import { createTemplates } from '../templates/index.ts';
import { createUpstreams, type UpstreamOptions, type Upstreams } from '../upstreams/index.ts';
import { createResources, type Images, type ImagesOptions, type Meter, openImages } from '../images/index.ts';

export const account = '000000000000';
export const region = 'us-east-1';

/** A registry behind the real front door, on a free port of this machine. */
export interface ServedRegistry extends AsyncDisposable {
  /** e.g. `http://127.0.0.1:40123` */
  readonly url: string;
  /** Host and port, as image references name it. */
  readonly host: string;
  readonly images: Images;
  readonly upstreams: Upstreams;
  readonly records: RecordStore;
  readonly blobs: BlobStore;
  readonly events: EventLog;
  /** The administrator's key. */
  readonly credentials: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Errors that the front door logged: failures that are our own. */
  readonly failures: readonly unknown[];
  /** All that the front door logged and audited since the start, and its metrics: whatever an operator gets to read. */
  readonly told: () => Promise<string>;
  readonly folder: string;
}

export interface ServeOptions {
  readonly limits?: ImagesOptions['limits'];
  readonly meter?: Meter;
  /** Serves what an earlier server left in its folder. */
  readonly folder?: string;
  readonly keepFolder?: boolean;
  readonly dockerChallenge?: 'basic' | 'bearer';
  readonly upstreams?: Pick<UpstreamOptions, 'hosts' | 'secrets' | 'freshFor' | 'mostParts'>;
  /** Replication to these, worked on from the start. */
  readonly targets?: readonly ReplicationTarget[];
  /** Default: SQLite and files in the folder. */
  readonly storage?: StorageConfig;
  /** The administrator that another server on the same store has made. */
  readonly credentials?: ServedRegistry['credentials'];
  readonly redirects?: Redirects;
}

/** Errors as an operator's log shows them: with what led to them. */
const withErrors = (_name: string, value: unknown): unknown =>
  value instanceof Error ? { message: value.message, cause: value.cause } : value;

export async function serveRegistry(options: ServeOptions = {}): Promise<ServedRegistry> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'slipway-registry-')));
  const storage = await openStorage(
    options.storage ?? {
      records: { type: 'sqlite', file: join(folder, 'records.sqlite') },
      blobs: { type: 'filesystem', root: join(folder, 'blobs') },
    },
    systemClock,
  );
  const { records, blobs } = storage;
  const identity = openIdentity({
    records,
    clock: systemClock,
    random: randomBytes,
    encryptionKey: Buffer.alloc(32, 7),
    region,
  });
  const administrator = options.credentials ?? (await identity.bootstrap(account));
  if (administrator === undefined) throw new Error('the test folder already has an administrator');
  const tokens = new TokenService({
    records,
    clock: systemClock,
    sealer: identity.sealer,
    issuer: `slipway:${account}`,
    region,
  });
  const images = openImages({
    records,
    blobs,
    clock: systemClock,
    ...(options.limits ? { limits: options.limits } : {}),
    ...(options.meter ? { meter: options.meter } : {}),
  });
  const outbound = createOutbound({ allow: ['127.0.0.0/8'] });
  const quiet = { info: () => {}, warn: () => {}, error: () => {} };
  const lines: string[] = [];
  const tell = (line: object): void => void lines.push(JSON.stringify(line, withErrors));
  const upstreams = createUpstreams({
    images,
    templates: createTemplates(images),
    fetch: outbound.stream,
    log: { info: tell, warn: tell, error: tell },
    folder: join(folder, 'incoming'),
    ...options.upstreams,
  });
  const policy = createPolicyCheck(images, () => false);
  const replication = createReplication({
    images,
    policy,
    events: openEventLog(records, systemClock, Math.random),
    region,
    targets: options.targets ?? [],
    fetch: outbound.stream,
    log: quiet,
    retryAfter: 500,
  });
  if (options.targets) replication.start();
  const resources = createResources(images, region);
  const failures: unknown[] = [];
  const metrics = new Registry();
  const ecr: EcrOptions = {
    images,
    policy,
    region,
    authorizer: identity.authorizer,
    issueToken: (call) => tokens.issueAuthorization(call.principal),
    upstreams,
    replication: replication.targets,
    principals: { bind: (text) => identity.bindPrincipals(text), show: (text) => identity.showPrincipals(text) },
  };
  const gateway = createGateway({
    ...unwatched(region),
    services: [...identity.services, createEcr(ecr), createEcrPublic(ecr)],
    web: [
      createDistribution({
        images,
        policy,
        authorizer: identity.authorizer,
        defaultAccount: account,
        region,
        upstreams,
        ...(options.redirects === undefined ? {} : { redirects: options.redirects }),
      }),
      createLayerDownloads({ images, policy }),
    ],
    credentials: identity.credentials,
    standing: identity.standing,
    authorizer: identity.authorizer,
    repository: (of, name) => resources.find(of, name),
    tokens,
    stamp: records.stamp,
    clock: systemClock,
    log: {
      info: tell,
      warn: tell,
      error: (fields) => {
        tell(fields);
        failures.push(fields);
      },
    },
    audit: { write: (moment, { facts }) => tell({ ...moment, ...facts }) },
    metrics,
    region,
    account,
    dockerChallenge: options.dockerChallenge ?? 'basic',
  });
  const { url } = await gateway.listen({ host: '127.0.0.1', port: 0 });
  return {
    url,
    host: url.replace('http://', ''),
    images,
    upstreams,
    records,
    blobs,
    events: storage.events,
    credentials: { accessKeyId: administrator.accessKeyId, secretAccessKey: administrator.secretAccessKey },
    failures,
    told: async () => [...lines, await metrics.metrics()].join('\n'),
    folder,
    async [Symbol.asyncDispose]() {
      await gateway.close(100);
      await replication.stop();
      await upstreams.settled();
      await outbound.close();
      await images.pulls.flush();
      await identity.close();
      await storage.close();
      if (options.keepFolder !== true) await rm(folder, { recursive: true, force: true });
    },
  };
}
