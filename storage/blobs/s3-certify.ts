import { BlobMissing, StagedLost } from './blob-store.ts';
import type { S3Client } from './s3-client.ts';

export interface Check {
  readonly name: string;
  readonly passed: boolean;
  /** Without it nothing is safe, and the store is refused. */
  readonly essential: boolean;
  /** What went wrong, or how it was seen to be right. */
  readonly detail: string;
}

/** What a store was seen to do; shown to operators. */
export interface Certificate {
  readonly checks: readonly Check[];
}

const mebibyte = 1024 * 1024;

/** Tries what the driver relies on, with a few small objects that it removes again. */
export async function certify(client: S3Client, run: string): Promise<Certificate> {
  const checks: Check[] = [];
  const check = async (name: string, essential: boolean, look: () => Promise<void>): Promise<void> => {
    try {
      await look();
      checks.push({ name, essential, passed: true, detail: 'as expected' });
    } catch (error) {
      checks.push({ name, essential, passed: false, detail: (error as Error).message });
    }
  };
  const small = `check/${run}-small`;
  const large = `check/${run}-large`;
  const listed = async (): Promise<boolean> => {
    for await (const { key } of client.list('check/')) if (key === small) return true;
    return false;
  };
  await check('an object is read as soon as it is written', true, async () => {
    await client.put(small, Buffer.from('first'));
    expectSame(await text(client, small, 0, 4), 'first');
    expectSame((await client.head(small)).size, 5);
  });
  await check('an object that was written again is read as it is now', true, async () => {
    await client.put(small, Buffer.from('second'));
    expectSame(await text(client, small, 0, 5), 'second');
  });
  await check('a range is read exactly', true, async () => expectSame(await text(client, small, 2, 3), 'co'));
  await check('a list shows a new object at once', false, async () => expectSame(await listed(), true));
  await check('an object is gone as soon as it is removed', true, async () => {
    await client.remove(small);
    const found = await client.head(small).catch((error: unknown) => {
      if (!(error instanceof BlobMissing)) throw error;
      return undefined;
    });
    expectSame(found, undefined);
    // Removing what is not there is harmless.
    await client.remove(small);
  });
  await check('a list forgets a removed object at once', false, async () => expectSame(await listed(), false));
  await check('an upload in parts becomes one object, which is not there before', true, async () => {
    const upload = await client.startUpload(large);
    const first = await client.putPart(large, upload, 1, Buffer.alloc(5 * mebibyte, 'a'));
    const second = await client.putPart(large, upload, 2, Buffer.from('tail'));
    const early = await client.head(large).catch(() => undefined);
    expectSame(early, undefined);
    await client.completeUpload(large, upload, [first, second], 5 * mebibyte + 4);
    expectSame(await text(client, large, 5 * mebibyte - 2, 5 * mebibyte + 3), 'aatail');
    await client.remove(large);
  });
  await check('an upload in parts that was aborted takes no more', false, async () => {
    const upload = await client.startUpload(large);
    await client.abortUpload(large, upload);
    const refusal = await client.putPart(large, upload, 1, Buffer.from('late')).catch((error: unknown) => error);
    expectSame(refusal instanceof StagedLost, true);
  });
  return { checks };
}

async function text(client: S3Client, key: string, start: number, end: number): Promise<string> {
  return (await client.readWhole(key, start, end)).toString();
}

function expectSame(actual: unknown, expected: unknown): void {
  if (actual !== expected) throw new Error(`expected ${String(expected)}, the store gave ${String(actual)}`);
}
