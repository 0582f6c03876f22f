import { type Json, scanPages, transact } from '@slipway/storage/records';
import { AwsError } from '@slipway/auth/contract';
import { type Images, registryPartition } from '../images/index.ts';
import { backfillKeys } from './keys.ts';

export interface Destination {
  readonly region: string;
  readonly registryId: string;
}

/** The copying of what was pushed before a destination was configured. */
export interface Backfill {
  readonly id: string;
  readonly destination: Destination;
  readonly status: 'PREPARING' | 'IN_PROGRESS' | 'STOPPING' | 'STOPPED' | 'COMPLETE' | 'FAILED';
  readonly failureCode?: string;
  readonly startedAt: number;
  readonly endedAt?: number;
  /** Known once all images have been counted. */
  readonly total?: number;
  readonly completed: number;
  readonly failed: number;
  readonly failureCodes: readonly string[];
  /** The image that was dealt with last. */
  readonly cursor?: { readonly repository: string; readonly digest: string };
}

export interface BackfillResult {
  readonly repository: string;
  readonly digest: string;
  readonly status: 'COMPLETE' | 'FAILED';
  readonly failureCode?: string;
}

export interface Backfills {
  /** @throws AwsError `ReplicationBackfillInProgressException` */
  start(account: string, destination: Destination): Promise<Backfill>;
  /** @throws AwsError `ReplicationBackfillNotFoundException`, `ReplicationBackfillInvalidStatusException` */
  stop(account: string, id: string): Promise<Backfill>;
  /** @throws AwsError `ReplicationBackfillNotFoundException` */
  get(account: string, id: string): Promise<Backfill>;
  /** Newest first. */
  list(account: string): Promise<readonly Backfill[]>;
  results(
    account: string,
    id: string,
    page: { readonly after?: string; readonly limit: number },
  ): Promise<{ readonly results: readonly BackfillResult[]; readonly more: boolean }>;
  /** Changes one, with results that go along; undefined from `change` leaves it alone. Returns what it is then. */
  change(
    account: string,
    id: string,
    change: (backfill: Backfill) => Backfill | undefined,
    result?: BackfillResult,
  ): Promise<Backfill>;
}

/** Finished ones that are remembered. */
const remembered = 50;
export const resultKey = ({ repository, digest }: Pick<BackfillResult, 'repository' | 'digest'>): string =>
  `${repository}|${digest}`;

export const isOver = ({ status }: Backfill): boolean => ['STOPPED', 'COMPLETE', 'FAILED'].includes(status);

export function createBackfills(images: Images): Backfills {
  const { records, clock, random } = images.ports;

  const list: Backfills['list'] = async (account) =>
    (await records.list<Backfill>(registryPartition(account), { prefix: backfillKeys.all })).records
      .map(({ value }) => value)
      .toSorted((a, b) => b.startedAt - a.startedAt);

  const change: Backfills['change'] = (account, id, next, result) =>
    transact(records, registryPartition(account), async (tx) => {
      const present = await tx.get<Backfill>(backfillKeys.backfill(id));
      if (present === undefined) throw notFound(account, id);
      const changed = next(present);
      if (changed === undefined) return present;
      tx.put(backfillKeys.backfill(id), changed as unknown as Json);
      if (result) tx.put(backfillKeys.results(id) + resultKey(result), result as unknown as Json);
      return changed;
    });

  const forget = async (account: string, id: string): Promise<void> => {
    const partition = registryPartition(account);
    // The row goes with the last results, so that whatever breaks off is begun again.
    for await (const page of scanPages(records, partition, { prefix: backfillKeys.results(id) })) {
      const row = page.more ? [] : [backfillKeys.backfill(id)];
      await records.commit(partition, { remove: [...page.records.map(({ key }) => key), ...row] });
    }
  };

  return {
    async start(account, destination) {
      const present = await list(account);
      for (const old of present.filter(isOver).slice(remembered)) await forget(account, old.id);
      const hex = Buffer.from(random(16)).toString('hex');
      const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
      const backfill: Backfill = {
        id,
        destination,
        status: 'PREPARING',
        startedAt: clock.now(),
        completed: 0,
        failed: 0,
        failureCodes: [],
      };
      const running = backfillKeys.running(destination.region, destination.registryId);
      await transact(records, registryPartition(account), async (tx) => {
        const other = await tx.get<string>(running);
        const row = other === undefined ? undefined : await tx.get<Backfill>(backfillKeys.backfill(other));
        if (row !== undefined && !isOver(row))
          throw new AwsError(
            'ReplicationBackfillInProgressException',
            `The replication backfill ${row.id} to ${destination.region}, ${destination.registryId} is still in progress`,
          );
        tx.put(running, id);
        tx.put(backfillKeys.backfill(id), backfill as unknown as Json);
        tx.announce({ topic: 'replication', type: 'backfill.started', data: { account, id } });
      });
      return backfill;
    },
    stop: (account, id) =>
      change(account, id, (backfill) => {
        if (backfill.status !== 'PREPARING' && backfill.status !== 'IN_PROGRESS')
          throw new AwsError(
            'ReplicationBackfillInvalidStatusException',
            `The replication backfill ${id} is ${backfill.status} and cannot be stopped`,
          );
        return { ...backfill, status: 'STOPPING' };
      }),
    async get(account, id) {
      const found = await records.get<Backfill>(registryPartition(account), backfillKeys.backfill(id));
      if (found === undefined) throw notFound(account, id);
      return found.value;
    },
    list,
    async results(account, id, { after, limit }) {
      const prefix = backfillKeys.results(id);
      const page = await records.list<BackfillResult>(registryPartition(account), {
        prefix,
        limit,
        ...(after === undefined ? {} : { after: prefix + after }),
      });
      return { results: page.records.map(({ value }) => value), more: page.more };
    },
    change,
  };
}

const notFound = (account: string, id: string): AwsError =>
  new AwsError(
    'ReplicationBackfillNotFoundException',
    `The replication backfill '${id.slice(0, 60)}' does not exist in the registry with id '${account}'`,
  );
