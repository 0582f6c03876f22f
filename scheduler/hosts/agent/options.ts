import { randomBytes } from 'node:crypto';
import { lookup } from 'node:dns/promises';

import { type Clock, systemClock } from '@slipway/storage/clock';
import type Docker from 'dockerode';

import type { Log } from '@slipway/auth/contract';

import type { PortRange } from './host-ports.ts';
import { type ImageCleanupRule, usualImageCleanup } from './image-cleanup.ts';
import type { PullBehavior } from './images.ts';
import type { AllowedEscapes } from './policy.ts';

/** Keys that sign the agent's requests. */
export interface AgentCredentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
  /** Asked for again before this time; without it at every connection. */
  readonly expiration?: Date;
}

/** How an agent is set up. Times in milliseconds. */
export interface AgentOptions {
  /** Where the control plane is, e.g. `http://127.0.0.1:7500`. */
  readonly endpoint: string;
  readonly region: string;
  /** Name or ARN. Default `default`. */
  readonly cluster?: string;
  /**
   * Called whenever a connection or request needs to be signed; caches as it likes.
   * @param hostSecret what tells this host from others, for who gets credentials by it
   */
  readonly credentials: (hostSecret: () => string) => Promise<AgentCredentials>;
  /** The agent's own state; survives restarts. Mode 0700. */
  readonly dataDir: string;
  /** Options of dockerode. Default: `DOCKER_HOST`, or the default socket. */
  readonly docker?: Docker.DockerOptions;
  readonly log: Log;
  readonly clock?: Clock;
  /** In [0, 1), for back-off. Default Math.random. */
  readonly random?: () => number;
  readonly randomBytes?: (size: number) => Uint8Array;
  /** MiB kept for the system. Default: a sixteenth of the memory, at most 1024. */
  readonly reservedMemory?: number;
  /** Custom attributes of the container instance. */
  readonly attributes?: Readonly<Record<string, string>>;
  /** Tags of the container instance, given when it registers. */
  readonly tags?: Readonly<Record<string, string>>;
  readonly availabilityZone?: string;
  /** What tasks may have that could let them out of their containers. Default: nothing. */
  readonly allow?: AllowedEscapes;
  /** Registries (`host[:port]`, `*.example.com`, `docker.io`) that images may come from, beside the control plane's own. Default: any at a public address. */
  readonly registries?: readonly string[] | undefined;
  /** Names (`host[:port]`, in lower case) under which the control plane's registry is reached, beside the endpoint's. Default: none. */
  readonly ownRegistries?: readonly string[];
  /** How names of log addresses and registries become addresses. Default: the machine's resolver. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
  /**
   * The endpoint at 169.254.170.2, where containers get the credentials of their task role and metadata. `auto`: when the
   * agent can change the packet filter rules of the Docker engine's network namespace (root, `iptables`) and no other
   * agent of the machine serves it. Default `auto`.
   */
  readonly taskEndpoint?: 'auto' | 'off';
  /**
   * Network interfaces of their own for tasks with `awsvpc` networking. `auto`: when the agent can change links, routes and the
   * packet filter of the Docker engine's network namespace (root, `ip`, `nft`, `iptables`). Default `auto`.
   */
  readonly taskNetwork?: 'auto' | 'off';
  /** Whether tasks of Fargate come here, where they can: `auto`, they do. Default `auto`. */
  readonly fargate?: 'auto' | 'off';
  /**
   * The runtime of the Docker engine, gVisor or Kata, that runs the containers of Fargate's tasks. Without it they run as all others;
   * where it is named and cannot be used, no task of Fargate comes.
   */
  readonly isolation?: string | undefined;
  /** Whether this host may be taken back: of Fargate it then takes what may be interrupted. Default false. */
  readonly spot?: boolean;
  /** Default `default`: pull, and fall back to the image that is there. Pinned digests are never pulled twice. */
  readonly pullBehavior?: PullBehavior;
  /**
   * When images go that this agent pulled and no container or task needs. Default: looked at every 30 minutes, five at a time, those
   * that nobody asked for within an hour. Off with `prefer-cached`, as for amazon-ecs-agent.
   */
  readonly imageCleanup?: ImageCleanupRule | 'off';
  /** Address that published ports listen on. Default `0.0.0.0`. */
  readonly bindAddress?: string;
  /** Between SIGTERM and SIGKILL for containers that name no stopTimeout. Default 30,000. */
  readonly stopTimeout?: number;
  /**
   * Ports of the host for tasks that name none, both ends included. Keep what listens by itself and fixed host ports out of it.
   * Default 20,000 to 32,767: below those that Linux picks for outgoing connections.
   */
  readonly hostPorts?: PortRange;
  /** For how long nobody gets a port that a task had. Default 120,000. */
  readonly hostPortRest?: number;
  /** Processes and threads of a task at most. Default 4,096. */
  readonly taskPidsLimit?: number;
  /** How long containers of stopped tasks are kept. Default 3,600,000. */
  readonly cleanupAfter?: number;
  /** How often all containers are listed. Default 10,000. */
  readonly inspectEvery?: number;
  /** How often it is counted what tasks of Fargate write. Default 30,000. */
  readonly countStorageEvery?: number;
  /** How often health and metrics are published, milliseconds; metrics of which one rises sooner. Default 10,000. */
  readonly publishEvery?: number;
  /** A pull that makes no progress for this long has failed. Default 180,000. */
  readonly pullInactivity?: number;
}

/** {@link AgentOptions} with every default in place. */
export type ResolvedOptions = Required<
  Omit<AgentOptions, 'docker' | 'reservedMemory' | 'availabilityZone' | 'registries' | 'isolation' | 'credentials'>
> & {
  readonly credentials: () => Promise<AgentCredentials>;
} & Pick<AgentOptions, 'docker' | 'reservedMemory' | 'availabilityZone' | 'registries' | 'isolation'>;

/** Fills in defaults. @throws TypeError on an endpoint that is not an http(s) URL */
export function resolveOptions(options: AgentOptions, hostSecret: () => string): ResolvedOptions {
  const endpoint = new URL(options.endpoint);
  if (endpoint.protocol !== 'http:' && endpoint.protocol !== 'https:') {
    throw new TypeError(`endpoint must be an http or https URL, not ${options.endpoint}`);
  }
  return {
    cluster: 'default',
    clock: systemClock,
    random: Math.random,
    randomBytes,
    attributes: {},
    tags: {},
    allow: {},
    ownRegistries: [],
    resolve: async (host) => (await lookup(host, { all: true })).map(({ address }) => address),
    taskEndpoint: 'auto',
    taskNetwork: 'auto',
    fargate: 'auto',
    spot: false,
    pullBehavior: 'default',
    imageCleanup: usualImageCleanup,
    bindAddress: '0.0.0.0',
    stopTimeout: 30_000,
    hostPorts: { first: 20_000, last: 32_767 },
    hostPortRest: 120_000,
    taskPidsLimit: 4_096,
    cleanupAfter: 3_600_000,
    inspectEvery: 10_000,
    countStorageEvery: 30_000,
    publishEvery: 10_000,
    pullInactivity: 180_000,
    ...options,
    credentials: () => options.credentials(hostSecret),
    endpoint: endpoint.origin,
  };
}
