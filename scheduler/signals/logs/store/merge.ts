import { type Block, compareRows, compareStreams, type FileStream } from './event-file.ts';
import { free } from './memory.ts';
import type { EventsRecord } from './records.ts';
import type { Row, Rows } from './rows.ts';

/** The streams of several files in order, each once, without those that are gone. */
export function joinedStreams(
  tables: readonly { readonly streams: readonly FileStream[] }[],
  isKept: (stream: FileStream) => boolean,
): readonly FileStream[] {
  const found = new Map<string, FileStream>();
  for (const { streams } of tables) {
    for (const stream of streams) if (isKept(stream)) found.set(nameOf(stream), stream);
  }
  return [...found.values()].toSorted(compareStreams);
}

/** For each stream of a table its place among the joined ones; -1 when it is not there. */
export function placesIn(streams: readonly FileStream[], joined: readonly FileStream[]): readonly number[] {
  const places = new Map(joined.map((stream, place) => [nameOf(stream), place]));
  return streams.map((stream) => places.get(nameOf(stream)) ?? -1);
}

/** The streams that rows are of, in their order. */
export function streamsOf(rows: readonly Row[], streams: readonly FileStream[]): readonly FileStream[] {
  const used = new Set(rows.map(({ stream }) => stream));
  return streams.filter((_, place) => used.has(place));
}

/** Rows under the places of the streams that they are of. */
export function* renumbered(rows: readonly Row[], streams: readonly FileStream[]): Generator<Row, void> {
  const used = streamsOf(rows, streams);
  if (used.length === streams.length) return yield* rows;
  const places = placesIn(streams, used);
  for (const row of rows) yield { ...row, stream: places[row.stream]! };
}

type Read = (file: EventsRecord, block: Block) => Promise<Rows>;

const nameOf = ({ group, id, name }: FileStream): string => `${group} ${id} ${name}`;

/** One file of a merge: its rows under the places of the joined streams. */
class Input {
  readonly #read: Read;
  readonly #file: EventsRecord;
  readonly #blocks: readonly Block[];
  readonly #places: readonly number[];
  #at = 0;
  #reader: Rows | undefined;
  row: Row | undefined;

  constructor(read: Read, file: EventsRecord, blocks: readonly Block[], places: readonly number[]) {
    this.#read = read;
    this.#file = file;
    this.#blocks = blocks;
    this.#places = places;
  }

  /** @returns whether a block must be loaded before it is known what comes next */
  advance(): boolean {
    while (this.#reader?.next() === true) {
      const { timestamp, ingestionTime, writer, sequence, message } = this.#reader;
      const stream = this.#places[this.#reader.stream] ?? -1;
      if (stream === -1) continue;
      this.row = { stream, timestamp, ingestionTime, writer, sequence, message };
      return false;
    }
    this.row = undefined;
    return this.#at < this.#blocks.length;
  }

  async load(): Promise<void> {
    while (this.advance()) {
      // Its last row was looked at before the next one was asked for.
      if (this.#reader !== undefined) free(this.#reader.bytes);
      this.#reader = undefined;
      this.#reader = await this.#read(this.#file, this.#blocks[this.#at++]!);
    }
  }
}

/**
 * The rows of sorted files as one sorted sequence, in runs; a block of each file is in memory at a time. A row is good until the next is
 * asked for.
 * @param read rows whose bytes nobody else has
 */
export async function* mergedRows(
  read: Read,
  files: readonly {
    readonly file: EventsRecord;
    readonly blocks: readonly Block[];
    readonly places: readonly number[];
  }[],
): AsyncGenerator<Iterable<Row>, void> {
  const inputs = files.map(({ file, blocks, places }) => new Input(read, file, blocks, places));
  await Promise.all(inputs.map((input) => input.load()));
  let hungry: Input | undefined;
  function* run(): Generator<Row, void> {
    for (;;) {
      let least: Input | undefined;
      for (const input of inputs) {
        if (input.row !== undefined && (least === undefined || compareRows(input.row, least.row!) < 0)) least = input;
      }
      if (least === undefined) return;
      yield least.row!;
      if (least.advance()) {
        hungry = least;
        return;
      }
    }
  }
  do {
    hungry = undefined;
    yield run();
    await (hungry as Input | undefined)?.load();
  } while (hungry !== undefined);
}
