import { existsSync, statSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { resolve } from 'node:path';
import { styleText } from 'node:util';
import type { Trouble } from '@slipway/auth/acme';
import { systemClock } from '@slipway/storage/clock';
import { networksThatAreRecords } from '@slipway/scheduler/network/records';
import { openStorage } from '@slipway/storage/engine';
import Docker from 'dockerode';
import { ConfigError, isLoopback, readConfig, type ServerConfig } from '../server/config.ts';
import { checkDataFolder } from '../server/data-folder.ts';
import { readCredentials, readServerState, type ServerState } from '../server/state-files.ts';
import { storageConfig } from '../server/storage-config.ts';
import { ecsClient } from './aws-client.ts';
import { logFindings, lostLines, metricFindings } from './doctor-logs.ts';
import { certificateFinding } from './doctor-tls.ts';
import { providerFindings } from './doctor-providers.ts';
import { type Finding, ok, problem, warning } from './finding.ts';
import { softLimits } from './host-limits.ts';
import { away, everyInstance } from './hosts-away.ts';
import { balancerDetails, balancers, faults } from './lb.ts';
import { parseOutput, print, printJson } from './output.ts';
import { isOwnHostOf } from './own-host.ts';

/** `slipway doctor`: looks at this machine, the stores and the running server; exit 1 when something does not work. */
export async function doctor(options: { readonly data: string; readonly output: string }): Promise<void> {
  const output = parseOutput(options.output);
  const findings: Finding[] = [];
  let config: ServerConfig | undefined;
  try {
    config = readConfig({ ...process.env, SLIPWAY_DATA: options.data });
    findings.push(ok('configuration', 'every SLIPWAY_* variable is understood'));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    findings.push(problem('configuration', error.message));
  }
  const server = readServerState(options.data);
  findings.push(
    await serverFinding(options.data, server),
    credentialsFinding(server),
    ...(await addressFindings(server)),
    ...(await hostFindings(options.data, server)),
    ...(await balancerFindings(options.data, server)),
    ...(server === undefined ? [] : await lostLines(server.endpoint)),
    ...(await diskFindings(options.data)),
  );
  if (config) findings.push(...(await providerFindings(config)), ...(await storageFindings(config, server)));
  else if (server) findings.push(...(await tlsFindings(server)));
  findings.push(await dockerFinding(server));
  if (output === 'json') printJson(findings);
  else for (const { what, state, detail } of findings) print(`${mark(state)} ${what.padEnd(14)} ${detail}`);
  if (findings.some(({ state }) => state === 'problem')) process.exitCode = 1;
}

function mark(state: Finding['state']): string {
  switch (state) {
    case 'ok':
      return styleText('green', 'ok     ');
    case 'warning':
      return styleText('yellow', 'warning');
    case 'problem':
      return styleText('red', 'problem');
  }
}

async function serverFinding(data: string, server: ServerState | undefined): Promise<Finding> {
  if (!server)
    return warning(
      'server',
      `none has run on ${resolve(data)}, or it was stopped; start it with "npm start", or name its folder with --data`,
    );
  try {
    const answer = await fetch(`${server.endpoint}/readyz`, { signal: AbortSignal.timeout(5000) });
    if (!answer.ok)
      return problem('server', `${server.endpoint} answers ${answer.status}: ${(await answer.text()).slice(0, 500)}`);
    const skew = Math.abs(Date.parse(answer.headers.get('date') ?? '') - Date.now());
    return skew > 60_000
      ? warning(
          'server',
          `${server.endpoint} serves, but its clock is ${Math.round(skew / 1000)} s off; signatures fail beyond 900 s`,
        )
      : ok('server', `${server.endpoint} serves (process ${server.pid})`);
  } catch (error) {
    return problem(
      'server',
      `${server.endpoint} does not answer (${(error as Error).message}); process ${server.pid} ${alive(server.pid) ? 'is there, see its log' : 'is gone: start it again, nothing acknowledged is lost'}`,
    );
  }
}

/** Hosts that take no tasks, or do not hold them to all that they should; said by a server that answers, to whoever may ask it. */
async function hostFindings(data: string, server: ServerState | undefined): Promise<Finding[]> {
  if (!server || !readCredentials(server.credentialsFile)) return [];
  try {
    const instances = await everyInstance(ecsClient(data));
    const soft = instances.flatMap(softLimits);
    return [...away(instances), ...soft].map((sentence) => warning('hosts', sentence));
  } catch {
    // A server that does not answer has a finding of its own.
    return [];
  }
}

/** Load balancers that are not served as they should be; said by a server that answers, to whoever may ask it. */
async function balancerFindings(data: string, server: ServerState | undefined): Promise<Finding[]> {
  if (!server || !readCredentials(server.credentialsFile)) return [];
  try {
    const findings: Finding[] = [];
    for (const { name, urls } of await balancers(data)) {
      const wrong = faults(await balancerDetails(name, data));
      findings.push(
        ...(wrong.length === 0
          ? [ok('load balancer', `${name} serves ${urls.join(', ') || 'nothing yet: it has no listener'}`)]
          : wrong.map((sentence) => problem('load balancer', `${name}: ${sentence}`))),
      );
    }
    return findings;
  } catch {
    // A server that does not answer has a finding of its own.
    return [];
  }
}

/** The addresses that clients are given: images named by one that the server does not count as its own are not pinned and roll nothing. */
async function addressFindings(server: ServerState | undefined): Promise<Finding[]> {
  if (!server) return [];
  const given = process.env['AWS_ENDPOINT_URL'];
  const hosts = [server.endpoint, ...(given !== undefined && URL.canParse(given) ? [given] : [])].map(
    (url) => new URL(url).host,
  );
  const findings = [...new Set(hosts)].map(async (host): Promise<Finding> => {
    // A server that does not answer has a finding of its own.
    const own = await isOwnHostOf(server.endpoint, host).catch(() => undefined);
    return own === false
      ? problem(
          'address',
          `the server does not count ${host} as its own: images named ${host}/… are not pinned and pushes to them roll nothing; add it to SLIPWAY_ENDPOINTS`,
        )
      : ok('address', `images are named ${host}/…`);
  });
  return Promise.all(findings);
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

function credentialsFinding(server: ServerState | undefined): Finding {
  if (!server) return warning('credentials', 'are made when the server starts for the first time');
  if (!readCredentials(server.credentialsFile))
    return warning('credentials', `${server.credentialsFile} is not there; "slipway env --recover" writes it again`);
  const mode = statSync(server.credentialsFile).mode & 0o777;
  return mode === 0o600
    ? ok('credentials', server.credentialsFile)
    : problem(
        'credentials',
        `${server.credentialsFile} has mode ${mode.toString(8)}: others may read the administrator's key; chmod 600`,
      );
}

const enough = 2 * 2 ** 30;

async function diskFindings(data: string): Promise<Finding[]> {
  const { bavail, bsize } = await statfs(data).catch(() => ({ bavail: undefined, bsize: 1 }));
  if (bavail === undefined) return [];
  const free = bavail * bsize;
  const text = `${(free / 2 ** 30).toFixed(1)} GiB free at ${resolve(data)}`;
  return [free < enough ? warning('disk', `${text}; pushes are refused when it is full`) : ok('disk', text)];
}

async function storageFindings(config: ServerConfig, server: ServerState | undefined): Promise<Finding[]> {
  // Opening embedded stores would make them; looking must not.
  if (config.records.type === 'sqlite' && !existsSync(config.data)) return [];
  try {
    await checkDataFolder(config.data);
    await using storage = {
      it: await openStorage(storageConfig(config), systemClock),
      [Symbol.asyncDispose]: (): Promise<void> => storage.it.close(),
    };
    const stores = Object.entries(await storage.it.describe()).flatMap(([part, { name, warnings }]) =>
      warnings.length === 0 ? [ok(part, name)] : warnings.map((text) => warning(part, `${name}: ${text}`)),
    );
    const { acme } = config;
    const trouble = acme && (await (await import('@slipway/auth/acme')).readTrouble(storage.it.records));
    const records = await networksThatAreRecords(storage.it.records, config.account);
    const networks =
      records === undefined
        ? []
        : [ok('network', `${records}: records, what leaves a host has the address of the host`)];
    const logs = [
      ...(await logFindings(storage.it.records, config)),
      ...(await metricFindings(storage.it.records, config)),
    ];
    return [...stores, ...networks, ...logs, ...(server === undefined ? [] : await tlsFindings(server, trouble))];
  } catch (error) {
    return [problem('storage', (error as Error).message), ...(server === undefined ? [] : await tlsFindings(server))];
  }
}

async function tlsFindings(server: ServerState, trouble?: Trouble): Promise<Finding[]> {
  const finding = await certificateFinding(server.endpoint, trouble);
  return finding === undefined ? [] : [finding];
}

async function dockerFinding(server: ServerState | undefined): Promise<Finding> {
  try {
    const docker = new Docker();
    const [{ Version }, info] = [
      await docker.version(),
      (await docker.info()) as {
        RegistryConfig?: { InsecureRegistryCIDRs?: string[]; IndexConfigs?: Record<string, { Secure?: boolean }> };
      },
    ];
    const host = server === undefined ? undefined : new URL(server.endpoint);
    if (
      host?.protocol === 'http:' &&
      !isLoopback(host.hostname) &&
      info.RegistryConfig?.IndexConfigs?.[host.host]?.Secure !== false
    ) {
      return warning(
        'docker',
        `engine ${Version} will insist on TLS for ${host.host}: add it to "insecure-registries" in /etc/docker/daemon.json, or serve with TLS`,
      );
    }
    return ok('docker', `engine ${Version}`);
  } catch (error) {
    return warning(
      'docker',
      `no engine answers (${(error as Error).message}); this machine runs no tasks until one does (DOCKER_HOST, or the default socket)`,
    );
  }
}
