import { blobPath, deleteBlob } from './content.ts';
import type { Result } from './results.ts';
import type { Suite } from './suite.ts';
import type { BlobPush } from './upload.ts';
import { pushAny } from './ways.ts';

/** What is asked of a blob of 2048 bytes, and from where to where (exclusive) the answer goes; undefined: 416. */
const ranges: Readonly<Record<string, readonly [number, number] | undefined>> = {
  '500-1499': [500, 1500],
  '500-': [500, 2048],
  '-500': [1548, 2048],
  '2000-5000': [2000, 2048],
  '500-0': undefined,
  '5000-10000': undefined,
};

/** Parts of a blob (RFC 9110, section 14). A registry that always sends the whole does not support them. */
export async function checkRanges(suite: Suite, group: Result, blob: BlobPush): Promise<void> {
  const { repository, digest, bytes } = blob;
  if (!(await pushAny(suite, group, blob))) {
    suite.giveUp(group, 'Blob get range', 'the blob that parts are asked of could not be pushed');
    return;
  }
  for (const [range, part] of Object.entries(ranges)) {
    await suite.run(group, `range ${range}`, {
      rows: ['Blob get range'],
      check: async (check) => {
        const answer = await suite.ask('GET', blobPath(repository, digest), { headers: { range: `bytes=${range}` } });
        if (answer.status === 200 && answer.body.equals(bytes))
          return void check.unsupported(`${answer.what}: answered 200 with the whole blob`);
        if (part === undefined) return void check.status(answer, 416);
        const [from, to] = part;
        if (!check.status(answer, 206)) return;
        check.body(answer, bytes.subarray(from, to));
        check.header(answer, 'Content-Length', String(to - from));
        const given = `bytes ${from}-${to - 1}`;
        check.header(answer, 'Content-Range', `${given}/${bytes.length}`, `${given}/*`);
      },
    });
  }
  await deleteBlob(suite, group, repository, digest);
}
