import type { Registry } from '@prometheus-io/client';
import type { Clock } from '@slipway/storage/clock';
import type { Tracing } from '@slipway/storage/telemetry';
import type { AuditSink } from '../audit/index.ts';
import type { Credentials } from '../sigv4/index.ts';
import type { TokenService } from '../tokens/index.ts';
import type {
  BrowserCalls,
  DenialSink,
  FrontAuthorizer,
  Log,
  ResourceRef,
  ServiceDefinition,
  Standing,
  UpgradeService,
  WebService,
} from '../contract/index.ts';
import type { OriginOptions } from './origin.ts';
import type { Rates } from '../rates/index.ts';

export interface GatewayOptions extends OriginOptions {
  readonly services: readonly ServiceDefinition[];
  readonly web?: readonly WebService[];
  readonly upgrades?: readonly UpgradeService[];
  /** Default: browsers make no calls. */
  readonly browser?: BrowserCalls | undefined;
  readonly credentials: Credentials;
  readonly standing: Standing;
  readonly authorizer: FrontAuthorizer;
  readonly tokens: TokenService;
  /** What `/token` needs to know of a repository: its ARN, policy and tags; it may not exist yet. */
  readonly repository: (account: string, name: string) => Promise<ResourceRef>;
  readonly clock: Clock;
  /**
   * The record store's, where it has one; identities, policies and whatever routes answer from must all be in that store. Lets
   * reads that repeat themselves be answered from memory.
   */
  readonly stamp?: (() => number) | undefined;
  readonly log: Log;
  readonly audit: AuditSink;
  /** What keeps refusals for whoever is to explain them. Default: nobody is told. */
  readonly denials?: DenialSink | undefined;
  /** Where the gateway's metrics are registered; served on `/metrics`. */
  readonly metrics: Registry;
  /** Default: no traces. */
  readonly tracing?: Tracing | undefined;
  /** Addresses or CIDR ranges that may read `/metrics`. Default: this machine only. */
  readonly metricsFrom?: readonly string[];
  readonly region: string;
  /** The account that callers without one (anonymous) work on. */
  readonly account: string;
  /** How far a caller's clock may be off, in seconds. Default 900. */
  readonly maxSkewSeconds?: number;
  /**
   * What `/v2/` answers to a docker client without credentials. `bearer` (default) sends clients to `/token` first, with their login or
   * without one: clients that are asked for Basic, as by ECR, and have no login give up, also on what anybody may pull.
   */
  readonly dockerChallenge?: 'basic' | 'bearer';
  /** Whether the parts behind the gateway can work; `/readyz` answers 503 when not. Default: they can. */
  readonly ready?: () => Promise<{ readonly ok: boolean; readonly parts?: Readonly<Record<string, string>> }>;
  readonly limits?: Partial<Limits>;
  /** What counts requests and failed authentications; `LocalRates` where one process counts alone. */
  readonly rates: Rates;
}

export interface Limits {
  /** Largest body of an AWS call whose operation declares no other, bytes. Default 1 MiB. */
  readonly bodyBytes: number;
  /** Largest body of a call without a signature, bytes. Default 64 KiB. */
  readonly unsignedBytes: number;
  /** Bytes of bodies that are held in memory at once; calls beyond it are told to try again. Default 128 MiB. */
  readonly heldBytes: number;
  /** Seconds an AWS call may take before its signal aborts. Default 120. */
  readonly callSeconds: number;
  /** Open connections; a further one takes the place of the one that has been idle for longest. Default 10,000. */
  readonly connections: number;
  /** Open connections of one address, in the same way; not of trusted proxies. Default 2,000. */
  readonly connectionsPerAddress: number;
  /** Milliseconds until a request's head must be there, and until a TLS handshake must be done. Default 10,000. */
  readonly headersMs: number;
  /** Milliseconds an idle connection is kept; must be longer than a load balancer's. Default 75,000. */
  readonly keepAliveMs: number;
  /** Milliseconds of silence, in a body we wait for or an answer the client does not read, until the connection is closed. Default 60,000. */
  readonly stallMs: number;
  /** Least rate of a request body, bytes per second over `stallMs / 2`. Default 1024. */
  readonly bytesPerSecond: number;
  /** Milliseconds between looks at who has a WebSocket open: whose right to it is gone is cut off. Default 5000. */
  readonly channelCheckMs: number;
}

const MiB = 1024 * 1024;

export const defaultLimits: Limits = {
  bodyBytes: MiB,
  unsignedBytes: 64 * 1024,
  heldBytes: 128 * MiB,
  callSeconds: 120,
  connections: 10_000,
  connectionsPerAddress: 2000,
  headersMs: 10_000,
  keepAliveMs: 75_000,
  stallMs: 60_000,
  bytesPerSecond: 1024,
  channelCheckMs: 5000,
};
