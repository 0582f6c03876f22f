import type { AttributeRecord } from './instances.ts';
import type { Tags } from './tags.ts';

/**
 * The name of what tasks run on: FARGATE, FARGATE_SPOT (capacity that may be taken back), or one of an Auto Scaling group. Anything may be
 * such a name, `__proto__` too: never a key of an object that was not made of entries.
 */
export type CapacityProvider = string;

/** How tasks are shared out among capacity providers: first `base` tasks to the one that has one, the others by weight. Each is named once. */
export type CapacityProviderStrategy = readonly {
  readonly capacityProvider: CapacityProvider;
  /** 0 to 1,000. */
  readonly weight: number;
  /** 0 to 100,000; above 0 for one at most. */
  readonly base: number;
  /** Of a provider of an Auto Scaling group: the group, on whose hosts alone its tasks run. It stays the same while the provider is in use. */
  readonly group?: string;
}[];

/** A capacity provider of an Auto Scaling group, in its account's partition. */
export interface CapacityProviderRecord {
  readonly name: string;
  /** As it was given: an ARN or a name. */
  readonly groupArn: string;
  /** The group's name. */
  readonly group: string;
  readonly createdAt: number;
  /** What became of the last request; what it asks for holds when it is answered. */
  readonly updateStatus: 'CREATE_COMPLETE' | 'UPDATE_COMPLETE';
  /** Clusters that have it, or were about to: it is deleted when none has it. */
  readonly clusters: readonly { readonly name: string; readonly since: number }[];
  readonly managedScaling: ManagedScalingSettings;
  /** Whether the group may end hosts that have tasks; of providers that older servers made it is absent, and DISABLED. */
  readonly managedTerminationProtection?: 'ENABLED' | 'DISABLED';
  /** Of managed scaling: what its newest host was like. */
  readonly hostShape?: HostShape;
  /** Of managed scaling: how it stands and why, for people. */
  readonly standing?: string;
  readonly tags: Tags;
}

/** What a host of a group is like when it has joined, whichever it is. */
export interface HostShape {
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: number;
  readonly attributes: readonly AttributeRecord[];
  readonly reservedTcpPorts: readonly number[];
  readonly reservedUdpPorts: readonly number[];
  /** What it was made from: a version of a launch template, by the template's id, and an instance type. Older servers did not keep that. */
  readonly madeFrom?: { readonly template: string; readonly version: number; readonly instanceType: string };
}

/** How the size of a provider's group follows the tasks that wait (ECS: `ManagedScaling`). */
export interface ManagedScalingSettings {
  readonly status: 'ENABLED' | 'DISABLED';
  /** Per cent of the group's hosts that are to be in use: 1 to 100. */
  readonly targetCapacity: number;
  /** Hosts that are added at once: 1 to 10,000. */
  readonly minimumScalingStepSize: number;
  readonly maximumScalingStepSize: number;
  /** Seconds, 0 to 10,000. */
  readonly instanceWarmupPeriod: number;
}
