import type { AccessRequest, Call } from '@slipway/auth/contract';

import type { Delegate } from '../../state/index.ts';

/** What rotations are carried out by, which lies in a room above: webhooks and tasks. */
export interface RotationTargets {
  /** What naming a target needs beside the secret's own word. */
  access(call: Call, target: string, cluster: string): Promise<readonly AccessRequest[]>;
  /** Who a target is run for. @throws AwsError for what cannot be one */
  check(call: Call, target: string): Promise<Delegate>;
}

/** The tag that names the cluster in which the tasks of a rotation run; without it, it is `default`. */
export const clusterTag = 'slipway:rotation-cluster';
