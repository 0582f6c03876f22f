import type { Registry } from '@prometheus-io/client';
import { openBrowser } from '@slipway/auth/browser';
import type { Job, Log } from '@slipway/auth/contract';
import { openDenials } from '@slipway/auth/denials';
import { createGateway, type GatewayOptions, type GatewayRoute, type Listening } from '@slipway/auth/gateway';
import type { FirstAdministrator, Identity } from '@slipway/auth/identity';
import type { Rates, UsageSource } from '@slipway/auth/rates';
import type { ControlPlane } from '@slipway/scheduler/control';
import { ChangeStreams } from '@slipway/scheduler/ecs';
import type { Storage } from '@slipway/storage/engine';
import type { Tracing } from '@slipway/storage/telemetry';
import { consoleService } from '../console/index.ts';
import { agentProgramService } from './agent-program.ts';
import { openCertificates } from './certificates.ts';
import type { ServerConfig } from './config.ts';
import { oidcSignIn } from './console-sign-in.ts';
import { type Foundations, openFoundations } from './foundations.ts';
import { registerGauges } from './gauges.ts';
import { JobMetrics } from './job-metrics.ts';
import { startJobs } from './jobs.ts';
import { openParts } from './parts.ts';
import { reachedUrl } from './reached-url.ts';
import { StoreWatch } from './store-watch.ts';

/** A running installation: every room wired and listening. */
export interface Installation {
  readonly listening: Listening;
  /** Everything that can be called, with what its callers need. */
  readonly routes: readonly GatewayRoute[];
  readonly identity: Identity;
  readonly control: ControlPlane;
  readonly storage: Storage;
  /** The administrator's key, until it is confirmed to be kept. */
  readonly administrator: FirstAdministrator | undefined;
  /** Stops accepting, finishes requests, gives up leadership and closes the stores. Containers keep running. */
  close(): Promise<void>;
}

/** How this process takes part: alone, or as one of several on the port. */
export interface Role {
  /** As the first of several on the port, or beside others that listen on it already; absent in one that stands alone. */
  readonly share?: 'first' | 'join';
  readonly port: number;
  /** Whether it runs what a server runs once: upkeep, triggers, the renewal of certificates. Default: yes. */
  readonly upkeep?: boolean;
  /** Where metrics are registered. */
  readonly metrics: Registry;
  /** What counts requests; default: this process alone. */
  readonly rates?: Rates;
  /** Where the buckets of `rates` are another process's and are to be shared with other servers: who has them, and its name. */
  readonly usage?: { readonly source: UsageSource; readonly server: string };
  /** Default: no traces. */
  readonly tracing?: Tracing | undefined;
}

/**
 * The composition root: reads nothing but its configuration, opens the stores, wires the rooms and listens.
 * What fails on the way closes what was opened before it.
 * @throws FormatRefused, StorageUnusable, KeyFileError, ListenError: each says what to do
 */
export async function startInstallation(config: ServerConfig, log: Log, role: Role): Promise<Installation> {
  await using opened = new AsyncDisposableStack();
  const foundations = await openFoundations(config, log, role, opened);
  const { storage, identity, clock, rates, audit } = foundations;
  const { upkeep = true } = role;
  const listening: { current?: Listening } = {};
  const { registry, scheduler } = await openParts(config, role, foundations, listening, opened);
  for (const part of [registry, scheduler]) opened.defer(() => part.close());
  const ready = watchStore(config, foundations, () => scheduler.disconnectAgents(), opened);

  const browser = openBrowser({
    records: storage.records,
    clock,
    random: foundations.random,
    identity,
    oidc: oidcSignIn(config, foundations.outbound.strangers),
  });
  const denials = openDenials({ records: storage.records, clock, identity, log });
  opened.defer(() => denials.close());
  const changes = new ChangeStreams({
    records: storage.records,
    clock,
    log,
    region: config.region,
    authorizer: identity.authorizer,
    caller: browser.caller,
  });
  const gateway = createGateway({
    services: [...registry.services, ...scheduler.services, ...identity.services],
    web: [
      ...registry.web,
      ...scheduler.web,
      agentProgramService(),
      ...browser.web,
      denials.web,
      changes.web,
      consoleService(),
    ],
    browser: browser.calls,
    upgrades: [...registry.upgrades, ...scheduler.upgrades],
    repository: registry.repository,
    credentials: identity.credentials,
    standing: identity.standing,
    authorizer: identity.authorizer,
    tokens: foundations.tokens,
    stamp: storage.records.stamp,
    clock,
    log,
    audit,
    denials: denials.sink,
    metrics: role.metrics,
    tracing: role.tracing,
    rates,
    ready,
    ...gatewaySettings(config),
  });
  const certificates = opened.adopt(
    await openCertificates(config, { storage, identity, clock, log, metrics: role.metrics }),
    (it) => it.close(),
  );
  const { source } = certificates;
  opened.defer(() => gateway.close());
  opened.defer(() => changes.close());
  const listened = await gateway.listen({
    host: config.host,
    port: role.port,
    ...(role.share === undefined ? {} : { share: role.share }),
    allowPlainHttp: config.allowPlainHttp,
    ...(source === undefined ? {} : { tls: source }),
  });
  listening.current = { ...listened, url: reachedUrl(listened.url, source?.current.cert, config.endpoints) };
  if (upkeep) await certificates.renew((token) => scheduler.challengeAnswer(token));

  for (const part of [scheduler, registry]) {
    opened.defer(() => part.stop());
    await part.start({ upkeep });
  }
  if (upkeep) {
    const jobs = [
      ...registry.jobs,
      ...scheduler.jobs,
      ...browser.jobs,
      ...denials.jobs,
      sessionsJob(identity, config.account),
    ];
    const metrics = new JobMetrics(
      role.metrics,
      jobs.map(({ name }) => name),
    );
    const running = startJobs({ ...storage, clock, log, tracing: role.tracing, metrics, jobs });
    opened.defer(() => running.stop());
  }
  registerGauges(role.metrics, [...registry.gauges, ...scheduler.gauges], upkeep);
  const closing = opened.move();
  return {
    listening: listening.current,
    routes: gateway.routes,
    identity,
    control: scheduler.control,
    storage,
    administrator: foundations.administrator,
    close: () => closing.disposeAsync(),
  };
}

/** Tells whether the store answers; while it does not, agents go to another server. */
function watchStore(
  config: ServerConfig,
  { storage, clock, log }: Foundations,
  onAway: () => void,
  opened: AsyncDisposableStack,
): NonNullable<GatewayOptions['ready']> {
  const watch = new StoreWatch({ ask: () => storage.records.version(`iam/${config.account}`), clock, log, onAway });
  const watching = watch.run();
  opened.defer(() => {
    watch.stop();
    return watching;
  });
  return async () => ({ ok: watch.answers, parts: { records: watch.answers ? 'ok' : 'no answer' } });
}

/** Where the gateway stands, as the configuration says. */
function gatewaySettings(config: ServerConfig) {
  return {
    region: config.region,
    account: config.account,
    hosts: config.endpoints,
    ...(config.publicUrl === undefined ? {} : { publicUrl: config.publicUrl }),
    trustedProxies: config.trustedProxies,
    ...(config.metricsFrom === undefined ? {} : { metricsFrom: config.metricsFrom }),
    dockerChallenge: config.dockerChallenge,
  };
}

/** Removes sessions of roles that ended long ago. */
function sessionsJob(identity: Identity, account: string): Job {
  return {
    name: 'expired-sessions',
    every: 3_600_000,
    run: async () => {
      const removed = await identity.sweepSessions(account);
      return removed === 0 ? undefined : { removed };
    },
  };
}
