import fc from 'fast-check';
import { expect, test } from 'vitest';

import { demultiplexed, type Written } from './demultiplexed.ts';

/** As the engine writes what a command wrote. */
const framed = ({ stream, bytes }: Written): Buffer => {
  const header = Buffer.alloc(8);
  header[0] = stream;
  header.writeUInt32BE(bytes.length, 4);
  return Buffer.concat([header, bytes]);
};

/** The same bytes in pieces that end at these places. */
const cut = (bytes: Buffer, places: readonly number[]): Buffer[] => {
  const ends = [...new Set([...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b);
  return ends.map((end, index) => Buffer.from(bytes.subarray(ends[index - 1] ?? 0, end)));
};

async function read(pieces: readonly Buffer[]): Promise<Written[]> {
  const all: Written[] = [];
  const chunks = async function* (): AsyncGenerator<Buffer> {
    yield* pieces;
  };
  // What was told may be told over: it is kept as a copy.
  for await (const { stream, bytes } of demultiplexed(chunks())) all.push({ stream, bytes: Buffer.from(bytes) });
  return all;
}

const runsOf = (all: readonly Written[]): { stream: number; text: string }[] => {
  const runs: { stream: number; text: string }[] = [];
  for (const { stream, bytes } of all) {
    if (bytes.length === 0) continue;
    const last = runs.at(-1);
    if (last?.stream === stream) last.text += bytes.toString('hex');
    else runs.push({ stream, text: bytes.toString('hex') });
  }
  return runs;
};

const written = fc.record({
  stream: fc.constantFrom(1, 2),
  bytes: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
});

test('the streams of a command come as they were written, however their frames are cut', async () => {
  const runs = process.env['SLIPWAY_TEST_SIZE'] === 'large' ? 20_000 : 500;
  const property = fc.asyncProperty(
    fc.array(written, { maxLength: 12 }),
    fc.array(fc.nat(), { maxLength: 12 }),
    async (all, places) => {
      expect(runsOf(await read(cut(Buffer.concat(all.map(framed)), places)))).toEqual(runsOf(all));
    },
  );
  await expect(fc.assert(property, { numRuns: runs })).resolves.toBeUndefined();
});

test('what came at once of one stream is told at once', async () => {
  const part = (stream: number, text: string): Written => ({ stream, bytes: Buffer.from(text) });
  const all = [part(1, 'a'), part(1, 'bc'), part(2, 'no'), part(2, 't'), part(1, 'd')];
  expect(await read([Buffer.concat(all.map(framed))])).toEqual([part(1, 'abc'), part(2, 'not'), part(1, 'd')]);
});
