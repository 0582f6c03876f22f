import type { Lease, LimitName, RateTable } from '@slipway/auth/rates';

/** Set in the environment of a process by the supervisor: `first:SERVER`, `upkeep:SERVER:PORT` or `worker:SERVER:PORT`. */
export const marker = 'SLIPWAY_PROCESS';

/** What a process of several was started as. */
export interface ProcessRole {
  /** Whether it runs what a server runs once: upkeep, triggers, the local agent, the files for commands. */
  readonly upkeep: boolean;
  /** The name of the server among others on one store, the same in all its processes as long as the supervisor lives. */
  readonly server: string;
  /** The port that the others listen on; undefined in the very first process, which finds out whether it is free. */
  readonly port: number | undefined;
}

export const roleText = ({ upkeep, server, port }: ProcessRole): string =>
  port === undefined ? `first:${server}` : `${upkeep ? 'upkeep' : 'worker'}:${server}:${port}`;

/** What this process was started as; undefined in one that stands alone. One whose supervisor went while it started ends here. */
export function ownRole(): ProcessRole | undefined {
  const text = process.env[marker];
  if (text === undefined) return undefined;
  // Without this it would take itself for a server of its own, and the port with it.
  if (!process.connected) process.exit(1);
  const [kind, server = '', port] = text.split(':');
  return { upkeep: kind !== 'worker', server, port: port === undefined ? undefined : Number(port) };
}

/** What a process that listens says of itself, so that the supervisor needs no settings. */
export interface Listens {
  readonly port: number;
  /** How many processes the server is to have. */
  readonly processes: number;
}

/** What a process tells its supervisor, or asks it. */
export type FromProcess =
  | { readonly type: 'rates'; readonly table: RateTable }
  | ({ readonly type: 'listening' } & Listens)
  | { readonly type: 'metrics'; readonly id: number; readonly json: object[] }
  | { readonly type: 'all-metrics?'; readonly id: number }
  | {
      readonly type: 'lease?';
      readonly id: number;
      readonly limit: LimitName;
      readonly key: string;
      readonly most: number;
    }
  | { readonly type: 'unused'; readonly limit: LimitName; readonly key: string; readonly count: number }
  | { readonly type: 'used?'; readonly id: number }
  | { readonly type: 'used-elsewhere'; readonly limit: LimitName; readonly key: string; readonly count: number };

/** What the supervisor asks a process, or answers it. */
export type FromSupervisor =
  | { readonly type: 'metrics?'; readonly id: number }
  | { readonly type: 'all-metrics'; readonly id: number; readonly text: string }
  | ({ readonly type: 'lease'; readonly id: number } & Lease)
  | { readonly type: 'used'; readonly id: number; readonly used: readonly (readonly [string, number])[] };

/** How long the supervisor waits for one process' metrics. Milliseconds. */
export const answerWithin = 2000;
