import { randomBytes, randomInt } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Registry } from '@prometheus-io/client';
import { AuditFiles } from '@slipway/auth/audit';
import { createGateway, type GatewayRoute, type Listening, rateTable } from '@slipway/auth/gateway';
import { type FirstAdministrator, type Identity, openIdentity } from '@slipway/auth/identity';
import { createOutbound } from '@slipway/auth/outbound';
import { LocalRates, type Rates, SharedUsage } from '@slipway/auth/rates';
import { TokenService } from '@slipway/auth/tokens';
import { createDistribution, createLayerDownloads, createRedirects } from '@slipway/registry/distribution';
import { createEcr, type EcrOptions } from '@slipway/registry/ecr';
import { createEcrPublic } from '@slipway/registry/ecr-public';
import { createResources, openImages } from '@slipway/registry/images';
import { createReplication } from '@slipway/registry/replication';
import { createTemplates } from '@slipway/registry/templates';
import { createUpstreams } from '@slipway/registry/upstreams';
import { createPolicyCheck, createScanning } from '@slipway/registry/scanning';
import { createAgentControl } from '@slipway/scheduler/hosts/control';
import { createCluster } from '@slipway/scheduler/cluster';
import { type ControlPlane, createControlPlane } from '@slipway/scheduler/control';
import { createEcs } from '@slipway/scheduler/ecs';
import { builtInExtensions, loadPlacementPlugins } from '@slipway/scheduler/placement';
import { serverReach } from '@slipway/scheduler/reach';
import { createTriggers, createWebhookAdministration, createWebhookReceiver } from '@slipway/scheduler/triggers';
import { systemClock } from '@slipway/storage/clock';
import { openStorage, type Storage } from '@slipway/storage/engine';
import { type Tracing, traceStorage } from '@slipway/storage/telemetry';
import type { Log } from '@slipway/auth/contract';
import { openCertificates } from './certificates.ts';
import type { ServerConfig } from './config.ts';
import { openDataFolder } from './data-folder.ts';
import { imageLookup } from './image-lookup.ts';
import { isScanner, openScanner } from './scanning.ts';
import { JobMetrics } from './job-metrics.ts';
import { type Job, startJobs } from './jobs.ts';
import { identityKey, openKeyFile, subkey } from './key-file.ts';
import { isOwnHost, machineAddresses } from './own-hosts.ts';
import { registryJobs } from './registry-jobs.ts';
import { gaugeOpenUploads, gaugeRepositories, RegistryMetrics } from './registry-metrics.ts';
import { reachedUrl } from './reached-url.ts';
import { registerProcessMetrics } from './process-metrics.ts';
import { readRemotes } from './remotes-file.ts';
import { StoreWatch } from './store-watch.ts';
import { storageConfig } from './storage-config.ts';
import { traceOutbound } from './trace-outbound.ts';
import { version } from './version.ts';

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

/** How this process takes part: alone or as the first of several on the port, with upkeep and triggers, or as a further worker that only answers. */
export interface Role {
  readonly share?: 'first' | 'join';
  readonly port: number;
  /** Where metrics are registered. */
  readonly metrics: Registry;
  /** What counts requests; default: this process alone. */
  readonly rates?: Rates;
  /** Default: no traces. */
  readonly tracing?: Tracing | undefined;
}

/**
 * The composition root: reads nothing but its configuration, opens the stores, wires the rooms and listens.
 * What fails on the way closes what was opened before it.
 * @throws FormatRefused, StorageUnusable, KeyFileError, ListenError: each says what to do
 */
export async function startInstallation(config: ServerConfig, log: Log, role: Role): Promise<Installation> {
  const clock = systemClock;
  const random = (size: number): Uint8Array => randomBytes(size);
  await using opened = new AsyncDisposableStack();

  await openDataFolder(config.data);
  const { tracing } = role;
  const engines = storageConfig(config);
  const untraced = opened.adopt(await openStorage(engines, clock), (it) => it.close());
  const storage = tracing === undefined ? untraced : traceStorage(untraced, engines, tracing);
  const { records } = storage;
  const masterKey = openKeyFile(config.keyFile);
  const guarded = opened.adopt(createOutbound({ allow: config.outboundAllow }), (it) => it.close());
  const outbound = traceOutbound(guarded, tracing, 'strangers');
  const toOurs = traceOutbound(guarded, tracing, 'ours');
  const identity = opened.adopt(
    openIdentity({
      records,
      clock,
      random,
      encryptionKey: identityKey(masterKey),
      region: config.region,
      fetch: (url, init) => outbound.fetch(url, init),
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
  const registryMetrics = new RegistryMetrics(role.metrics);
  registerProcessMetrics(role.metrics, version);
  const images = openImages({ records, blobs: storage.blobs, clock, random, meter: registryMetrics });

  const remotes = readRemotes(config.remotesFile);
  const upstreams = createUpstreams({
    images,
    templates: createTemplates(images),
    fetch: (url, init) => outbound.stream(url, init),
    hosts: remotes.upstreamHosts,
    secrets: remotes.upstreamSecrets,
    log,
    folder: join(config.data, 'incoming'),
  });
  opened.defer(() => upstreams.settled());
  const policy = createPolicyCheck(images, isScanner(config.account));
  const replication = createReplication({
    images,
    policy,
    events: storage.events,
    region: config.region,
    targets: remotes.replicationTargets,
    fetch: (url, init) => toOurs.stream(url, init),
    log,
    tracing,
  });

  const listening: { current?: Listening } = {};
  const scans = opened.adopt(
    openScanner({ config, identity, tokens, outbound: toOurs, clock, endpoint: () => listening.current?.url ?? '' }),
    (it) => it.close(),
  );
  const scanning = createScanning({
    images,
    events: storage.events,
    leases: storage.leases,
    scanner: scans.scanner,
    log,
    tracing,
  });
  const lookup = imageLookup(images, policy);
  // A plug-in is named as `import` names it from the folder the server is started in.
  const { resolve } = createRequire(join(process.cwd(), 'package.json'));
  const plugins = await loadPlacementPlugins(
    config.placementPlugins,
    (name) => import(pathToFileURL(resolve(name)).href),
  );

  const ownHost = (host: string): boolean =>
    isOwnHost(host, { endpoints: config.endpoints, listening: listening.current, addresses: machineAddresses });
  const ecsContext = {
    records,
    clock,
    random,
    region: config.region,
    reach: serverReach({ logAllow: config.taskLogAllow, registries: config.taskRegistries, ownHost }),
    extensions: {
      strategies: new Set([...builtInExtensions.strategies, ...plugins.strategies.map(({ type }) => type)]),
      constraints: new Set([...builtInExtensions.constraints, ...plugins.constraints.map(({ type }) => type)]),
    },
  };
  const control = createControlPlane({
    ...ecsContext,
    leases: storage.leases,
    log,
    accounts: [config.account],
    images: lookup,
    ownHost,
    placement: { seed: randomInt(2 ** 31), stopwatch: () => performance.now(), ...plugins },
    reconciler: { healthyAfterRunning: config.healthyAfterSeconds * 1000 },
  });
  opened.defer(() => control.stop());
  const agents = opened.adopt(
    createAgentControl({
      ...ecsContext,
      log,
      credentialIdKey: subkey(masterKey, 'task-credential-ids'),
      ownHost,
      taskCredentials: async (roleArn, taskArn) => {
        const session = await identity.issueSession({
          roleArn,
          sessionName: taskArn.split('/').at(-1) ?? 'task',
          service: 'ecs-tasks.amazonaws.com',
          sourceArn: taskArn,
        });
        return { ...session, expiresAt: session.expiration.getTime() };
      },
      revokeTaskCredentials: (accessKeyId) => identity.revokeSession(accessKeyId),
    }),
    (it) => it.close(),
  );

  const watch = new StoreWatch({
    ask: () => records.version(`iam/${config.account}`),
    clock,
    log,
    onAway: () => agents.disconnect(),
  });
  const watching = watch.run();
  opened.defer(() => {
    watch.stop();
    return watching;
  });

  const webhooks = {
    ...ecsContext,
    images: lookup,
    ownHost,
    log,
    sealer: identity.sealer,
    authorizer: identity.authorizer,
  };
  const resources = createResources(images, config.region);
  mkdirSync(join(config.data, 'audit'), { recursive: true, mode: 0o700 });
  const ecr: EcrOptions = {
    images,
    policy,
    region: config.region,
    authorizer: identity.authorizer,
    issueToken: (call) => tokens.issueAuthorization(call.principal),
    upstreams,
    replication: replication.targets,
    principals: { bind: (text) => identity.bindPrincipals(text), show: (text) => identity.showPrincipals(text) },
  };
  const rates = role.rates ?? new LocalRates(rateTable(config.rates), clock);
  // Further processes of this machine count with this one already.
  if (config.records.type === 'redis' && rates instanceof LocalRates) {
    const usage = new SharedUsage({
      rates,
      records,
      clock,
      server: randomBytes(8).toString('hex'),
      onError: (err) => log.warn({ err }, 'what callers used could not be exchanged with other servers'),
    });
    usage.start();
    opened.defer(() => usage.stop());
  }
  const gateway = createGateway({
    services: [
      createEcr(ecr),
      createEcrPublic(ecr),
      createEcs({ ...ecsContext, placer: control.placer, agentOperations: agents.operations }),
      ...identity.services,
    ],
    web: [
      createDistribution({
        images,
        authorizer: identity.authorizer,
        defaultAccount: config.account,
        region: config.region,
        redirects: createRedirects(config.redirects),
        upstreams,
        policy,
      }),
      createLayerDownloads({ images, policy }),
      createWebhookReceiver(webhooks),
      createWebhookAdministration(webhooks),
    ],
    upgrades: agents.upgrades,
    credentials: identity.credentials,
    standing: identity.standing,
    authorizer: identity.authorizer,
    tokens,
    repository: (account, name) => resources.find(account, name),
    stamp: records.stamp,
    clock,
    log,
    audit: opened.adopt(
      new AuditFiles({
        folder: join(config.data, 'audit'),
        onError: (error) => log.error({ err: error }, 'the audit file cannot be written'),
      }),
      (it) => it.close(),
    ),
    metrics: role.metrics,
    tracing,
    region: config.region,
    account: config.account,
    hosts: config.endpoints,
    ...(config.publicUrl === undefined ? {} : { publicUrl: config.publicUrl }),
    trustedProxies: config.trustedProxies,
    ...(config.metricsFrom === undefined ? {} : { metricsFrom: config.metricsFrom }),
    dockerChallenge: config.dockerChallenge,
    ready: async () => ({ ok: watch.answers, parts: { records: watch.answers ? 'ok' : 'no answer' } }),
    limits: config.rates,
    rates,
  });
  const certificates = opened.adopt(
    await openCertificates(config, { storage, identity, clock, log, metrics: role.metrics }),
    (it) => it.close(),
  );
  const { source } = certificates;
  opened.defer(() => gateway.close());
  const listened = await gateway.listen({
    host: config.host,
    port: role.port,
    ...(role.share === undefined ? {} : { share: role.share }),
    allowPlainHttp: config.allowPlainHttp,
    ...(source === undefined ? {} : { tls: source }),
  });
  listening.current = { ...listened, url: reachedUrl(listened.url, source?.current.cert, config.endpoints) };
  if (role.share !== 'join') await certificates.renew();

  await createCluster(ecsContext, { account: config.account, cluster: 'default' }, { tags: {}, settings: [] });
  await control.start();
  const flushing = setInterval(
    () => void images.pulls.flush().catch((error: unknown) => log.warn({ err: error }, 'pull times were not recorded')),
    60_000,
  );
  opened.defer(async () => {
    clearInterval(flushing);
    await images.pulls.flush();
  });
  if (role.share !== 'join') {
    gaugeOpenUploads(role.metrics, images, config.account);
    gaugeRepositories(role.metrics, images, config.account);
    replication.start();
    opened.defer(() => replication.stop());
    const triggers = createTriggers({
      ...ecsContext,
      events: storage.events,
      leases: storage.leases,
      images: lookup,
      ownHost,
      log,
      authorizer: identity.authorizer,
    });
    opened.defer(() => triggers.stop());
    triggers.start();
    opened.defer(() => scanning.stop());
    scanning.start();
    const upkeep = [
      ...registryJobs({
        images,
        control,
        lossNoticed: () => storage.lossNoticed(),
        onCollected: (report) => registryMetrics.collected(report),
      }),
      sessionsJob(identity, config.account),
    ];
    const metrics = new JobMetrics(
      role.metrics,
      upkeep.map(({ name }) => name),
    );
    const jobs = startJobs({ ...storage, clock, log, tracing, metrics, jobs: upkeep });
    opened.defer(() => jobs.stop());
  }

  const closing = opened.move();
  return {
    listening: listening.current,
    routes: gateway.routes,
    identity,
    control,
    storage,
    administrator,
    close: () => closing.disposeAsync(),
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
