import { pipeline, Readable } from 'node:stream';
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { type InventoryLimits, Unscannable } from './limits.ts';

/** What the layers of one image may use up together. */
export interface Budget {
  bytes: number;
  entries: number;
}

/**
 * A layer's bytes, decompressed by what they are (gzip, zstd, or plain), not by what the manifest calls them. Stops at the
 * budget for the whole image and at the ratio; zstd windows are held to 128 MiB.
 * @throws Unscannable
 */
export async function* decompressed(
  source: AsyncIterable<Uint8Array>,
  budget: Budget,
  limits: Pick<InventoryLimits, 'ratio' | 'ratioFrom' | 'bytes'>,
): AsyncGenerator<Uint8Array> {
  const packed = { bytes: 0 };
  const counted = counting(source, packed);
  const { head, rest } = await peek(counted, 4);
  const stream = open(head, rest);
  let bytes = 0;
  try {
    for await (const chunk of stream as AsyncIterable<Uint8Array>) {
      bytes += chunk.length;
      budget.bytes -= chunk.length;
      if (budget.bytes < 0) throw new Unscannable(`the layers hold more than ${limits.bytes} bytes`);
      if (bytes > limits.ratioFrom && bytes > limits.ratio * packed.bytes) {
        throw new Unscannable(`a layer grows to more than ${limits.ratio} times its size`);
      }
      yield chunk;
    }
  } catch (error) {
    if (error instanceof Unscannable || !isZlibError(error)) throw error;
    throw new Unscannable(`a layer cannot be decompressed: ${error.message}`, { cause: error });
  }
}

function open(head: Uint8Array, rest: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const magic = Buffer.from(head).toString('hex');
  // Skippable frames (0x184D2A5?) may come first.
  const zstd = magic === '28b52ffd' || /^5[0-9a-f]2a4d18$/.test(magic);
  if (!zstd && !magic.startsWith('1f8b')) return rest;
  // Each piece is a trip to another thread: large ones make fewer.
  const options = { chunkSize: 512 * 1024 };
  const stream = zstd
    ? createZstdDecompress({ ...options, params: { [constants.ZSTD_d_windowLogMax]: 27 } })
    : createGunzip(options);
  // A failure of the source destroys the decompressor with the same error, which the reader then sees.
  pipeline(Readable.from(rest, { objectMode: false, highWaterMark: 256 * 1024 }), stream, () => {});
  return stream;
}

async function* counting(source: AsyncIterable<Uint8Array>, count: { bytes: number }): AsyncGenerator<Uint8Array> {
  for await (const chunk of source) {
    count.bytes += chunk.length;
    yield chunk;
  }
}

/** The first bytes, and the whole stream as if nothing had been read. */
async function peek(source: AsyncGenerator<Uint8Array>, length: number) {
  const first: Uint8Array[] = [];
  let bytes = 0;
  while (bytes < length) {
    const next = await source.next();
    if (next.done === true) break;
    first.push(next.value);
    bytes += next.value.length;
  }
  const rest = async function* (): AsyncGenerator<Uint8Array> {
    yield* first;
    yield* source;
  };
  return { head: Buffer.concat(first).subarray(0, length), rest: rest() };
}

const isZlibError = (error: unknown): error is Error & { code: string } =>
  error instanceof Error && 'code' in error && /^(?:Z_|ERR_BUFFER|ZSTD_|ERR_ZLIB|ERR_ZSTD)/.test(String(error.code));
