import type { Authorizer, Log, Principal } from '@slipway/auth/contract';
import type { Outbound } from '@slipway/auth/outbound';
import type { Sealer } from '@slipway/auth/tokens';

import type { EcsPorts } from '../cluster/index.ts';
import type { ControlMeter } from '../control/index.ts';
import type { TaskPlacer } from '../tasks/index.ts';

/** What hooks are asked with. */
export interface HookPorts extends EcsPorts {
  readonly log: Log;
  /** The guarded client: addresses are the users'. */
  readonly outbound: Pick<Outbound, 'fetch'>;
  /** Keeps the secrets that calls are signed with. */
  readonly sealer: Sealer;
  /** Tells whether a role may run a command task. */
  readonly authorizer: Authorizer;
  /**
   * Takes on the role of a hook, as ECS does (`ecs.amazonaws.com` in its trust policy).
   * @throws AwsError when there is no such role, or it does not let ECS in
   */
  readonly takeRole: (request: {
    readonly roleArn: string;
    readonly sessionName: string;
    readonly sourceArn: string;
  }) => Promise<Principal>;
  readonly placer: TaskPlacer;
  readonly meter: Pick<ControlMeter, 'hooked'>;
}
