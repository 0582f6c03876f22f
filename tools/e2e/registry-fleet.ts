import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EngineName, type Engines, startEngines } from '@slipway/registry/testing';
import { freePort } from '@slipway/storage/testing';
import { makeRepositories, passwordOf } from '../bench/registry-target.ts';
import { ServerProcess, until } from '../testbed/index.ts';

/** Server processes on one store, to be killed one at a time. */
export interface RegistryFleet extends AsyncDisposable {
  readonly servers: readonly ServerProcess[];
  readonly authorization: string;
}

/** Kills a server as it stands and starts it again. Its workers end by themselves a moment later and free the port. */
export async function killAndRestart(server: ServerProcess | undefined): Promise<void> {
  if (server === undefined) return;
  await server.stop('SIGKILL');
  await until('the workers of the killed server to end', 180_000, () => isFree(server.port), 50);
  await server.start();
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

/** The variables that name these engines to a server. */
export function settingsOf({ storage }: Pick<Engines, 'storage'>): Record<string, string> {
  const { records, blobs } = storage ?? {};
  if (records?.type !== 'redis' || blobs?.type !== 's3') return {};
  return {
    SLIPWAY_RECORDS: String(records.url),
    SLIPWAY_BLOBS: 's3',
    SLIPWAY_S3_ENDPOINT: blobs.endpoint,
    SLIPWAY_S3_BUCKET: blobs.bucket,
    SLIPWAY_S3_ACCESS_KEY_ID: blobs.accessKeyId,
    SLIPWAY_S3_SECRET_ACCESS_KEY: blobs.secretAccessKey,
    SLIPWAY_REDIRECTS: 'off',
  };
}

/** Two servers on Redis and S3; on SQLite and files one, which has to come back before its clients can go on. */
export async function startRegistryFleet(engine: EngineName, repositories: readonly string[]): Promise<RegistryFleet> {
  await using opened = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'slipway-fleet-'));
  opened.defer(() => rmSync(folder, { recursive: true, force: true }));
  const engines = opened.use(await startEngines(engine));
  const shared = settingsOf(engines);
  const servers: ServerProcess[] = [];
  for (let index = 0; index < (engines.storage === undefined ? 1 : 2); index++) {
    const server = new ServerProcess(await freePort(), join(folder, `server-${index}`), {
      ...shared,
      SLIPWAY_AGENT: 'off',
      SLIPWAY_LOG: 'error',
      SLIPWAY_KEY_FILE: join(folder, 'master.key'),
      SLIPWAY_CREDENTIALS_FILE: join(folder, 'credentials'),
    });
    await server.start();
    opened.defer(async () => void (await server.stop('SIGKILL')));
    servers.push(server);
  }
  const [first] = servers as [ServerProcess];
  await makeRepositories(first, repositories);
  const authorization = `Basic ${Buffer.from(`AWS:${await passwordOf(first)}`).toString('base64')}`;
  const closing = opened.move();
  return { servers, authorization, [Symbol.asyncDispose]: () => closing.disposeAsync() };
}
