import { randomBytes } from 'node:crypto';
import { blobPath } from '../content.ts';
import { digestOf } from '../digest.ts';
import { begin, bytesOf, finished, finishing, uploadsPath } from '../upload.ts';
import type { FurtherCase } from './case.ts';

const uuid = /[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}/i;

export const uploadCases: readonly FurtherCase[] = [
  {
    name: 'the address of an upload has a UUID',
    check: async (suite, check, repository) => {
      const upload = await begin(suite, check, repository);
      if (upload === undefined) return;
      if (!uuid.test(upload.at.pathname + upload.at.search))
        check.fail(`${upload.answer.what}: Location '${upload.at.pathname}' has no UUID`);
      await suite.ask('DELETE', upload.at);
    },
  },
  {
    name: 'a least size of chunks is a number of bytes',
    check: async (suite, check, repository) => {
      const upload = await begin(suite, check, repository);
      if (upload === undefined) return;
      const least = upload.answer.headers['oci-chunk-min-length']?.[0] ?? '1';
      if (!/^[1-9]\d{0,11}$/.test(least)) check.fail(`${upload.answer.what}: OCI-Chunk-Min-Length is '${least}'`);
      await suite.ask('DELETE', upload.at);
    },
  },
  {
    name: 'a cancelled upload is gone',
    devOnly: true,
    check: async (suite, check, repository) => {
      const upload = await begin(suite, check, repository);
      if (upload === undefined || !check.status(await suite.ask('DELETE', upload.at), 204)) return;
      check.status(await suite.ask('GET', upload.at), 404);
      const bytes = randomBytes(64);
      check.status(await suite.ask('PUT', finishing(upload.at, digestOf(bytes)), bytesOf(bytes)), 404);
    },
  },
  {
    name: 'an upload can announce sha512',
    devOnly: true,
    check: async (suite, check, repository) => {
      const answer = await suite.ask('POST', `${uploadsPath(repository)}?digest-algorithm=sha512`);
      if (answer.status === 400) return void check.unsupported(`${answer.what}: answered 400`);
      const at = check.status(answer, 202) ? check.location(answer) : undefined;
      if (at === undefined) return;
      const bytes = randomBytes(64);
      const digest = digestOf(bytes, 'sha512');
      const ended = await suite.ask('PUT', finishing(at, digest), bytesOf(bytes));
      await finished(suite, check, ended, { repository, digest, bytes });
      await suite.ask('DELETE', blobPath(repository, digest));
    },
  },
  {
    name: 'a digest algorithm that nobody knows is refused with 400',
    devOnly: true,
    check: async (suite, check, repository) => {
      const upload = await begin(suite, check, repository);
      if (upload === undefined) return;
      const answer = await suite.ask(
        'PUT',
        finishing(upload.at, 'nonsense:0123456789abcdef'),
        bytesOf(randomBytes(64)),
      );
      if (answer.status < 400) check.fail(`${answer.what}: answered ${answer.status}`);
      else if (answer.status !== 400) check.unsupported(`${answer.what}: answered ${answer.status}`);
      await suite.ask('DELETE', upload.at);
    },
  },
];
