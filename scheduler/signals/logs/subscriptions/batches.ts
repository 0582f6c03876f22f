import type { FilterPattern } from '../patterns/index.ts';
import { LogsDamaged, LogsTooNew } from '../store/contract.ts';
import type { EventBlobs } from '../store/event-blobs.ts';
import { eventId } from '../store/ids.ts';
import type { EventsRecord } from '../store/records.ts';

import type { Batch, DeliveredEvent } from './payload.ts';

/** Of one call (a Lambda function would be told up to 1 MiB, compressed); one message may be as large by itself. */
const batchBytes = 1024 * 1024;
const batchEvents = 10_000;
/** Held in memory for one filter before it is told: what comes of a stream in many chunks becomes one call. */
const heldBytes = 1024 * 1024;

/** What is read, for whom. */
export interface Wanted {
  /** The group's id and name. */
  readonly id: string;
  readonly group: string;
  readonly filter: string;
  readonly pattern: FilterPattern;
}

/**
 * Events of a group that a pattern lets through, as calls: those of a stream in their order. The same files give the same batches.
 * @param damaged is told what cannot be read and is left out, with how many events of all groups lie there
 * @throws BlobMissing, BlobStoreError, LogsTooNew
 */
export async function* batchesOf(
  blobs: EventBlobs,
  files: readonly EventsRecord[],
  wanted: Wanted,
  damaged: (error: LogsDamaged, events: number) => void,
): AsyncGenerator<Batch, void> {
  const orDamaged = (events: number) => (error: unknown) => {
    // A server that can read it will tell of it.
    if (!(error instanceof LogsDamaged) || error instanceof LogsTooNew) throw error;
    damaged(error, events);
    return undefined;
  };
  const needs = wanted.pattern.needs.map((text) => Buffer.from(text));
  let held = new Map<string, DeliveredEvent[]>();
  let bytes = 0;
  for (const file of files) {
    const { streams, blocks } = (await blobs.table(file).catch(orDamaged(file.events))) ?? { streams: [], blocks: [] };
    for (const block of blocks) {
      if (!streams.some(({ group }, at) => group === wanted.id && at >= block.firstStream && at <= block.lastStream))
        continue;
      const rows = await blobs.rowsOnce(file, block).catch(orDamaged(block.events));
      if (rows === undefined) continue;
      try {
        while (rows.next()) {
          const stream = streams[rows.stream];
          if (stream?.group !== wanted.id || !needs.every((text) => rows.message.includes(text))) continue;
          const { timestamp, ingestionTime, writer, sequence, text: message } = rows;
          if (!wanted.pattern.matches(message)) continue;
          const events = held.get(stream.name) ?? [];
          held.set(stream.name, events);
          events.push({ id: eventId(timestamp, ingestionTime, writer, sequence), timestamp, message });
          bytes += rows.message.length;
          if (bytes < heldBytes) continue;
          yield* cut(held, wanted);
          held = new Map();
          bytes = 0;
        }
      } catch (error) {
        orDamaged(block.events)(error);
      }
    }
  }
  yield* cut(held, wanted);
}

function* cut(held: ReadonlyMap<string, readonly DeliveredEvent[]>, { group, filter }: Wanted): Generator<Batch> {
  for (const [stream, all] of held) {
    let events: DeliveredEvent[] = [];
    let bytes = 0;
    for (const event of all) {
      const size = Buffer.byteLength(event.message);
      if (events.length > 0 && (bytes + size > batchBytes || events.length >= batchEvents)) {
        yield { group, stream, filter, events };
        events = [];
        bytes = 0;
      }
      events.push(event);
      bytes += size;
    }
    yield { group, stream, filter, events };
  }
}
