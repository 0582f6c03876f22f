import type { ContainerDefinition } from '@aws-sdk/client-ecs';
import { AddressRule } from '@slipway/auth/outbound';

import { type LogRule, refuseLogOptions } from './log-options.ts';
import { RegistryRule } from './registries.ts';

/** What container engines may be told to connect to for tasks. They dial from the host, where more can be reached than from a task. */
export interface TaskReach {
  /** Addresses that log drivers may send to. */
  readonly logs: LogRule;
  /** Registries that images may come from. */
  readonly registries: RegistryRule;
  /** Whether a registry is this installation's own, under a name it knows. */
  readonly ownHost: (host: string) => boolean;
}

/** What a server's settings open. */
export function serverReach(settings: {
  /** CIDR ranges of private addresses that log drivers may send to. */
  readonly logAllow?: readonly string[];
  /** CIDR ranges of private addresses that registries may be at. */
  readonly registryAllow?: readonly string[];
  /** The only registries beside this installation's, wherever they are. Undefined: any. */
  readonly registries?: readonly string[] | undefined;
  readonly ownHost?: (host: string) => boolean;
}): TaskReach {
  return {
    logs: {
      addresses: new AddressRule(settings.logAllow ?? []),
      remedy: 'An operator can open its range with SLIPWAY_TASK_LOG_ALLOW.',
    },
    registries: new RegistryRule({
      registries: settings.registries,
      addresses: new AddressRule(settings.registryAllow ?? []),
      remedies: {
        unnamed: 'An operator can name it in SLIPWAY_TASK_REGISTRIES.',
        closed: 'An operator can open its range with SLIPWAY_TASK_REGISTRY_ALLOW.',
      },
    }),
    ownHost: settings.ownHost ?? (() => false),
  };
}

/** Why no task may run with this container definition, or undefined. */
export function refuseReach(container: ContainerDefinition, reach: TaskReach): string | undefined {
  const { image = '', logConfiguration: log } = container;
  const refused = reach.registries.refuse(image, reach.ownHost);
  // What `awsfirelens` sends, the task itself sends.
  if (refused !== undefined || log?.logDriver === undefined || log.logDriver === 'awsfirelens') return refused;
  return refuseLogOptions(log.logDriver, log.options ?? {}, reach.logs);
}
