import { Check } from './check.ts';
import { type Answer, type AskOptions, NoAnswer } from './exchange.ts';
import { types } from './media-types.ts';
import type { Suite } from './suite.ts';

/** A blob that is to be pushed somewhere. */
export interface BlobPush {
  readonly repository: string;
  readonly digest: string;
  readonly bytes: Buffer;
  /** The bytes do not belong to the digest: the registry has to refuse them with 400. */
  readonly refused?: boolean;
}

export const uploadsPath = (repository: string): string => `/v2/${repository}/blobs/uploads/`;

/** Begins an upload. */
export async function begin(
  suite: Suite,
  check: Check,
  repository: string,
): Promise<{ readonly at: URL; readonly answer: Answer } | undefined> {
  const answer = await suite.ask('POST', uploadsPath(repository));
  if (!check.status(answer, 202)) return undefined;
  const at = check.location(answer);
  return at && { at, answer };
}

/** An upload's address with the digest that ends it; other parameters of the address stay. */
export function finishing(at: URL, digest: string): URL {
  const url = new URL(at);
  url.searchParams.set('digest', digest);
  return url;
}

export const bytesOf = (body: Buffer): AskOptions => ({
  body,
  headers: { 'content-type': types.bytes },
});

/** Looks at the answer to the request that ends an upload, and at what the blob's new address serves. */
export async function finished(
  suite: Suite,
  check: Check,
  answer: Answer,
  blob: BlobPush,
  digestRequired = suite.dev,
): Promise<void> {
  if (blob.refused) return void check.status(answer, 400);
  if (!check.status(answer, 201)) return;
  check.digest(answer, blob.digest, digestRequired);
  const at = check.location(answer);
  if (at === undefined) return;
  const served = await suite.ask('GET', at);
  if (check.status(served, 200)) check.body(served, blob.bytes);
}

/** `OCI-Chunk-Min-Length` of an answer; undefined where it has none or it is no number. */
export function chunkLimit({ headers }: Answer): number | undefined {
  const text = headers['oci-chunk-min-length']?.[0];
  return text !== undefined && /^\d{1,12}$/.test(text) ? Number(text) : undefined;
}

/** The least that a registry wants in a chunk that is not the last, in bytes; 0 where it does not say. */
export async function minimumChunk(suite: Suite, repository: string): Promise<number> {
  const asked = new Check();
  const upload = await silently(begin(suite, asked, repository));
  if (upload === undefined) return 0;
  await silently(suite.ask('DELETE', upload.at));
  return chunkLimit(upload.answer) ?? 0;
}

/** For what prepares or tidies up: that nobody answers is told by the checks themselves. */
export const silently = <T>(asked: Promise<T>): Promise<T | undefined> =>
  asked.catch((error: unknown) => {
    if (error instanceof NoAnswer) return undefined;
    throw error;
  });
