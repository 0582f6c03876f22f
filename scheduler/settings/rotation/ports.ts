import type { Authorizer, Log } from '@slipway/auth/contract';
import type { Outbound } from '@slipway/auth/outbound';
import type { Sealer } from '@slipway/auth/tokens';
import type { Leases } from '@slipway/storage/leases';

import type { EcsPorts } from '../../cluster/index.ts';
import type { TaskPlacer } from '../../tasks/index.ts';
import type { Secrets } from '../secrets/index.ts';

/** What secrets are rotated with. */
export interface RotationPorts extends EcsPorts {
  readonly secrets: Secrets;
  readonly leases: Leases;
  readonly log: Log;
  /** The guarded client: addresses are the users'. */
  readonly outbound: Pick<Outbound, 'fetch'>;
  /** Keeps what calls are signed with. */
  readonly sealer: Sealer;
  /** Tells whether whoever named a task may still run it. */
  readonly authorizer: Authorizer;
  readonly placer: TaskPlacer;
}
