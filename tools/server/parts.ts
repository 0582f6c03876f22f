import { randomInt } from 'node:crypto';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Listening } from '@slipway/auth/gateway';
import type { Identity } from '@slipway/auth/identity';
import { openRegistry, type RegistryPart } from '@slipway/registry/part';
import { networkProbe } from '@slipway/scheduler/balancing/health';
import { addressPool } from '@slipway/scheduler/balancing/records';
import { knownBlobsOfObjects } from '@slipway/scheduler/objects/store';
import { openScheduler, type SchedulerPart, type SchedulerPorts } from '@slipway/scheduler/part';
import { loadPlacementPlugins } from '@slipway/scheduler/placement';
import { serverReach } from '@slipway/scheduler/reach';
import { knownBlobsOfLogs } from '@slipway/scheduler/signals/logs/store';
import { knownBlobsOfMetrics } from '@slipway/scheduler/signals/metrics/store';
import type { ServerConfig } from './config.ts';
import type { Foundations } from './foundations.ts';
import type { Role } from './installation.ts';
import { subkey } from './key-file.ts';
import { logsLimit, metricsLimit } from './logs-limit.ts';
import { instanceProviders, reachedByMachines } from './instance-providers.ts';
import { isOwnHost, machineAddresses } from './own-hosts.ts';
import { RegistryMetrics } from './registry-metrics.ts';
import { readRemotes } from './remotes-file.ts';
import { isScanner, openScanner } from './scanning.ts';
import { SchedulerMetrics } from './scheduler-metrics.ts';
import { trafficEngines } from './traffic-engines.ts';

/**
 * The registry and the scheduler. The two packages never import each other; beside the event log, this is where they meet: the
 * scheduler asks what a tag points to, the registry asks which images are in use.
 * @param listening filled in when the server listens: where this installation is reached
 */
export async function openParts(
  config: ServerConfig,
  role: Role,
  foundations: Foundations,
  listening: { readonly current?: Listening },
  opened: AsyncDisposableStack,
): Promise<{ readonly registry: RegistryPart; readonly scheduler: SchedulerPart }> {
  const { clock, random, log, storage, identity, tokens, outbound, masterKey } = foundations;
  const { region, account } = config;
  const remotes = readRemotes(config.remotesFile);
  const scans = opened.adopt(
    openScanner({
      config,
      identity,
      tokens,
      outbound: outbound.ours,
      clock,
      endpoint: () => listening.current?.url ?? '',
    }),
    (it) => it.close(),
  );
  // A plug-in is named as `import` names it from the folder the server is started in.
  const { resolve } = createRequire(join(process.cwd(), 'package.json'));
  const plugins = await loadPlacementPlugins(
    config.placementPlugins,
    (name) => import(pathToFileURL(resolve(name)).href),
  );
  const ownHost = (host: string): boolean =>
    isOwnHost(host, { endpoints: config.endpoints, listening: listening.current, addresses: machineAddresses });
  const principals = {
    bind: (text: string) => identity.bindPrincipals(text),
    show: (text: string) => identity.showPrincipals(text),
  };
  const registry = openRegistry({
    storage,
    clock,
    random,
    log,
    tracing: role.tracing,
    meter: new RegistryMetrics(role.metrics),
    region,
    account,
    authorizer: identity.authorizer,
    issueToken: (call) => tokens.issueAuthorization(call.principal),
    principals,
    outbound: {
      strangers: (url, init) => outbound.strangers.stream(url, init),
      ours: (url, init) => outbound.ours.stream(url, init),
    },
    upstreams: { hosts: remotes.upstreamHosts, secrets: remotes.upstreamSecrets },
    replicationTargets: remotes.replicationTargets,
    redirects: config.redirects,
    incoming: join(config.data, 'incoming'),
    scanner: scans.scanner,
    isScanner: isScanner(account),
    blobsOfOthers: async () => {
      const [ofLogs, ofMetrics, ofObjects] = await Promise.all([
        knownBlobsOfLogs(storage.records),
        knownBlobsOfMetrics(storage.records),
        knownBlobsOfObjects(storage.records),
      ]);
      return (blob) => ofLogs(blob) || ofMetrics(blob) || ofObjects(blob);
    },
    imagesInUse: (of) => scheduler.imagesInUse(of),
  });
  // Loaded only where it is used, as for the installation's own certificate.
  const authority =
    config.acme &&
    opened.adopt(
      (await import('@slipway/auth/acme')).openAuthority({
        settings: config.acme,
        records: storage.records,
        sealer: identity.sealer,
        clock,
      }),
      (it) => it.close(),
    );
  const scheduler: SchedulerPart = openScheduler({
    storage,
    clock,
    random,
    log,
    meter: new SchedulerMetrics(role.metrics),
    region,
    account,
    images: registry.images,
    pulls: registry.pulls,
    ownHost,
    reach: serverReach({
      logAllow: config.taskLogAllow,
      registryAllow: config.taskRegistryAllow,
      registries: config.taskRegistries,
      ownHost,
    }),
    authorizer: identity.authorizer,
    outbound: outbound.strangers,
    takeRole: async (request) => (await identity.issueSession({ ...request, durationSeconds: 900 })).principal,
    profileRole: (of, profile) => identity.profileRole(of, profile),
    serverCertificate: (of, arn) => identity.serverCertificate(of, arn),
    principals,
    sealer: identity.sealer,
    ...taskCredentials(identity),
    credentialIdKey: subkey(masterKey, 'task-credential-ids'),
    machines: {
      providers: instanceProviders(config, log),
      joinKey: subkey(masterKey, 'machines-that-join'),
      machineCredentials: (roleOf, machine) =>
        identity.issueSession({ roleArn: roleOf, sessionName: machine, service: 'ec2.amazonaws.com' }),
      endpoint: () => reachedByMachines(config, listening.current?.url ?? ''),
    },
    plugins,
    traffic: {
      addresses: addressPool(config.loadBalancing.addresses, config.loadBalancing.domain),
      engines: trafficEngines(config),
      probe: networkProbe,
      authority,
    },
    logs: { maxBytes: () => logsLimit(config) },
    metrics: { maxBytes: () => metricsLimit(config) },
    fileSystems: { encrypted: config.efsEncrypted },
    seed: randomInt(2 ** 31),
    stopwatch: () => performance.now(),
    timing: {
      reconciler: { healthyAfterRunning: config.healthyAfterSeconds * 1000 },
      ...(config.lostHostDeregisterAfterSeconds === undefined
        ? {}
        : { deregisterLostAfter: config.lostHostDeregisterAfterSeconds * 1000 }),
    },
  });
  identity.guardServerCertificates((of, arn) => scheduler.releaseServerCertificate(of, arn));
  return { registry, scheduler };
}

/** Sessions of tasks' roles. */
function taskCredentials(identity: Identity): Pick<SchedulerPorts, 'taskCredentials' | 'revokeTaskCredentials'> {
  return {
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
  };
}
