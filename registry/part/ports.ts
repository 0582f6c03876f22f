import type { Authorizer, Call, Log, PolicyPrincipals } from '@slipway/auth/contract';
import type { Outbound } from '@slipway/auth/outbound';
import type { Clock } from '@slipway/storage/clock';
import type { Storage } from '@slipway/storage/engine';
import type { Tracing } from '@slipway/storage/telemetry';
import type { BlobsOfOthers, CollectReport } from '../collector/index.ts';
import type { RedirectSettings } from '../distribution/index.ts';
import type { Meter } from '../images/index.ts';
import type { ReplicationTarget } from '../replication/index.ts';
import type { Scanner } from '../scanning/index.ts';
import type { UpstreamHosts, UpstreamSecret } from '../upstreams/index.ts';

/** Counts what the registry does. */
export interface RegistryMeter extends Meter {
  collected(report: CollectReport): void;
}

/** What a registry needs from around it. Nothing that decides who may do or reach what is optional. */
export interface RegistryPorts {
  readonly storage: Pick<Storage, 'records' | 'blobs' | 'events' | 'leases' | 'lossNoticed'>;
  readonly clock: Clock;
  readonly random: (size: number) => Uint8Array;
  readonly log: Log;
  readonly tracing: Tracing | undefined;
  readonly meter: RegistryMeter;
  readonly region: string;
  /** The account whose repositories callers without an account see, and whose numbers are shown. */
  readonly account: string;
  /** The gateway's own. */
  readonly authorizer: Authorizer;
  /** Makes the token that GetAuthorizationToken answers (base64 of `AWS:<password>`) for the caller. */
  readonly issueToken: (call: Call) => Promise<{ readonly token: string; readonly expiresAt: number }>;
  /** Replaces names of users and roles in policies by their unique ids, and back. */
  readonly principals: PolicyPrincipals;
  /** The guarded client for addresses that users gave, and for those that the operator did. */
  readonly outbound: { readonly strangers: Outbound['stream']; readonly ours: Outbound['stream'] };
  /** Registries that pull-through cache rules may lead to beside the known ones, and what they are logged in to with. */
  readonly upstreams: { readonly hosts: UpstreamHosts; readonly secrets: Readonly<Record<string, UpstreamSecret>> };
  readonly replicationTargets: readonly ReplicationTarget[];
  readonly redirects: RedirectSettings;
  /** The folder for blobs on their way through a cache. */
  readonly incoming: string;
  readonly scanner: Scanner;
  /** Whether a caller is the scanner, which must be able to pull what nobody has judged yet. */
  readonly isScanner: (caller: string) => boolean;
  /** What else lies in the blob store: it is not the registry's to clear away. */
  readonly blobsOfOthers: BlobsOfOthers;
  /** Digests that tasks run or a rollback may need: lifecycle rules leave them alone. */
  readonly imagesInUse: (account: string) => Promise<ReadonlySet<string>>;
}
