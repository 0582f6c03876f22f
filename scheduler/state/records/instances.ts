import type { Tags } from './tags.ts';

/** What placement takes from an instance for a task, as ECS counts it. */
export interface Reservation {
  /** CPU units, 1024 a vCPU. */
  readonly cpu: number;
  /** MiB. */
  readonly memory: number;
  /** Static host ports. */
  readonly tcpPorts: readonly number[];
  readonly udpPorts: readonly number[];
  /** Whole devices. */
  readonly gpus: number;
}

export interface AttributeRecord {
  readonly name: string;
  readonly value?: string;
}

/** A container instance: one Docker engine under an agent. */
export interface InstanceRecord {
  readonly id: string;
  readonly arn: string;
  readonly status: 'ACTIVE' | 'DRAINING' | 'DEREGISTERING' | 'INACTIVE';
  /** Whether the agent's control connection is up; set by the server that holds it. */
  readonly agentConnected: boolean;
  /** Changes at every connection, so that a stale disconnect cannot overwrite a newer connect. */
  readonly connectionId?: string;
  readonly connectivityChangedAt: number;
  /** Increments at every control connection; the high part of every sequence number sent over it, so that a server with an older connection cannot command. */
  readonly channelGeneration?: number;
  /** Whether the agent reports its container runtime as impaired; then `agentConnected` is false though the connection is up. */
  readonly runtimeImpaired?: boolean;
  /** When it was said that the host is taken back; while that stands it is DRAINING. */
  readonly reclaimedAt?: number;
  /** When managed scaling closed it to new tasks, because its group has too many; while that stands it is DRAINING. */
  readonly surplusAt?: number;
  readonly registeredAt: number;
  readonly agentVersion?: string;
  readonly agentHash?: string;
  readonly dockerVersion?: string;
  /** Total, after what the agent reserves for the system. */
  readonly cpu: number;
  readonly memory: number;
  readonly reservedTcpPorts: readonly number[];
  readonly reservedUdpPorts: readonly number[];
  readonly gpuIds: readonly string[];
  readonly attributes: readonly AttributeRecord[];
  readonly tags: Tags;
  /** The IAM principal that registered it; only the same may act for it. */
  readonly ownerArn: string;
  /** SHA-256, base64url, of its host's secret; who does not say that secret may not act for it. Absent: its agent knows of none. */
  readonly secretHash?: string;
  /** What its agent found on its engine that another agent of this installation had made, since it registered last. */
  readonly strays?: Strays;
  /** Increments whenever the record changes. */
  readonly version: number;
}

/** Tasks whose containers an agent found that are none of its own: left by an agent whose data folder was lost, or nobody knows them. */
export interface Strays {
  /** How many it was told to end. */
  readonly ended: number;
  /** How many stay for now, and at most five of the instances that they belong to. */
  readonly left: number;
  readonly of: readonly string[];
  /** When that last changed. */
  readonly at: number;
}
