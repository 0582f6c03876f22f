import { randomUUID } from 'node:crypto';
import { accepting, blobPath, manifestPath } from '../content.ts';
import type { Check } from '../check.ts';
import type { Answer } from '../exchange.ts';
import { type FurtherCase, unknownDigest } from './case.ts';

/** The codes that errors in JSON may have. */
const known = new Set([
  'BLOB_UNKNOWN',
  'BLOB_UPLOAD_INVALID',
  'BLOB_UPLOAD_UNKNOWN',
  'DIGEST_INVALID',
  'MANIFEST_BLOB_UNKNOWN',
  'MANIFEST_INVALID',
  'MANIFEST_UNKNOWN',
  'NAME_INVALID',
  'NAME_UNKNOWN',
  'SIZE_INVALID',
  'UNAUTHORIZED',
  'DENIED',
  'UNSUPPORTED',
  'TOOMANYREQUESTS',
]);

/** The codes of an error in JSON; undefined where the body is none. */
export function codesOf({ headers, body }: Answer): readonly string[] | undefined {
  if (!/^application\/(?:[\w.-]+\+)?json\b/i.test(headers['content-type']?.[0] ?? '')) return undefined;
  try {
    const { errors } = Object(JSON.parse(body.toString())) as { errors?: unknown };
    return Array.isArray(errors) ? errors.map((error) => String((Object(error) as { code?: unknown }).code)) : [];
  } catch {
    return [];
  }
}

/** A refusal may be of any format, but JSON has to be as the specification says. */
function understood(check: Check, answer: Answer): void {
  const codes = codesOf(answer);
  if (codes?.length === 0) check.fail(`${answer.what}: the body is JSON without a list of errors`);
  for (const code of codes ?? []) if (!known.has(code)) check.fail(`${answer.what}: there is no error code '${code}'`);
}

export const errorCases: readonly FurtherCase[] = [
  {
    name: 'a repository that is not there is answered 404',
    check: async (suite, check, repository) => {
      const name = `${repository}/never-${randomUUID()}`;
      const answer = await suite.ask('GET', manifestPath(name, 'latest'), accepting);
      if (check.status(answer, 404)) understood(check, answer);
    },
  },
  {
    name: 'HEAD of what is not there is answered 404',
    check: async (suite, check, repository) => {
      check.status(await suite.ask('HEAD', blobPath(repository, unknownDigest())), 404);
      check.status(await suite.ask('HEAD', manifestPath(repository, unknownDigest()), accepting), 404);
      check.status(await suite.ask('HEAD', manifestPath(repository, `never-${randomUUID()}`), accepting), 404);
    },
  },
  {
    name: 'errors in JSON have codes of the specification',
    check: async (suite, check, repository) => {
      for (const path of [
        blobPath(repository, unknownDigest()),
        blobPath(repository, 'sha256:thisisnodigest'),
        manifestPath(repository, unknownDigest()),
        manifestPath(repository, `never-${randomUUID()}`),
      ]) {
        const answer = await suite.ask('GET', path, accepting);
        if (check.status(answer, 400, 404)) understood(check, answer);
      }
    },
  },
];
