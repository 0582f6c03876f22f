import { manifestPath } from '../content.ts';
import { DataSet, type Descriptor } from '../data-set.ts';
import { types } from '../media-types.ts';
import { referrersPath } from '../referrers.ts';
import { type FurtherCase, unknownDigest, withContent } from './case.ts';

/** An image, an artifact that refers to it, and an index of no type that does too. */
function referredTo(): {
  readonly set: DataSet;
  readonly subject: Descriptor;
  readonly artifact: Descriptor;
  readonly index: Descriptor;
} {
  const set = new DataSet();
  const payload = { kind: 'artifact', layerType: types.bytes } as const;
  const subject = set.addImage({ payload });
  const artifact = set.addImage({ subject, artifactType: types.exampleOne, payload });
  const index = set.addIndex([], { subject });
  return { set, subject, artifact, index };
}

export const referrerCases: readonly FurtherCase[] = [
  {
    name: 'referrers of what is no digest are refused with 400',
    check: async (suite, check, repository) =>
      check.status(await suite.ask('GET', referrersPath(repository, 'sha256:thisisnodigest')), 400),
  },
  {
    name: 'an index without a type is listed without one',
    check: async (suite, check, repository) => {
      const { set, subject, index } = referredTo();
      await withContent(suite, check, repository, set, async () => {
        const answer = await suite.ask('GET', referrersPath(repository, subject.digest));
        const entry = check.descriptors(answer)?.find(({ digest }) => digest === index.digest);
        if (entry === undefined) check.fail(`${answer.what}: the index is not listed`);
        else if ('artifactType' in entry)
          check.fail(`${answer.what}: the index has the type '${String(entry['artifactType'])}'`);
      });
    },
  },
  {
    name: 'a type that no referrer has gives an empty list',
    check: async (suite, check, repository) => {
      const { set, subject } = referredTo();
      await withContent(suite, check, repository, set, async () => {
        const answer = await suite.ask('GET', referrersPath(repository, subject.digest, types.exampleTwo));
        const count = check.descriptors(answer)?.length ?? 0;
        if (answer.headers['oci-filters-applied'] === undefined)
          check.unsupported(`${answer.what}: there is no OCI-Filters-Applied`);
        else if (count > 0) check.fail(`${answer.what}: lists ${count} referrers`);
      });
    },
  },
  {
    name: 'a deleted referrer is not listed any more',
    check: async (suite, check, repository) => {
      const { set, subject, artifact } = referredTo();
      await withContent(suite, check, repository, set, async () => {
        const removed = await suite.ask('DELETE', manifestPath(repository, artifact.digest));
        if ([400, 405].includes(removed.status))
          return void check.unsupported(`${removed.what}: answered ${removed.status}`);
        const answer = await suite.ask('GET', referrersPath(repository, subject.digest));
        if (check.descriptors(answer)?.some(({ digest }) => digest === artifact.digest))
          check.fail(`${answer.what}: still lists ${artifact.digest}`);
      });
    },
  },
  {
    name: 'what nobody refers to has an empty list',
    check: async (suite, check, repository) => {
      const answer = await suite.ask('GET', referrersPath(repository, unknownDigest()));
      const count = check.descriptors(answer)?.length ?? 0;
      if (count > 0) check.fail(`${answer.what}: lists ${count} referrers`);
    },
  },
];
