import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { AuditFiles } from '@slipway/auth/audit';
import type { Log } from '@slipway/auth/contract';
import { type FirstAdministrator, type Identity, openIdentity } from '@slipway/auth/identity';
import { createOutbound, type Outbound } from '@slipway/auth/outbound';
import { LocalRates, type Rates, rateTable, SharedUsage } from '@slipway/auth/rates';
import { TokenService } from '@slipway/auth/tokens';
import { type Clock, systemClock } from '@slipway/storage/clock';
import { openStorage, type Storage } from '@slipway/storage/engine';
import { traceStorage } from '@slipway/storage/telemetry';
import type { ServerConfig } from './config.ts';
import { openDataFolder } from './data-folder.ts';
import type { Role } from './installation.ts';
import { identityKey, openKeyFile } from './key-file.ts';
import { pooledRandom } from './pooled-random.ts';
import { registerProcessMetrics } from './process-metrics.ts';
import { storageConfig } from './storage-config.ts';
import { traceOutbound } from './trace-outbound.ts';
import { version } from './version.ts';

/** What every part stands on: the stores, who is calling, and the way out. */
export interface Foundations {
  readonly clock: Clock;
  readonly random: (size: number) => Uint8Array;
  readonly log: Log;
  readonly storage: Storage;
  /** Of which other keys are made. */
  readonly masterKey: Buffer;
  readonly identity: Identity;
  readonly administrator: FirstAdministrator | undefined;
  readonly tokens: TokenService;
  /** The guarded client, for addresses that users gave and for those that the operator did. */
  readonly outbound: { readonly strangers: Outbound; readonly ours: Outbound };
  readonly rates: Rates;
  readonly audit: AuditFiles;
}

/**
 * @param opened takes what must be closed, in the order in which it was opened
 * @throws FormatRefused, StorageUnusable, KeyFileError: each says what to do
 */
export async function openFoundations(
  config: ServerConfig,
  log: Log,
  role: Role,
  opened: AsyncDisposableStack,
): Promise<Foundations> {
  const clock = systemClock;
  const random = pooledRandom();
  await openDataFolder(config.data);
  const engines = storageConfig(config);
  const untraced = opened.adopt(await openStorage(engines, clock), (it) => it.close());
  const storage = role.tracing === undefined ? untraced : traceStorage(untraced, engines, role.tracing);
  const { records } = storage;
  const masterKey = openKeyFile(config.keyFile);
  const guarded = opened.adopt(createOutbound({ allow: config.outboundAllow }), (it) => it.close());
  const strangers = traceOutbound(guarded, role.tracing, 'strangers');
  const ours = traceOutbound(guarded, role.tracing, 'ours');
  const identity = opened.adopt(
    openIdentity({
      records,
      clock,
      random,
      encryptionKey: identityKey(masterKey),
      region: config.region,
      fetch: (url, init) => strangers.fetch(url, init),
    }),
    (it) => it.close(),
  );
  const administrator = await identity.bootstrap(config.account);
  const tokens = new TokenService({
    records,
    clock,
    sealer: identity.sealer,
    issuer: `slipway:${config.account}`,
    region: config.region,
  });
  registerProcessMetrics(role.metrics, version);
  const rates = role.rates ?? new LocalRates(rateTable(config.rates), clock);
  // The processes of a server count together already: one of them tells the other servers.
  const shared =
    rates instanceof LocalRates ? { source: rates, server: Buffer.from(random(8)).toString('hex') } : role.usage;
  if (config.records.type === 'redis' && shared !== undefined) {
    const usage = new SharedUsage({
      rates: shared.source,
      records,
      clock,
      server: shared.server,
      onError: (err) => log.warn({ err }, 'what callers used could not be exchanged with other servers'),
    });
    usage.start();
    opened.defer(() => usage.stop());
  }
  const folder = join(config.data, 'audit');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const onError = (err: unknown): void => log.error({ err }, 'the audit file cannot be written');
  const audit = opened.adopt(new AuditFiles({ folder, onError }), (it) => it.close());
  const outbound = { strangers, ours };
  return { clock, random, log, storage, masterKey, identity, administrator, tokens, outbound, rates, audit };
}
