import type { Clock } from '@slipway/storage/clock';
import type { RecordStore } from '@slipway/storage/records';

import type { TaskReach } from '../reach/index.ts';
import type { RandomBytes } from '../state/index.ts';

/** What the domain functions of the ECS rooms work with. */
export interface EcsPorts {
  readonly records: RecordStore;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** The region in every ARN of this installation. */
  readonly region: string;
  /** What container engines may be told to connect to for tasks. */
  readonly reach: TaskReach;
  /** Placement strategies and constraints beyond ECS's own. Default: those that come with the placement core. */
  readonly extensions?: { readonly strategies: ReadonlySet<string>; readonly constraints: ReadonlySet<string> };
}

/** Names one cluster. */
export interface ClusterRef {
  readonly account: string;
  readonly cluster: string;
}
