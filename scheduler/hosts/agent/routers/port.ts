/** Paths of the host for the engine. */
export interface RouterFiles {
  /** The configuration. */
  readonly configuration: string;
  /** What was read from S3; the path is always there, the file when there is something. */
  readonly added: string;
  /** The folder in which the router makes its socket. */
  readonly folder: string;
}

/** What an agent needs of its host for log routers; the simulation plays a host without. */
export interface RouterPort {
  /** Why no task with a log router can run on this host; undefined when one can. */
  reason(): Promise<string | undefined>;
  /** Makes the files of a task's router, or finds them. @param id the task's @param added what was read from S3 @throws RouterError */
  prepare(id: string, configuration: string, added?: string): Promise<RouterFiles>;
  /** Where Docker's driver finds the socket of a task's router: a path of the host, also while nothing is there. */
  socket(id: string): string;
  /** Removes what was made for a task, if anything was. @throws RouterError */
  remove(id: string): Promise<void>;
  /** Removes what was made for tasks that are gone. @returns how many there were @throws RouterError */
  sweep(kept: ReadonlySet<string>): Promise<number>;
}

/** The host cannot give a task its log router's files; the message says why. */
export class RouterError extends Error {
  override readonly name = 'RouterError';
}

/** A host that runs no log routers. */
export const noRouters = (reason: string): RouterPort => ({
  reason: async () => reason,
  prepare: async () => {
    throw new RouterError(`this container instance runs no log routers: ${reason}`);
  },
  socket: (id) => `/nowhere/${id}`,
  remove: async () => undefined,
  sweep: async () => 0,
});
