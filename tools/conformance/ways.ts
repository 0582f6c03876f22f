import type { Check } from './check.ts';
import type { Answer } from './exchange.ts';
import { chunked, type ChunkOptions } from './chunks.ts';
import type { Api, Result } from './results.ts';
import type { Suite } from './suite.ts';
import { begin, type BlobPush, bytesOf, finished, finishing, uploadsPath } from './upload.ts';

/** How a blob can be pushed: the name of the case, the row of the report, and the exchange. */
export interface Way {
  readonly name: string;
  readonly row: Api;
  readonly push: (suite: Suite, check: Check, blob: BlobPush) => Promise<unknown>;
}

/** In the order in which they are preferred. */
export const ways = {
  postPut: { name: 'blob-post-put', row: 'Blob post put', push: postPut },
  postOnly: { name: 'blob-post-only', row: 'Blob post only', push: postOnly },
  stream: { name: 'blob-patch-stream', row: 'Blob streaming', push: stream },
  chunked: { name: 'blob-patch-chunked', row: 'Blob chunked', push: chunked({}) },
} as const satisfies Record<string, Way>;

export const chunkedWay = (options: ChunkOptions): Way => ({
  ...ways.chunked,
  push: chunked(options),
});

/** Pushes a blob in one way, as a case of its own. */
export const pushBy = (suite: Suite, parent: Result, way: Way, blob: BlobPush): Promise<boolean> =>
  suite.run(parent, way.name, {
    rows: [way.row],
    proves: ['Blob push'],
    check: (check) => way.push(suite, check, blob),
  });

/** Pushes a blob that other checks need, in whichever way works: those that never failed first. */
export async function pushAny(suite: Suite, parent: Result, blob: BlobPush): Promise<boolean> {
  const works = ({ row }: Way): boolean => suite.rows.get(row) === 'passed';
  const all: readonly Way[] = Object.values(ways);
  for (const way of [...all.filter(works), ...all.filter((way) => !works(way))])
    if (await pushBy(suite, parent, way, blob)) return true;
  return false;
}

async function postPut(suite: Suite, check: Check, blob: BlobPush): Promise<void> {
  const upload = await begin(suite, check, blob.repository);
  if (upload === undefined) return;
  const answer = await suite.ask('PUT', finishing(upload.at, blob.digest), bytesOf(blob.bytes));
  await finished(suite, check, answer, blob);
}

async function postOnly(suite: Suite, check: Check, blob: BlobPush): Promise<void> {
  const path = `${uploadsPath(blob.repository)}?digest=${encodeURIComponent(blob.digest)}`;
  const answer = await suite.ask('POST', path, bytesOf(blob.bytes));
  if (answer.status !== 202) return finished(suite, check, answer, blob);
  await fallBack(suite, check, answer, blob);
  check.unsupported(`${answer.what}: answered 202, the body of a POST is not taken`);
}

/** A registry that will not do it in one request opens an upload instead, which has to work. */
export async function fallBack(
  suite: Suite,
  check: Check,
  opened: Answer,
  blob: BlobPush,
): Promise<Answer | undefined> {
  const at = check.location(opened);
  if (at === undefined) return undefined;
  const answer = await suite.ask('PUT', finishing(at, blob.digest), bytesOf(blob.bytes));
  check.status(answer, blob.refused ? 400 : 201);
  return answer;
}

async function stream(suite: Suite, check: Check, blob: BlobPush): Promise<void> {
  const upload = await begin(suite, check, blob.repository);
  if (upload === undefined) return;
  const patched = await suite.ask('PATCH', upload.at, { ...bytesOf(blob.bytes), streamed: true });
  if (!check.status(patched, 202)) return;
  const at = check.location(patched);
  if (at === undefined) return;
  await finished(suite, check, await suite.ask('PUT', finishing(at, blob.digest)), blob);
}
