import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Installation, startInstallation } from '../server/installation.ts';
import { ConfigError, readConfig, type ServerConfig } from '../server/config.ts';
import { warnOfDocker } from '../server/instance-providers.ts';
import { openLog } from '../server/log.ts';
import { readCredentials, removeServerState, writeCredentials, writeServerState } from '../server/state-files.ts';
import { ownRole, type ProcessRole } from '../server/process-role.ts';
import { joinSupervisor, sharedRates, SharedMetrics } from '../server/supervised.ts';
import { version } from '../server/version.ts';
import { startWatchdog } from '../server/watchdog.ts';
import { rateTable } from '@slipway/auth/rates';
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

/** One process that serves, until SIGTERM (or Ctrl-C, where it stands alone): everything, or what a supervisor started it for. */
export async function serveProcess(): Promise<void> {
  const config = configuration();
  const tracing = await traces((reason) => log.warn({ reason }, 'traces cannot be sent'));
  const log = openLog(config.logLevel, tracing);
  const role = ownRole();
  const stopped = role === undefined ? untilSignal() : untilTold();
  const metrics = new SharedMetrics(role);
  const shared = role === undefined ? undefined : sharedRates(rateTable(config.rates));
  let installation: Installation;
  try {
    installation = await startInstallation(config, log, {
      port: role?.port ?? config.port,
      metrics,
      tracing,
      upkeep: role?.upkeep ?? true,
      ...(shared === undefined ? {} : { rates: shared.rates }),
      ...(role?.upkeep === true && shared !== undefined
        ? { usage: { source: shared.usage, server: role.server } }
        : {}),
      ...(role === undefined ? {} : { share: role.port === undefined ? 'first' : 'join' }),
    });
  } catch (error) {
    if (error instanceof Error && plain.has(error.name)) throw new CliError(error.message);
    throw error;
  }
  const watched = startWatchdog({ log, metrics });
  const listens = { port: installation.listening.port, processes: config.workers };
  if (role !== undefined && !role.upkeep) {
    joinSupervisor(metrics, listens);
    await stopped;
    await installation.close();
  } else {
    await announce(config, installation, role);
    if (role !== undefined) joinSupervisor(metrics, listens);
    const agent = await localAgent(config, log, installation);
    if (role?.port === undefined) await warnOfDocker(config, log);
    // What took the place of one that ended says nothing new to people.
    if (role?.port === undefined) await welcome(config, clientUrl(config, installation.listening.url));
    const signal = await stopped;
    log.info({ signal }, 'stopping; containers keep running');
    await agent?.stop();
    await installation.close();
    removeServerState(config.data);
  }
  await watched();
  await tracing?.close();
  process.exit(0);
}

function configuration(): ServerConfig {
  try {
    return readConfig(process.env);
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(error.message);
    throw error;
  }
}

/** Of a process that stands alone: the second signal does not wait for anything. */
function untilSignal(): Promise<NodeJS.Signals> {
  const stopped = Promise.withResolvers<NodeJS.Signals>();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      process.on(signal, () => process.exit(1));
      stopped.resolve(signal);
    });
  }
  return stopped.promise;
}

/** Of one below a supervisor, which gets the signals of the terminal as well and says what they mean. */
function untilTold(): Promise<NodeJS.Signals> {
  const told = Promise.withResolvers<NodeJS.Signals>();
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => told.resolve('SIGTERM'));
  return told.promise;
}

/** The address for clients: the first name the installation was given, else where it listens (this machine, when that is everywhere). */
function clientUrl(config: ServerConfig, listening: string): string {
  const url = new URL(listening);
  const [named] = config.endpoints;
  if (named !== undefined) return `${url.protocol}//${named}`;
  return ['0.0.0.0', '[::]'].includes(url.hostname) ? `${url.protocol}//127.0.0.1:${url.port}` : listening;
}

/** Writes the files by which people and commands find the server; the process in them is the one that people started. */
async function announce(
  config: ServerConfig,
  { listening, administrator, identity }: Installation,
  role: ProcessRole | undefined,
): Promise<void> {
  const { region, account } = config;
  if (administrator) {
    writeCredentials(config.credentialsFile, administrator);
    await identity.confirmAdministrator(account);
  }
  writeServerState(config.data, {
    pid: role === undefined ? process.pid : process.ppid,
    endpoint: clientUrl(config, listening.url),
    region,
    account,
    credentialsFile: config.credentialsFile,
  });
}

/** Loaded only where there is an agent: of the processes of a server only one has it, and it is a quarter of all that a server loads. */
const agentRoom = () => import('../server/local-agent.ts');

/** The agent beside the server, where it is not turned off. */
async function localAgent(config: ServerConfig, log: Log, { listening, identity }: Installation) {
  if (config.agent === 'off') return undefined;
  // The default one; another is the operator's, who may have to mount it first.
  if (config.efsShare === join(config.data, 'file-systems'))
    mkdirSync(config.efsShare, { recursive: true, mode: 0o700 });
  const { startLocalAgent } = await agentRoom();
  return startLocalAgent({
    endpoint: listening.url,
    region: config.region,
    account: config.account,
    identity,
    dataDir: join(config.data, 'agent'),
    taskEndpoint: config.taskEndpoint,
    taskNetwork: config.taskNetwork,
    fargate: config.fargate,
    isolation: config.isolation,
    efsShare: config.efsShare,
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
  });
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
  print(`  npx slipway console                            # the web console, ${url}/console/, signed in`);
  print('  eval "$(npx slipway env)"                      # AWS CLI, SDKs, Terraform');
  print(`  aws ecr get-login-password | docker login --username AWS --password-stdin ${registry}`);
  print('  aws ecr create-repository --repository-name web');
  print(`  docker tag IMAGE ${registry}/web:prod && docker push ${registry}/web:prod`);
  print('  aws ecs create-service ...  then  npx slipway follow default/SERVICE   (see README.md)\n');
  if (config.agent === 'off') print('  SLIPWAY_AGENT=off: this machine runs no tasks.\n');
  else if (!(await (await agentRoom()).dockerAnswers()))
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
