import type { Check } from './check.ts';
import type { Suite } from './suite.ts';
import { type BlobPush, finished, uploadsPath } from './upload.ts';
import { fallBack } from './ways.ts';

/** Mounts a blob from another repository, or from wherever it is when no source is named. */
export async function mount(suite: Suite, check: Check, blob: BlobPush, from?: string): Promise<void> {
  const query = new URLSearchParams({ mount: blob.digest, ...(from === undefined ? {} : { from }) });
  const answer = await suite.ask('POST', `${uploadsPath(blob.repository)}?${query.toString()}`);
  if (!check.status(answer, 201, 202)) return;
  if (answer.status === 201) return finished(suite, check, answer, blob, false);
  const pushed = await fallBack(suite, check, answer, blob);
  if (pushed?.status === 201) await finished(suite, check, pushed, blob, false);
  check.unsupported(`${answer.what}: answered 202, nothing was mounted`);
}

/** What nobody has pushed cannot be mounted: the answer must be an upload that works, and not a blob. */
export async function mountMissing(suite: Suite, check: Check, blob: BlobPush, from: string): Promise<void> {
  const before = check.findings.length;
  await mount(suite, check, blob, from);
  const found = check.findings.splice(before);
  check.findings.push(...found.filter(({ kind }) => kind === 'failed'));
  if (found.length === 0) check.fail('a blob was mounted that nobody had pushed');
}
