import type { Check } from './check.ts';
import type { Suite } from './suite.ts';
import { begin, type BlobPush, bytesOf, chunkLimit, finished, finishing } from './upload.ts';

/** Smaller chunks than these are not asked of any registry, in bytes. */
export const smallestChunk = 1024;

export interface ChunkOptions {
  /** The last chunk comes with the PUT that ends the upload, not with a PATCH before it. */
  readonly putLast?: boolean;
  /** Before each chunk comes one that is not next: it must be refused with 416, and the upload must go on. */
  readonly outOfOrder?: boolean;
}

/** Pushes a blob in up to three chunks, each with its Content-Range. */
export const chunked =
  ({ putLast = false, outOfOrder = false }: ChunkOptions) =>
  async (suite: Suite, check: Check, blob: BlobPush): Promise<void> => {
    const upload = await begin(suite, check, blob.repository);
    if (upload === undefined) return;
    const { length } = blob.bytes;
    const size = Math.max(Math.ceil(length / 3), smallestChunk, chunkLimit(upload.answer) ?? 0);
    let at: URL | undefined = upload.at;
    for (let start = 0; start < length; start += size) {
      if (outOfOrder) at = await refusedChunk(suite, check, blob, { at, start, size, putLast });
      if (at === undefined) return;
      const last = Math.min(start + size, length) - 1;
      const chunk = chunkOf(blob.bytes, start, last);
      if (putLast && last === length - 1)
        return finished(suite, check, await suite.ask('PUT', finishing(at, blob.digest), chunk), blob);
      const answer = await suite.ask('PATCH', at, chunk);
      if (!check.status(answer, 202) || !check.header(answer, 'Range', `0-${last}`)) return;
      at = check.location(answer);
      if (at === undefined) return;
    }
    await finished(suite, check, await suite.ask('PUT', finishing(at, blob.digest)), blob);
  };

/**
 * Sends a chunk that leaves a gap, or repeats the beginning when there is none to leave. The last chunk of the blob goes with a
 * PUT when that is how the blob ends.
 * @returns where the upload goes on; undefined when it does not
 */
async function refusedChunk(
  suite: Suite,
  check: Check,
  { bytes, digest }: BlobPush,
  { at, start, size, putLast }: { at: URL; start: number; size: number; putLast: boolean },
): Promise<URL | undefined> {
  const wrong = start + size < bytes.length ? start + size : 0;
  const last = Math.min(wrong + size, bytes.length) - 1;
  const ends = putLast && last === bytes.length - 1;
  const refusal = await suite.ask(
    ends ? 'PUT' : 'PATCH',
    ends ? finishing(at, digest) : at,
    chunkOf(bytes, wrong, last),
  );
  if (!check.status(refusal, 416)) return undefined;
  const status = await suite.ask('GET', at);
  if (!check.status(status, 204)) return undefined;
  // Of an upload without a byte, `0-0` is as good as any other end.
  if (start > 0 && !check.header(status, 'Range', `0-${start - 1}`)) return undefined;
  const range = status.headers['range']?.[0] ?? '';
  if (start === 0 && !/^0-\d+$/.test(range)) {
    check.fail(`${status.what}: Range is '${range}', which does not begin with 0-`);
    return undefined;
  }
  return check.location(status);
}

const chunkOf = (bytes: Buffer, first: number, last: number): ReturnType<typeof bytesOf> => {
  const chunk = bytesOf(bytes.subarray(first, last + 1));
  return { ...chunk, headers: { ...chunk.headers, 'content-range': `${first}-${last}` } };
};
