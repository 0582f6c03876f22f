import type Docker from 'dockerode';

/** What an agent needs of its host to hold tasks to their ephemeral storage; the simulation plays it. */
export interface TaskStoragePort {
  /** Why the engine holds no container to a size; undefined when it does. @throws EngineUnavailable */
  reason(): Promise<string | undefined>;
  /**
   * How many bytes the files take that containers wrote, and those of volumes. What is gone takes none.
   * @throws EngineUnavailable; what the host refuses
   */
  used(containers: readonly Docker.ContainerInspectInfo[], volumes: readonly string[]): Promise<number>;
}

/** The storage of a host that neither limits nor counts. */
export const noStorage = (reason: string): TaskStoragePort => ({ reason: async () => reason, used: async () => 0 });
