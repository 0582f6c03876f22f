import { type Appended, type Staged, StagedLost } from '@slipway/storage/blobs';
import { ConditionFailed, type Json, type Stored } from '@slipway/storage/records';
import { type ImagesPorts, newId } from './ports.ts';
import { ImagesError } from './errors.ts';
import { keys, registryPartition } from './keys.ts';
import type { UploadRecord } from './records.ts';
import { type AppendRange, type UploadAddress, uploadNotFound, wrongRange } from './upload-address.ts';

/** Bytes written behind an upload that do not count yet. */
export interface Extended {
  readonly row: UploadRow;
  readonly staged: Staged;
  /** The body ended before its end. */
  readonly cut?: unknown;
  /** Whether the bytes lie in storage that only this request knows. */
  readonly own: boolean;
}

export type UploadRow = Stored<UploadRecord>;

/** How often a writer shows that it is alive, and when it counts as dead. Milliseconds. */
const beatEvery = 5_000;
const deadAfter = 30_000;

/**
 * Appending under one rule: bytes that count are never written over by a second writer. The first body of an upload goes to
 * storage of its own, and the commit decides whose counts. A later body is written behind bytes that count already, so its
 * writer first claims the upload in the record, keeps the claim alive, and nobody else writes until it is given back or dead.
 */
export function createUploadWriter(ports: ImagesPorts) {
  const { records, blobs, clock, limits } = ports;

  const find = async ({ account, repository, id, principal }: UploadAddress): Promise<UploadRow> => {
    const row = await records.get<UploadRecord>(registryPartition(account), keys.upload(repository, id));
    if (row === undefined || row.value.principal !== principal) throw uploadNotFound();
    return row;
  };

  /** Swaps the row against a new value. Undefined: somebody was faster. */
  const swap = async (account: string, row: UploadRow, value: UploadRecord): Promise<UploadRow | undefined> => {
    try {
      const { version } = await records.commit(registryPartition(account), {
        require: [{ key: row.key, version: row.version }],
        put: [{ key: row.key, value: value as unknown as Json }],
        // The bytes themselves are not synced before the upload is whole: a power failure may take it back to an earlier state.
        lazy: true,
      });
      return { key: row.key, value, version };
    } catch (error) {
      if (error instanceof ConditionFailed) return undefined;
      throw error;
    }
  };

  const claim = async (account: string, row: UploadRow): Promise<UploadRow> => {
    const { writer } = row.value;
    const now = clock.now();
    if (writer && Math.abs(now - writer.beat) < deadAfter) throw busy(row);
    const claimed = await swap(account, row, {
      ...row.value,
      writer: { token: newId(ports), beat: now },
      ...(writer ? { suspect: true } : {}),
    });
    if (claimed === undefined) throw busy(row);
    return claimed;
  };

  /** Runs `work` while the claim in `held` is kept alive; tells it to stop when the claim is lost. */
  const whileClaimed = async <T>(
    account: string,
    held: { row: UploadRow },
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> => {
    const lost = new AbortController();
    const done = new AbortController();
    const beat = async (): Promise<void> => {
      for (;;) {
        await clock.sleep(beatEvery, done.signal);
        const { value } = held.row;
        const next = await swap(account, held.row, {
          ...value,
          writer: { token: value.writer?.token ?? '', beat: clock.now() },
        });
        if (next === undefined) return lost.abort(new Error('another writer took the upload over'));
        held.row = next;
      }
    };
    // Ends by the abort of its sleep; a store that fails shows at the commit that follows.
    const beating = beat().catch(() => {});
    try {
      return await work(lost.signal);
    } finally {
      done.abort(new Error('the body has ended'));
      await beating;
    }
  };

  /** Ends the body where a blob would become too large. */
  async function* limited(body: AsyncIterable<Uint8Array>, from: number): AsyncGenerator<Uint8Array> {
    let size = from;
    for await (const chunk of body) {
      size += chunk.length;
      if (size > limits.blobBytes)
        throw new ImagesError('BlobTooLarge', `A blob may have at most ${limits.blobBytes} bytes.`);
      yield chunk;
    }
  }

  const write = async (
    staged: Staged,
    body: AsyncIterable<Uint8Array>,
    range: AppendRange | undefined,
    signal?: AbortSignal,
  ): Promise<Appended> => {
    try {
      const appended = await blobs.append(staged, limited(body, staged.size), signal);
      const received = appended.staged.size - staged.size;
      ports.meter.received(received);
      if (appended.cut === undefined && range?.end !== undefined && received !== range.end - range.start + 1) {
        throw new ImagesError(
          'UploadSizeInvalid',
          `The range says ${range.end - range.start + 1} bytes, ${received} came.`,
        );
      }
      return appended;
    } catch (error) {
      throw error instanceof StagedLost ? uploadNotFound() : error;
    }
  };

  /** Leaves the upload as it was before {@link extend}, so that the client can try again. */
  const undo = async (
    account: string,
    { own, staged, row }: Pick<Extended, 'own' | 'row'> & { readonly staged?: Staged },
  ): Promise<void> => {
    if (own && staged) return blobs.abandon(staged);
    if (row.value.writer) await swap(account, row, withoutWriter(row.value));
  };

  /** Writes a body behind what counts, without counting it yet. */
  const extend = async (
    address: UploadAddress,
    body: AsyncIterable<Uint8Array>,
    range: AppendRange | undefined,
  ): Promise<Extended> => {
    const row = await find(address);
    checkRange(row, range);
    const own = row.value.staged === undefined;
    const held = { row: own ? row : await claim(address.account, row) };
    const staged = row.value.staged ?? (await blobs.stage());
    try {
      const appended = own
        ? await write(staged, body, range)
        : await whileClaimed(address.account, held, (signal) => write(staged, body, range, signal));
      // Over the limit: nothing that follows could make the upload valid.
      if (appended.cut instanceof ImagesError) await drop(address.account, held.row, appended.staged);
      if (appended.cut instanceof ImagesError) throw appended.cut;
      return { ...appended, row: held.row, own };
    } catch (error) {
      await undo(address.account, { own, staged, row: held.row });
      throw error;
    }
  };

  const drop = async (account: string, row: UploadRow, staged: Staged | undefined): Promise<void> => {
    await records.commit(registryPartition(account), { remove: [row.key] });
    if (staged) await blobs.abandon(staged);
  };

  /** Makes the bytes count. */
  const settle = async (account: string, { row, staged, own }: Extended): Promise<void> => {
    const { value } = row;
    const smallestPart =
      value.lastPart === undefined ? undefined : Math.min(value.lastPart, value.smallestPart ?? Infinity);
    const next: UploadRecord = {
      ...withoutWriter(value),
      staged,
      touchedAt: clock.now(),
      lastPart: staged.size - (value.staged?.size ?? 0),
      ...(smallestPart === undefined ? {} : { smallestPart }),
    };
    if (await swap(account, row, next)) return;
    if (own) await blobs.abandon(staged);
    throw busy(row);
  };

  return { find, limited, extend, settle, undo, drop };
}

/** `undefined` members are not stored. */
const withoutWriter = (record: UploadRecord): UploadRecord => ({ ...record, writer: undefined });

export function checkRange(row: UploadRow, range: AppendRange | undefined): void {
  const size = row.value.staged?.size ?? 0;
  if (range !== undefined && range.start !== size)
    throw wrongRange(size, `the next must begin at ${size}, not ${range.start}.`);
}

export const busy = (row: UploadRow): ImagesError =>
  wrongRange(
    row.value.staged?.size ?? 0,
    'another request is writing to it. Ask for its status, then go on from there.',
  );
