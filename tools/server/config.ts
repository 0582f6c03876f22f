import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import type { AcmeSettings } from '@slipway/auth/acme';
import type { Rate } from '@slipway/auth/rates';
import { z } from 'zod';
import { type OidcConfig, oidcConfig, oidcProblems, oidcShape } from './oidc-config.ts';
import { acmeProblems, acmeSettings, acmeShape } from './acme-config.ts';
import { type InstanceProviderConfig, instanceProviderProblems, instanceProvidersShape } from './provider-config.ts';

/** Everything `slipway serve` can be told, from `SLIPWAY_*` variables; see the table in settings.md. */
export interface ServerConfig {
  readonly host: string;
  readonly port: number;
  /** Absolute path of the data folder. */
  readonly data: string;
  readonly account: string;
  readonly region: string;
  /** File of the key that encrypts secrets at rest; made when absent. Several servers on one store share it. */
  readonly keyFile: string;
  /** Where the administrator's key is written at the first start. */
  readonly credentialsFile: string;
  /** Further `host[:port]` names under which clients and image references reach this installation. */
  readonly endpoints: readonly string[];
  readonly records: { readonly type: 'sqlite' } | { readonly type: 'redis'; readonly url: string };
  readonly blobs:
    | { readonly type: 'filesystem' }
    | {
        readonly type: 's3';
        readonly endpoint: string;
        readonly bucket: string;
        readonly region: string;
        readonly accessKeyId: string;
        readonly secretAccessKey: string;
        /** How clients reach the store, where that is another address. */
        readonly publicEndpoint?: string;
      };
  /** Where clients reach this installation, behind a proxy that changes the address; without a path. */
  readonly publicUrl: string | undefined;
  /** Addresses and CIDR ranges of proxies whose `X-Forwarded-For` and `-Proto` count. */
  readonly trustedProxies: readonly string[];
  /** Addresses and CIDR ranges that may read `/metrics`; undefined: this machine. */
  readonly metricsFrom: readonly string[] | undefined;
  /** Whether pulls of blobs leave by URLs of the S3 store, and which User-Agents never do. */
  readonly redirects: { readonly byDefault: boolean; readonly exceptAgents: readonly string[] };
  /** What docker clients without a login are asked for; `basic` shuts those out that have none. */
  readonly dockerChallenge: 'bearer' | 'basic';
  /** `auto`: run an agent when a Docker engine answers. */
  readonly agent: 'auto' | 'off';
  /** Whether that agent serves task roles and metadata to containers where it can. */
  readonly taskEndpoint: 'auto' | 'off';
  readonly taskNetwork: 'auto' | 'off';
  /** Whether that agent's host takes tasks of Fargate where it can. */
  readonly fargate: 'auto' | 'off';
  /** The Docker engine's runtime that isolates those there; undefined: none. */
  readonly isolation: string | undefined;
  /** The folder that file systems of EFS lie in on this machine; undefined: no task of this machine has one. */
  readonly efsShare: string | undefined;
  /** Whether the share that file systems of EFS lie on is on encrypted disks, as its operator says. */
  readonly efsEncrypted: boolean;
  /** Processes that answer requests on the one port. Default: as many as there are cores. */
  readonly workers: number;
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace';
  /** Seconds after RUNNING at which a task that nothing checks counts as healthy. ECS: 40. */
  readonly healthyAfterSeconds: number;
  /** Seconds after which a host whose agent stays away is deregistered by itself; undefined: never. */
  readonly lostHostDeregisterAfterSeconds: number | undefined;
  /** Bytes on disk that logs may take; undefined: what `logsLimit` makes of the disk. */
  readonly logsMaxBytes: number | undefined;
  /** The same of metrics: `metricsLimit`. */
  readonly metricsMaxBytes: number | undefined;
  readonly tls: { readonly certificate: string; readonly key: string } | undefined;
  /** Certificates from an authority; never together with `tls`. */
  readonly acme: AcmeSettings | undefined;
  /** Where people sign in to the console by OpenID Connect; undefined: nowhere. */
  readonly oidc: OidcConfig | undefined;
  /** Who scans images. */
  readonly scanner:
    | { readonly type: 'embedded' }
    | { readonly type: 'adapter'; readonly url: string }
    | { readonly type: 'command'; readonly command: readonly string[] };
  /** Modules of placement plug-ins, as `import` names them. */
  readonly placementPlugins: readonly string[];
  /** What makes the machines of Auto Scaling groups, each by its name; the first is the usual one. */
  readonly instanceProviders: readonly InstanceProviderConfig[];
  /** CIDR ranges of private addresses that webhooks, OIDC providers, scanners and upstreams may be in. Default: none. */
  readonly outboundAllow: readonly string[];
  /** CIDR ranges of private addresses that log drivers of tasks may send to; engines dial them from their hosts. Default: none. */
  readonly taskLogAllow: readonly string[];
  /** CIDR ranges of private addresses that registries of tasks' images may be at, beside this one. Default: none. */
  readonly taskRegistryAllow: readonly string[];
  /** Registries that tasks may pull from beside this one: `host[:port]`, `*.example.com`, `docker.io`. Default: any at a public address. */
  readonly taskRegistries: readonly string[] | undefined;
  /** File with the other registries this installation may reach, secrets included. */
  readonly remotesFile: string | undefined;
  /** What carries the traffic of load balancers, the addresses that they listen on, and where their names end. */
  readonly loadBalancing: {
    readonly engine: 'auto' | 'haproxy' | 'embedded' | 'off';
    readonly addresses: readonly string[];
    readonly domain: string;
  };
  /** Requests answered for one principal (one address, without credentials) and altogether, by all processes. Default: no limit. */
  readonly rates: { readonly perPrincipal: Rate | undefined; readonly global: Rate | undefined };
  /** Listening beyond loopback without TLS must be asked for. */
  readonly allowPlainHttp: boolean;
}

/** The configuration is not usable; the message lists every problem with the variable's name. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const host = z.string().regex(/^[A-Za-z0-9._:-]+$/, 'must be a host name or address');

/** Comma-separated names. */
const list = z
  .string()
  .default('')
  .transform((text) =>
    text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  );

const ranges = list.pipe(z.array(z.union([z.cidrv4(), z.cidrv6()], 'must be CIDR ranges, comma-separated')));

const addresses = list.pipe(
  z.array(z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], 'must be addresses or CIDR ranges, comma-separated')),
);

/** Where load balancers listen: addresses of this machine, 127.0.0.0/8 on a machine that nobody else reaches. */
const balancerAddresses = z
  .string()
  .default('127.42.0.0/16')
  .transform((text) =>
    text
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
  )
  .pipe(z.array(z.union([z.ipv4(), z.cidrv4()], 'must be IPv4 addresses or CIDR ranges, comma-separated')));

const secondsOf = { s: 1, m: 60, h: 3_600, d: 86_400 } as const;

/** `off`, or a time such as `30m`, `12h` or `7d`: longer than the five minutes after which tasks of lost hosts are replaced. */
const lostHostAge = z
  .string()
  .regex(/^(off|\d{1,9}[smhd]?)$/, 'must be off, or a time such as 30m, 12h or 7d')
  .default('off')
  .transform((text) => {
    if (text === 'off') return undefined;
    const unit = secondsOf[text.at(-1) as keyof typeof secondsOf] ?? 1;
    return Number.parseInt(text, 10) * unit;
  })
  .refine(
    (seconds) => seconds === undefined || (seconds >= 300 && seconds <= 365 * secondsOf.d),
    'must be between 5m, when what ran on a lost host is replaced, and 365d; off keeps such hosts until somebody deregisters them',
  );

const unitsOf = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const;

/** Bytes, such as `500MiB` or `20GiB`. */
const amount = z
  .string()
  .regex(/^\d{1,6}(KiB|MiB|GiB|TiB)$/, 'must be an amount with its unit, such as 500MiB or 20GiB')
  .transform((text) => Number.parseInt(text, 10) * unitsOf[text.slice(-3) as keyof typeof unitsOf])
  .refine((bytes) => bytes >= 64 * 2 ** 20, 'must be at least 64MiB: below it events go before they can be read');

/** `100` requests a second with as many at once, or `100/200` with 200 at once. */
const rate = z
  .string()
  .regex(
    /^\d{1,9}(\.\d{1,3})?(\/\d{1,9})?$/,
    'must be requests per second, such as 100, or with a burst, such as 100/200',
  )
  .transform((text): Rate => {
    const [perSecond = 0, burst] = text.split('/').map(Number);
    return { perSecond, burst: burst ?? Math.max(1, Math.ceil(perSecond)) };
  })
  .refine(({ perSecond, burst }) => perSecond > 0 && burst > 0, 'must be above 0; leave it unset for no limit')
  .optional();

const schema = z.object({
  SLIPWAY_HOST: host.default('127.0.0.1'),
  SLIPWAY_PORT: z.coerce.number().int().min(0).max(65_535).default(7500),
  SLIPWAY_DATA: z.string().min(1).default('data'),
  SLIPWAY_ACCOUNT: z
    .string()
    .regex(/^\d{12}$/, 'must be 12 digits')
    .default('000000000000'),
  SLIPWAY_REGION: z
    .string()
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'must look like us-east-1')
    .default('us-east-1'),
  SLIPWAY_KEY_FILE: z.string().min(1).optional(),
  SLIPWAY_CREDENTIALS_FILE: z.string().min(1).optional(),
  SLIPWAY_ENDPOINTS: list.pipe(z.array(host)),
  SLIPWAY_PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .refine(
      (url) => /^https?:\/\/[^/?#@]+\/?$/.test(url),
      'must be scheme and host, such as https://registry.example.com',
    )
    .optional(),
  SLIPWAY_TRUSTED_PROXIES: addresses,
  SLIPWAY_METRICS_FROM: addresses,
  SLIPWAY_RECORDS: z
    .string()
    .regex(/^(sqlite|rediss?:\/\/.+)$/, 'must be "sqlite" or a redis:// URL')
    .default('sqlite'),
  SLIPWAY_BLOBS: z
    .string()
    .regex(/^(filesystem|s3)$/, 'must be "filesystem" or "s3"')
    .default('filesystem'),
  SLIPWAY_S3_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  SLIPWAY_S3_PUBLIC_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  SLIPWAY_DOCKER_CHALLENGE: z.enum(['bearer', 'basic']).default('bearer'),
  SLIPWAY_REDIRECTS: z.enum(['on', 'off']).default('on'),
  SLIPWAY_REDIRECTS_EXCEPT: list,
  SLIPWAY_S3_BUCKET: z.string().min(3).max(63).optional(),
  SLIPWAY_S3_REGION: z.string().min(1).default('us-east-1'),
  SLIPWAY_S3_ACCESS_KEY_ID: z.string().min(1).optional(),
  SLIPWAY_S3_SECRET_ACCESS_KEY: z.string().min(1).optional(),
  SLIPWAY_AGENT: z.enum(['auto', 'off']).default('auto'),
  SLIPWAY_TASK_ENDPOINT: z.enum(['auto', 'off']).default('auto'),
  SLIPWAY_TASK_NETWORK: z.enum(['auto', 'off']).default('auto'),
  SLIPWAY_FARGATE: z.enum(['auto', 'off']).default('auto'),
  SLIPWAY_ISOLATION: z
    .string()
    .regex(/^[\w.-]{1,64}$/, 'must be the name of a runtime of the Docker engine')
    .optional(),
  SLIPWAY_EFS_SHARE: z
    .string()
    .regex(/^(?:off|\/.*)$/, 'must be an absolute path, or off')
    .optional(),
  SLIPWAY_EFS_ENCRYPTED: z.enum(['on', 'off']).default('off'),
  SLIPWAY_WORKERS: z.coerce.number().int().min(1).max(256).optional(),
  SLIPWAY_LOG: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace']).default('info'),
  SLIPWAY_HEALTHY_AFTER_SECONDS: z.coerce.number().min(0).max(3600).default(40),
  SLIPWAY_LOST_HOST_DEREGISTER_AFTER: lostHostAge,
  SLIPWAY_LOGS_MAX: amount.optional(),
  SLIPWAY_METRICS_MAX: amount.optional(),
  SLIPWAY_TLS_CERTIFICATE: z.string().min(1).optional(),
  SLIPWAY_TLS_KEY: z.string().min(1).optional(),
  ...acmeShape,
  ...oidcShape,
  SLIPWAY_SCANNER: z
    .string()
    .regex(
      /^(embedded|https?:\/\/\S+|command:\s*\S.*)$/,
      'must be "embedded", the URL of a scanner adapter, or "command: PROGRAM ARGUMENTS"',
    )
    .default('embedded'),
  SLIPWAY_PLACEMENT_PLUGINS: list,
  SLIPWAY_INSTANCE_PROVIDERS: list.pipe(instanceProvidersShape),
  SLIPWAY_OUTBOUND_ALLOW: ranges,
  SLIPWAY_TASK_LOG_ALLOW: ranges,
  SLIPWAY_TASK_REGISTRY_ALLOW: ranges,
  SLIPWAY_TASK_REGISTRIES: list.pipe(
    z.array(
      z
        .string()
        .regex(/^(?:\*\.)?[A-Za-z0-9][A-Za-z0-9.-]*(?::\d{1,5})?$/, 'must be host[:port] or *.domain, comma-separated'),
    ),
  ),
  SLIPWAY_REMOTES_FILE: z.string().min(1).optional(),
  SLIPWAY_LB_ENGINE: z.enum(['auto', 'haproxy', 'embedded', 'off']).default('auto'),
  SLIPWAY_LB_ADDRESSES: balancerAddresses,
  SLIPWAY_LB_DOMAIN: z
    .string()
    .regex(/^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/, 'must be a domain name')
    .max(200)
    .default('elb.localhost'),
  SLIPWAY_RATE_PER_PRINCIPAL: rate,
  SLIPWAY_RATE_GLOBAL: rate,
  SLIPWAY_ALLOW_PLAIN_HTTP: z.enum(['true', 'false']).default('false'),
});

/** The names of all settings. */
export const settings: readonly string[] = Object.keys(schema.shape);

/**
 * Reads the configuration from the environment; unknown `SLIPWAY_*` names are refused, since they are misspellings.
 * @throws ConfigError with all problems at once
 */
export function readConfig(env: NodeJS.ProcessEnv): ServerConfig {
  const problems: string[] = [];
  const known = new Set([...settings, ...clientVariables]);
  for (const name of Object.keys(env)) {
    if (name.startsWith('SLIPWAY_') && !known.has(name) && !name.startsWith('SLIPWAY_TEST_')) {
      problems.push(`${name}: no such setting`);
    }
  }
  const given = withoutEmpty(env);
  const parsed = schema.safeParse(given);
  if (!parsed.success) {
    for (const issue of parsed.error.issues) problems.push(`${issue.path.join('.')}: ${issue.message}`);
  }
  if (parsed.data?.SLIPWAY_BLOBS === 's3') {
    for (const name of s3Required)
      if (parsed.data[name] === undefined) problems.push(`${name}: is needed with SLIPWAY_BLOBS=s3`);
  }
  if ((parsed.data?.SLIPWAY_TLS_CERTIFICATE === undefined) !== (parsed.data?.SLIPWAY_TLS_KEY === undefined)) {
    problems.push('SLIPWAY_TLS_CERTIFICATE and SLIPWAY_TLS_KEY: set both or neither');
  }
  if (parsed.success)
    problems.push(
      ...acmeProblems(parsed.data, new Set(Object.keys(given))),
      ...oidcProblems(parsed.data, new Set(Object.keys(given))),
      ...instanceProviderProblems(parsed.data.SLIPWAY_INSTANCE_PROVIDERS, parsed.data.SLIPWAY_RECORDS),
    );
  if (problems.length > 0 || !parsed.success) throw new ConfigError(`bad configuration\n  ${problems.join('\n  ')}`);
  return Object.freeze(toConfig(parsed.data));
}

/** Variables that Slipway sets for its own processes. */
const clientVariables = ['SLIPWAY_PROCESS'];
const s3Required = [
  'SLIPWAY_S3_ENDPOINT',
  'SLIPWAY_S3_BUCKET',
  'SLIPWAY_S3_ACCESS_KEY_ID',
  'SLIPWAY_S3_SECRET_ACCESS_KEY',
] as const;

function withoutEmpty(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
}

function toConfig(env: z.output<typeof schema>): ServerConfig {
  return {
    host: env.SLIPWAY_HOST,
    port: env.SLIPWAY_PORT,
    data: resolve(env.SLIPWAY_DATA),
    account: env.SLIPWAY_ACCOUNT,
    region: env.SLIPWAY_REGION,
    keyFile: resolve(env.SLIPWAY_KEY_FILE ?? join(env.SLIPWAY_DATA, 'keys', 'master.key')),
    credentialsFile: resolve(env.SLIPWAY_CREDENTIALS_FILE ?? join(env.SLIPWAY_DATA, 'credentials')),
    endpoints: endpointsOf(env),
    publicUrl: env.SLIPWAY_PUBLIC_URL?.replace(/\/$/, ''),
    trustedProxies: env.SLIPWAY_TRUSTED_PROXIES,
    metricsFrom: env.SLIPWAY_METRICS_FROM.length === 0 ? undefined : env.SLIPWAY_METRICS_FROM,
    records: env.SLIPWAY_RECORDS === 'sqlite' ? { type: 'sqlite' } : { type: 'redis', url: env.SLIPWAY_RECORDS },
    blobs:
      env.SLIPWAY_BLOBS === 'filesystem'
        ? { type: 'filesystem' }
        : {
            type: 's3',
            endpoint: env.SLIPWAY_S3_ENDPOINT ?? '',
            bucket: env.SLIPWAY_S3_BUCKET ?? '',
            region: env.SLIPWAY_S3_REGION,
            accessKeyId: env.SLIPWAY_S3_ACCESS_KEY_ID ?? '',
            secretAccessKey: env.SLIPWAY_S3_SECRET_ACCESS_KEY ?? '',
            ...(env.SLIPWAY_S3_PUBLIC_ENDPOINT === undefined ? {} : { publicEndpoint: env.SLIPWAY_S3_PUBLIC_ENDPOINT }),
          },
    redirects: { byDefault: env.SLIPWAY_REDIRECTS === 'on', exceptAgents: env.SLIPWAY_REDIRECTS_EXCEPT },
    dockerChallenge: env.SLIPWAY_DOCKER_CHALLENGE,
    agent: env.SLIPWAY_AGENT,
    taskEndpoint: env.SLIPWAY_TASK_ENDPOINT,
    taskNetwork: env.SLIPWAY_TASK_NETWORK,
    fargate: env.SLIPWAY_FARGATE,
    isolation: env.SLIPWAY_ISOLATION,
    efsShare:
      env.SLIPWAY_EFS_SHARE === 'off'
        ? undefined
        : resolve(env.SLIPWAY_EFS_SHARE ?? join(env.SLIPWAY_DATA, 'file-systems')),
    efsEncrypted: env.SLIPWAY_EFS_ENCRYPTED === 'on',
    workers: env.SLIPWAY_WORKERS ?? availableParallelism(),
    logLevel: env.SLIPWAY_LOG,
    healthyAfterSeconds: env.SLIPWAY_HEALTHY_AFTER_SECONDS,
    lostHostDeregisterAfterSeconds: env.SLIPWAY_LOST_HOST_DEREGISTER_AFTER,
    logsMaxBytes: env.SLIPWAY_LOGS_MAX,
    metricsMaxBytes: env.SLIPWAY_METRICS_MAX,
    tls:
      env.SLIPWAY_TLS_CERTIFICATE !== undefined && env.SLIPWAY_TLS_KEY !== undefined
        ? { certificate: env.SLIPWAY_TLS_CERTIFICATE, key: env.SLIPWAY_TLS_KEY }
        : undefined,
    acme: acmeSettings(env),
    oidc: oidcConfig(env),
    scanner: scannerOf(env.SLIPWAY_SCANNER),
    placementPlugins: env.SLIPWAY_PLACEMENT_PLUGINS,
    instanceProviders: env.SLIPWAY_INSTANCE_PROVIDERS,
    outboundAllow: env.SLIPWAY_OUTBOUND_ALLOW,
    taskLogAllow: env.SLIPWAY_TASK_LOG_ALLOW,
    taskRegistryAllow: env.SLIPWAY_TASK_REGISTRY_ALLOW,
    taskRegistries: env.SLIPWAY_TASK_REGISTRIES.length === 0 ? undefined : env.SLIPWAY_TASK_REGISTRIES,
    remotesFile: env.SLIPWAY_REMOTES_FILE === undefined ? undefined : resolve(env.SLIPWAY_REMOTES_FILE),
    loadBalancing: {
      engine: env.SLIPWAY_LB_ENGINE,
      addresses: env.SLIPWAY_LB_ADDRESSES,
      domain: env.SLIPWAY_LB_DOMAIN,
    },
    rates: { perPrincipal: env.SLIPWAY_RATE_PER_PRINCIPAL, global: env.SLIPWAY_RATE_GLOBAL },
    allowPlainHttp: env.SLIPWAY_ALLOW_PLAIN_HTTP === 'true',
  };
}

/** The names under which clients find this installation. */
function endpointsOf(env: z.output<typeof schema>): readonly string[] {
  const { SLIPWAY_ENDPOINTS: given, SLIPWAY_PUBLIC_URL: url } = env;
  const named = given.length > 0 ? given : certified(env);
  return url === undefined ? named : [...new Set([...named, new URL(url).host])];
}

/** Where clients find the names that a certificate is ordered for. */
function certified({ SLIPWAY_ACME_DOMAINS: names, SLIPWAY_PORT: port }: z.output<typeof schema>): readonly string[] {
  const bracketed = names.map((name) => (name.includes(':') ? `[${name}]` : name));
  return port === 443 ? bracketed : bracketed.map((name) => `${name}:${port}`);
}

function scannerOf(text: string): ServerConfig['scanner'] {
  if (text === 'embedded') return { type: 'embedded' };
  if (text.startsWith('command:'))
    return { type: 'command', command: text.slice('command:'.length).trim().split(/\s+/) };
  return { type: 'adapter', url: text };
}

/** Whether an address only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}
