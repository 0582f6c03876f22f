import { AwsError, ecr, ecs, iam, inGroups, request, send } from './aws.ts';
import { lastOf } from './format.ts';
import { type Health, nameOfHost } from './health.ts';
import { own } from './own-routes.ts';
import { clustersOf, hostsOf } from './overview-data.ts';
import type { Host } from './types.ts';

/** A part of the page: what there is, or why it is not shown. */
export type Part<T> =
  | { readonly found: T; readonly error?: never }
  | { readonly error: AwsError; readonly found?: never };

export interface Certificate {
  readonly name: string;
  readonly from: 'ACM' | 'IAM';
  readonly status: string;
  /** Seconds since the epoch; undefined before it is issued. */
  readonly notAfter: number | undefined;
}

export interface Engine {
  readonly id: string;
  readonly kind: string;
  readonly state: string;
  readonly seenAt: string;
  readonly reason?: string;
}

export interface Agent {
  readonly host: string;
  readonly cluster: string;
  readonly agent: string;
  readonly docker: string;
  readonly isConnected: boolean;
  /** Another host of the installation has a newer one. */
  readonly isBehind: boolean;
}

export interface Scanning {
  readonly type: string;
  readonly rules: readonly string[];
}

export interface Installation {
  readonly server: Part<ReadonlyMap<string, string>>;
  readonly agents: Part<readonly Agent[]>;
  readonly engines: Part<readonly Engine[]>;
  readonly certificates: Part<readonly Certificate[]>;
  readonly scanning: Part<Scanning>;
  readonly settings: Part<readonly (readonly [string, string])[]>;
}

/** Load balancers whose engines are asked for: engines serve all of them, and a new one lacks none for long. */
const mostBalancers = 5;
/** Without them, ACM lists those with the shorter keys of RSA alone. */
const keyTypes = ['RSA_1024', 'RSA_2048', 'RSA_3072', 'RSA_4096', 'EC_prime256v1', 'EC_secp384r1', 'EC_secp521r1'];
/** Certificates that are shown. */
const mostCertificates = 1000;

/** How the installation stands, as far as the caller may see it; each part by itself. */
export async function readInstallation(signal: AbortSignal): Promise<Installation> {
  const part = async <T>(work: Promise<T>): Promise<Part<T>> => {
    try {
      return { found: await work };
    } catch (error) {
      if (!(error instanceof AwsError)) throw error;
      return { error };
    }
  };
  const [server, agents, engines, certificates, scanning, settings] = await Promise.all([
    part(readServer(signal)),
    part(readAgents(signal)),
    part(readEngines(signal)),
    part(readCertificates(signal)),
    part(readScanning(signal)),
    part(readSettings(signal)),
  ]);
  // Where nothing answers, the page says that once, and goes on showing what it knew.
  if (server.error?.code === 'NoAnswer' && agents.error?.code === 'NoAnswer') throw server.error;
  return { server, agents, engines, certificates, scanning, settings };
}

/** What load balancers in front of this server are told of it. */
async function readServer(signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
  const said = (await request('GET /readyz', '/readyz', { method: 'GET', unready: true }, { signal })) as {
    readonly status?: string;
    readonly parts?: Readonly<Record<string, string>>;
  };
  return new Map([['server', said.status ?? 'unknown'], ...Object.entries(said.parts ?? {})]);
}

async function readAgents(signal: AbortSignal): Promise<readonly Agent[]> {
  const clusters = await clustersOf(signal);
  const hosts = await inGroups([...clusters], 1, async ([cluster = '']) => hostsOf(cluster, signal));
  return agentsOf(hosts);
}

/** The agents of hosts. Each kind has versions of its own: a host is behind another one of its major version only. */
export function agentsOf(hosts: readonly Host[]): readonly Agent[] {
  const versionOf = ({ versionInfo }: Host): string => versionInfo?.agentVersion ?? '';
  const newest = new Map<string, string>();
  for (const version of hosts.map(versionOf)) {
    const major = version.split('.', 1)[0] ?? '';
    if (compareVersions(version, newest.get(major) ?? '') > 0) newest.set(major, version);
  }
  return hosts.map((host) => {
    const agent = versionOf(host);
    return {
      host: nameOfHost(host),
      cluster: host.containerInstanceArn?.split('/').at(-2) ?? '',
      agent,
      docker: host.versionInfo?.dockerVersion?.replace(/^DockerVersion: /, '') ?? '',
      isConnected: host.agentConnected !== false,
      isBehind: compareVersions(agent, newest.get(agent.split('.', 1)[0] ?? '') ?? '') < 0,
    };
  });
}

/** Which of two versions is newer, number by number: negative where the first is older. */
export function compareVersions(one: string, other: string): number {
  const parts = (text: string): readonly number[] => text.split(/[.-]/).map((part) => Number.parseInt(part, 10) || 0);
  const [a, b] = [parts(one), parts(other)];
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const difference = (a[i] ?? 0) - (b[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

async function readEngines(signal: AbortSignal): Promise<readonly Engine[]> {
  const path = '/slipway/load-balancers/';
  const { loadBalancers = [] } = (await own(
    { name: 'the list of load balancers', method: 'GET', path },
    { signal },
  )) as {
    readonly loadBalancers?: readonly { readonly name: string }[];
  };
  const found = await inGroups(loadBalancers.slice(0, mostBalancers), 1, async ([balancer]) => {
    const name = balancer?.name ?? '';
    const said = await own({ name: `the load balancer ${name}`, method: 'GET', path: `${path}${name}` }, { signal });
    return (said as { readonly engines?: readonly Engine[] }).engines ?? [];
  });
  // The worst that one of them does: it may serve one load balancer and be behind with another.
  const worst = ['refuses', 'silent', 'behind', 'current'];
  const byId = new Map<string, Engine>();
  for (const engine of found) {
    const before = byId.get(engine.id);
    if (before === undefined || worst.indexOf(engine.state) < worst.indexOf(before.state)) byId.set(engine.id, engine);
  }
  return [...byId.values()].toSorted((a, b) => a.id.localeCompare(b.id));
}

async function readCertificates(signal: AbortSignal): Promise<readonly Certificate[]> {
  const issued: Certificate[] = [];
  let NextToken: string | undefined;
  do {
    const page = (await send(
      'CertificateManager.ListCertificates',
      { MaxItems: 1000, NextToken, Includes: { keyTypes } },
      { signal },
    )) as {
      readonly NextToken?: string;
      readonly CertificateSummaryList?: readonly {
        readonly DomainName?: string;
        readonly Status?: string;
        readonly NotAfter?: number;
      }[];
    };
    for (const { DomainName = '', Status = '', NotAfter } of page.CertificateSummaryList ?? [])
      issued.push({ name: DomainName, from: 'ACM', status: Status, notAfter: NotAfter });
    NextToken = page.NextToken;
  } while (NextToken !== undefined && issued.length < mostCertificates);
  const { ServerCertificateMetadataList = [] } = await iam('ListServerCertificates', { MaxItems: 1000 }, { signal });
  const uploaded = ServerCertificateMetadataList.map(({ ServerCertificateName = '', Expiration }): Certificate => ({
    name: ServerCertificateName,
    from: 'IAM',
    status: 'ISSUED',
    notAfter: Expiration,
  }));
  return [...issued, ...uploaded].toSorted((a, b) => (a.notAfter ?? Infinity) - (b.notAfter ?? Infinity));
}

async function readScanning(signal: AbortSignal): Promise<Scanning> {
  const { scanningConfiguration } = await ecr('GetRegistryScanningConfiguration', {}, { signal });
  const rules = (scanningConfiguration?.rules ?? []).map(
    ({ scanFrequency = '', repositoryFilters = [] }) =>
      `${scanFrequency.toLowerCase().replaceAll('_', ' ')}: ${repositoryFilters.map(({ filter = '' }) => filter).join(', ')}`,
  );
  return { type: scanningConfiguration?.scanType ?? '', rules };
}

async function readSettings(signal: AbortSignal): Promise<readonly (readonly [string, string])[]> {
  const { settings = [] } = await ecs('ListAccountSettings', { effectiveSettings: true }, { signal });
  return settings.map(({ name = '', value = '' }) => [name, value] as const).toSorted(([a], [b]) => a.localeCompare(b));
}

/** Seconds before its end from which a certificate needs somebody who looks; then it should have been renewed. */
const [soon, verySoon] = [30 * 86_400, 7 * 86_400] as const;

/** How a certificate stands. @param now seconds since the epoch */
export function healthOfCertificate({ status, notAfter }: Certificate, now: number): Health {
  if (status !== 'ISSUED' || notAfter === undefined)
    return {
      level: status === 'PENDING_VALIDATION' ? 'busy' : 'bad',
      word: lastOf(status).toLowerCase().replaceAll('_', ' '),
    };
  const left = notAfter - now;
  if (left <= 0) return { level: 'bad', word: 'run out' };
  if (left < verySoon) return { level: 'bad', word: 'runs out in days' };
  return left < soon ? { level: 'warn', word: 'runs out soon' } : { level: 'good', word: 'good' };
}

export const healthOfAgent = ({ isConnected, isBehind }: Agent): Health =>
  !isConnected
    ? { level: 'bad', word: 'Not connected' }
    : isBehind
      ? { level: 'warn', word: 'Behind other hosts' }
      : { level: 'good', word: 'Up to date' };

const engineHealths: Readonly<Record<string, Health>> = {
  current: { level: 'good', word: 'Current' },
  behind: { level: 'busy', word: 'Behind' },
  refuses: { level: 'bad', word: 'Refuses what it is told' },
  silent: { level: 'bad', word: 'Not heard of' },
};
export const healthOfEngine = ({ state }: Engine): Health => engineHealths[state] ?? { level: 'idle', word: state };

export const healthOfPart = (said: string): Health =>
  said === 'ok' ? { level: 'good', word: 'Well' } : { level: 'bad', word: said };
