import { describe, expect, test } from 'vitest';
import { parseRepositoryName } from '../images/index.ts';
import { loggedIn } from '../testing/docker-client.ts';
import { engineNames, missingEngine, startEngines } from '../testing/engines.ts';
import { account, serveRegistry } from '../testing/serve-registry.ts';
import { digestOf } from '../testing/traffic.ts';

const type = 'application/vnd.oci.image.index.v1+json';
const indexOf = (count: number): Buffer =>
  Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType: type, manifests: [], annotations: { count: String(count) } }),
  );

describe.each(engineNames)('on %s', (engine) => {
  test.skipIf(missingEngine(engine) !== undefined)(
    'reads that repeat themselves see what another server has just acknowledged, also what it took away',
    async () => {
      await using engines = await startEngines(engine);
      await using first = await serveRegistry(engines);
      const { folder, credentials } = first;
      await using second = await serveRegistry({ ...engines, folder, keepFolder: true, credentials });
      await first.images.repositories.create(account, { name: parseRepositoryName('reads/a') }, 'test');
      const here = await loggedIn(first);
      const there = await loggedIn(second);
      const path = '/v2/reads/a/manifests/v1';
      const rounds = engine === 'SQLite and files' ? 150 : 40;
      for (let count = 0; count < rounds; count++) {
        const bytes = indexOf(count);
        const [writer, reader] = count % 2 === 0 ? [here, there] : [there, here];
        const put = await writer('PUT', path, { headers: { 'content-type': type }, body: bytes });
        expect(put.status).toBe(201);
        for (const client of [reader, writer, reader]) {
          expect((await client('HEAD', path)).headers.get('docker-content-digest')).toBe(digestOf(bytes));
          const got = await client('GET', path);
          expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true);
        }
        const byDigest = `/v2/reads/a/manifests/${digestOf(bytes)}`;
        expect((await reader('HEAD', byDigest)).status).toBe(200);
        expect((await writer('DELETE', byDigest)).status).toBe(202);
        for (const gone of [path, byDigest]) expect((await reader('HEAD', gone)).status).toBe(404);
      }
      expect([...first.failures, ...second.failures]).toEqual([]);
    },
  );
});
