import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Installation, startInstallation } from '../server/installation.ts';
import { ConfigError, readConfig, type ServerConfig } from '../server/config.ts';
import { dockerAnswers, startLocalAgent } from '../server/local-agent.ts';
import { openLog } from '../server/log.ts';
import { joinFirst, ratesOfFirst, type Shared, SharedMetrics, workerPort, Workers } from '../server/workers.ts';
import { readCredentials, removeServerState, writeCredentials, writeServerState } from '../server/state-files.ts';
import { version } from '../server/version.ts';
import { startWatchdog } from '../server/watchdog.ts';
import { rateTable } from '@slipway/auth/gateway';
import { LocalRates } from '@slipway/auth/rates';
import { systemClock } from '@slipway/storage/clock';
import { openTracing, readTracingConfig, type Tracing, TracingConfigError } from '@slipway/storage/telemetry';
import type { Log } from '@slipway/auth/contract';
import { CliError } from './errors.ts';
import { print } from './output.ts';

/** Errors whose message alone tells the operator what to do. */
const plain = new Set([
  'ConfigError',
  'StorageUnusable',
  'FormatRefused',
  'KeyFileError',
  'ListenError',
  'AcmeSettingsError',
  'WrongEncryptionKey',
  'StoreUnavailable',
]);

/** `slipway serve`: everything in one process, until SIGTERM or Ctrl-C. */
export async function serve(): Promise<void> {
  // Whatever is written is for this user alone: images, keys, what callers did.
  process.umask(0o077);
  const config = configuration();
  const tracing = await traces((reason) => log.warn({ reason }, 'traces cannot be sent'));
  const log = openLog(config.logLevel, tracing);
  const stopped = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // The second signal does not wait for anything.
      process.on(signal, () => process.exit(1));
      stopped.resolve(signal);
    });
  }
  const worker = workerPort();
  const metrics = new SharedMetrics();
  const table = rateTable(config.rates);
  const shared: Shared = { metrics, rates: new LocalRates(table, systemClock) };
  let installation: Installation;
  try {
    installation = await startInstallation(config, log, {
      port: worker ?? config.port,
      metrics,
      rates: worker === undefined ? shared.rates : ratesOfFirst(table),
      tracing,
      ...(worker !== undefined ? { share: 'join' } : config.workers > 1 ? { share: 'first' } : {}),
    });
  } catch (error) {
    if (error instanceof Error && plain.has(error.name)) throw new CliError(error.message);
    throw error;
  }
  const watched = startWatchdog({ log, metrics });
  if (worker === undefined) await serveFirst(config, log, installation, shared, stopped.promise);
  else {
    joinFirst(metrics);
    await stopped.promise;
    await installation.close();
  }
  await watched();
  await tracing?.close();
  process.exit(0);
}

/** The address for clients: the first name the installation was given, else where it listens (this machine, when that is everywhere). */
function clientUrl(config: ServerConfig, listening: string): string {
  const url = new URL(listening);
  const [named] = config.endpoints;
  if (named !== undefined) return `${url.protocol}//${named}`;
  return ['0.0.0.0', '[::]'].includes(url.hostname) ? `${url.protocol}//127.0.0.1:${url.port}` : listening;
}

/** The process that people started: it keeps the files, the workers and the local agent. */
async function serveFirst(
  config: ServerConfig,
  log: Log,
  installation: Installation,
  shared: Shared,
  stopped: Promise<NodeJS.Signals>,
): Promise<void> {
  const { listening, administrator, identity } = installation;
  const { region, account } = config;
  if (administrator) {
    writeCredentials(config.credentialsFile, administrator);
    await identity.confirmAdministrator(account);
  }
  writeServerState(config.data, {
    pid: process.pid,
    endpoint: clientUrl(config, listening.url),
    region,
    account,
    credentialsFile: config.credentialsFile,
  });
  const workers = new Workers(config.workers - 1, listening.port, shared, log);
  const agent =
    config.agent === 'auto'
      ? startLocalAgent({
          endpoint: listening.url,
          region,
          account,
          identity,
          dataDir: join(config.data, 'agent'),
          taskEndpoint: config.taskEndpoint,
          taskNetwork: config.taskNetwork,
          logAddresses: config.taskLogAllow,
          registryAddresses: config.taskRegistryAllow,
          registries: config.taskRegistries,
          // What the server takes for itself: its configured names, and every name of loopback.
          ownRegistries: [
            ...config.endpoints.map((endpoint) => endpoint.toLowerCase()),
            `localhost:${listening.port}`,
            `127.0.0.1:${listening.port}`,
          ],
          log,
        })
      : undefined;
  await welcome(config, clientUrl(config, listening.url));

  log.info({ signal: await stopped }, 'stopping; containers keep running');
  await agent?.stop();
  await workers.stop();
  await installation.close();
  removeServerState(config.data);
}

function configuration(): ServerConfig {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(error.message);
    throw error;
  }
}

/** Traces, where the standard `OTEL_*` variables ask for them. */
async function traces(onTrouble: (what: string) => void): Promise<Tracing | undefined> {
  try {
    const config = readTracingConfig(process.env);
    return config && (await openTracing(config, { version, onTrouble }));
  } catch (error) {
    if (error instanceof TracingConfigError) throw new CliError(error.message);
    throw error;
  }
}

async function welcome(config: ServerConfig, url: string): Promise<void> {
  const registry = new URL(url).host;
  print(`\nSlipway serves on ${url}, data in ${config.data}\n`);
  if (!readCredentials(config.credentialsFile))
    print(
      `  note: ${config.credentialsFile} is not there, where the first start wrote the administrator's key: "slipway env --recover" writes it again\n`,
    );
  print('  eval "$(npx slipway env)"                      # AWS CLI, SDKs, Terraform');
  print(`  aws ecr get-login-password | docker login --username AWS --password-stdin ${registry}`);
  print('  aws ecr create-repository --repository-name web');
  print(`  docker tag IMAGE ${registry}/web:prod && docker push ${registry}/web:prod`);
  print('  aws ecs create-service ...  then  npx slipway follow default/SERVICE   (see README.md)\n');
  if (config.agent === 'off') print('  SLIPWAY_AGENT=off: this machine runs no tasks.\n');
  else if (!(await dockerAnswers()))
    print(
      `  No Docker engine answers at ${dockerAddress()}: the registry and the control plane work; tasks start as soon as one does.\n`,
    );
}

function dockerAddress(): string {
  const named = process.env['DOCKER_HOST'];
  if (named !== undefined) return named;
  const socket = '/var/run/docker.sock';
  return existsSync(socket)
    ? `${socket} (${inGroup() ? 'is the service running?' : 'may this user open it? See group docker'})`
    : `${socket} (there is no such socket; install Docker or set DOCKER_HOST)`;
}

function inGroup(): boolean {
  const gid = /^docker:[^:]*:(\d+):/m.exec(readFileSync('/etc/group', 'utf8'))?.[1];
  return process.getuid?.() === 0 || (gid !== undefined && (process.getgroups?.() ?? []).includes(Number(gid)));
}
