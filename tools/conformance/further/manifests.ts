import { randomBytes, randomUUID } from 'node:crypto';
import { accepting, manifestPath, putManifest } from '../content.ts';
import { DataSet, type ManifestData } from '../data-set.ts';
import { types } from '../media-types.ts';
import { silently } from '../upload.ts';
import { codesOf } from './errors.ts';
import { type FurtherCase, unknownDigest, withContent } from './case.ts';

/** More than any registry is known to take. */
const tooLarge = 32 * 2 ** 20;
const tagsAtOnce = 10;

/** A small image that no run had before. */
function newImage(tags: readonly string[] = []): { readonly set: DataSet; readonly manifest: ManifestData } {
  const set = new DataSet();
  set.addImage({ payload: { kind: 'artifact', layerType: types.bytes } });
  const [manifest] = set.manifests;
  if (manifest === undefined) throw new Error('an image is a manifest');
  for (const tag of tags) set.tags.set(tag, manifest.digest);
  return { set, manifest };
}

export const manifestCases: readonly FurtherCase[] = [
  {
    name: 'parameters of the content type are not kept',
    check: async (suite, check, repository) => {
      const { set, manifest } = newImage();
      await withContent(suite, check, repository, set, async () => {
        const path = manifestPath(repository, manifest.digest);
        const mediaType = `${manifest.mediaType}; charset=utf-8`;
        const pushed = await putManifest(suite, path, { ...manifest, mediaType });
        if (pushed.status >= 400) return void check.unsupported(`${pushed.what}: answered ${pushed.status}`);
        const answer = await suite.ask('GET', path, accepting);
        if (check.status(answer, 200) && answer.headers['content-type']?.[0] !== manifest.mediaType)
          check.unsupported(`${answer.what}: Content-Type is '${answer.headers['content-type']?.[0] ?? ''}'`);
      });
    },
  },
  {
    name: 'a deleted manifest takes its tags along',
    check: async (suite, check, repository) => {
      const tag = `further-${randomUUID()}`;
      const { set, manifest } = newImage([tag]);
      await withContent(suite, check, repository, set, async () => {
        const answer = await suite.ask('DELETE', manifestPath(repository, manifest.digest));
        if ([400, 405].includes(answer.status))
          return void check.unsupported(`${answer.what}: answered ${answer.status}`);
        if (check.status(answer, 202))
          check.status(await suite.ask('GET', manifestPath(repository, tag), accepting), 404);
      });
    },
  },
  {
    name: 'a moved tag names what was pushed last',
    check: async (suite, check, repository) => {
      const tag = `further-${randomUUID()}`;
      const [first, second] = [newImage([tag]), newImage()];
      await withContent(suite, check, repository, first.set, () =>
        withContent(suite, check, repository, second.set, async () => {
          check.status(await putManifest(suite, manifestPath(repository, tag), second.manifest), 201);
          const answer = await suite.ask('GET', manifestPath(repository, tag), accepting);
          if (check.status(answer, 200)) check.body(answer, second.manifest.bytes);
        }),
      );
    },
  },
  {
    name: 'a manifest whose blob is not there is taken, or refused for that reason',
    check: async (suite, check, repository) => {
      const set = new DataSet();
      const config = set.addBlob(randomBytes(16), types.config);
      set.addManifest(config, [{ mediaType: types.layer, digest: unknownDigest(), size: 77 }]);
      const [manifest] = set.manifests.splice(0);
      if (manifest === undefined) return;
      await withContent(suite, check, repository, set, async () => {
        const path = manifestPath(repository, manifest.digest);
        const answer = await putManifest(suite, path, manifest);
        if (answer.status === 201) await suite.ask('DELETE', path);
        else if (!codesOf(answer)?.includes('MANIFEST_BLOB_UNKNOWN'))
          check.fail(`${answer.what}: answered ${answer.status} without MANIFEST_BLOB_UNKNOWN`);
      });
    },
  },
  {
    name: 'a manifest that is too large is refused with 413',
    check: async (suite, check, repository) => {
      const path = manifestPath(repository, `further-${randomUUID()}`);
      const manifest = { mediaType: types.image, bytes: Buffer.alloc(tooLarge, ' ') };
      const answer = await silently(putManifest(suite, path, manifest, { hesitant: true }));
      if (answer === undefined) return void check.unsupported('the connection was closed instead of an answer');
      if (answer.status < 400 || answer.status >= 500) check.fail(`${answer.what}: answered ${answer.status}`);
      else if (answer.status !== 413) check.unsupported(`${answer.what}: answered ${answer.status}`);
    },
  },
  {
    name: 'ten tags come with one push',
    devOnly: true,
    check: async (suite, check, repository) => {
      const { set, manifest } = newImage();
      const tags = Array.from({ length: tagsAtOnce }, () => `further-${randomUUID()}`);
      await withContent(suite, check, repository, set, async () => {
        const query = tags.map((tag) => `tag=${tag}`).join('&');
        const answer = await putManifest(suite, `${manifestPath(repository, manifest.digest)}?${query}`, manifest);
        if ([414, 431].includes(answer.status))
          return void check.unsupported(`${answer.what}: answered ${answer.status}`);
        if (!check.status(answer, 201)) return;
        for (const tag of tags) set.tags.set(tag, manifest.digest);
        const taken = (answer.headers['oci-tag'] ?? []).join(',');
        for (const tag of tags) {
          if (!taken.includes(tag)) check.unsupported(`${answer.what}: OCI-Tag does not name '${tag}'`);
          else check.status(await suite.ask('HEAD', manifestPath(repository, tag), accepting), 200);
        }
      });
    },
  },
  {
    name: 'a namespace that was looked at is named',
    devOnly: true,
    check: async (suite, check, repository) => {
      const { set, manifest } = newImage();
      await withContent(suite, check, repository, set, async () => {
        const answer = await suite.ask(
          'GET',
          `${manifestPath(repository, manifest.digest)}?ns=registry.example`,
          accepting,
        );
        // A registry may not know the parameter, or know nothing of that host.
        if (check.status(answer, 200, 404) && answer.headers['oci-namespace'] !== undefined)
          check.header(answer, 'OCI-Namespace', 'registry.example');
      });
    },
  },
];
