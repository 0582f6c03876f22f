import { appendFileSync, globSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateRepositoryCommand, ECRClient, GetAuthorizationTokenCommand } from '@aws-sdk/client-ecr';
import { freePort } from '@slipway/storage/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pushBlobs, pushSmallImage, type Target } from '../bench/load.ts';
import { run, type CommandResult, until } from '../testbed/command.ts';
import { engineChoices } from '../testbed/engines.ts';
import { ServerProcess } from '../testbed/server-process.ts';

const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const distributed = engineChoices.find(({ name }) => name === 'Redis and S3');
const missing = distributed?.missing();
if (missing !== undefined && process.env['CI'] !== undefined) throw new Error(missing);

describe('slipway storage', () => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-storage-'));
  const data = join(folder, 'data');
  let server: ServerProcess;
  let digests: readonly string[];

  const command = (...args: string[]): Promise<CommandResult> =>
    run(slipway, ['storage', ...args, '--data', data, '--output', 'json'], { env: { SLIPWAY_AGENT: 'off' } });

  const target = async (at: ServerProcess): Promise<Target> => {
    const env = at.aws();
    const client = new ECRClient({
      endpoint: at.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
    });
    const { authorizationData } = await client.send(new GetAuthorizationTokenCommand({}));
    await client.send(new CreateRepositoryCommand({ repositoryName: 'app' })).catch(() => undefined);
    return {
      origin: at.endpoint,
      headers: { authorization: `Basic ${authorizationData?.[0]?.authorizationToken ?? ''}` },
    };
  };

  beforeAll(async () => {
    server = new ServerProcess(await freePort(), data, { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1' });
    await server.start();
    const registry = await target(server);
    await pushSmallImage(registry, 'app', 'v1');
    digests = (await pushBlobs(registry, 'app', 5, 300_000, 2)).digests;
  });

  afterAll(async () => {
    await server.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test('audit finds nothing wrong beside a running server', async () => {
    const result = await command('audit');
    expect(result.stderr).toBe('');
    expect(JSON.parse(result.stdout)).toMatchObject({ blobs: 7, missing: 0, damaged: 0 });
    expect(result.code).toBe(0);
  });

  test('an export beside a running server says what it cannot see, and that the key file is needed', async () => {
    const settings = join(folder, 'beside.env');
    writeFileSync(settings, `SLIPWAY_DATA=${join(folder, 'beside')}\n`);
    // Where a lease was renewed meanwhile, the copies differ, and it is refused with the same advice.
    const done = await until('an export without a lease between', 180_000, async () => {
      const result = await run(slipway, ['storage', 'export', '--settings', settings, '--data', data], {
        env: { SLIPWAY_AGENT: 'off' },
      });
      if (result.code === 0) return result.stdout;
      expect(result.stderr).toMatch(/is not the same in both; is a server still running\?/);
      return undefined;
    });
    expect(done).toMatch(/^exported and verified/);
    expect(done).toMatch(/A server is running on this data \(process \d+\): .* is not in it\. Stop all servers/);
    expect(done).toContain(`The key file ${join(data, 'keys', 'master.key')} is needed with it`);
  });

  test.skipIf(missing !== undefined)(
    'export moves everything to Redis and S3, and a server goes on there',
    async () => {
      const engines = await distributed?.start();
      try {
        await server.stop();
        const settings = join(folder, 'target.env');
        writeFileSync(
          settings,
          Object.entries(engines?.env ?? {})
            .map(([name, value]) => `${name}=${value}`)
            .join('\n'),
        );
        const result = await command('export', '--settings', settings);
        expect(result.stderr).toBe('');
        expect(JSON.parse(result.stdout)).toMatchObject({ blobs: 7, blobsAlreadyThere: 0 });
        const again = await command('export', '--settings', settings);
        expect(again.code, again.stderr).toBe(0);

        const moved = new ServerProcess(await freePort(), data, {
          ...engines?.env,
          SLIPWAY_AGENT: 'off',
          SLIPWAY_WORKERS: '1',
        });
        await moved.start();
        const registry = await target(moved);
        for (const digest of digests) {
          const answer = await fetch(`${registry.origin}/v2/app/blobs/${digest}`, { headers: registry.headers });
          expect(answer.status).toBe(200);
          expect((await answer.arrayBuffer()).byteLength).toBe(300_000);
        }
        expect((await fetch(`${registry.origin}/v2/app/manifests/v1`, { headers: registry.headers })).status).toBe(200);
        await moved.stop();
      } finally {
        await engines?.stop();
      }
    },
    600_000,
  );

  test('audit names a damaged and a missing blob, and exits with 4', async () => {
    const [damaged = '', gone = ''] = digests;
    const fileOf = (digest: string): string =>
      join(data, 'blobs', globSync(`**/${digest.slice(7)}*`, { cwd: join(data, 'blobs') })[0] ?? '');
    appendFileSync(fileOf(damaged), 'x');
    rmSync(fileOf(gone));
    const result = await command('audit', '--repair');
    const report = JSON.parse(result.stdout) as { findings: { kind: string; blob: { digest: string } }[] };
    expect(new Map(report.findings.map(({ kind, blob }) => [kind, blob.digest]))).toEqual(
      new Map([
        ['damaged', damaged],
        ['missing', gone],
      ]),
    );
    expect(result.code).toBe(4);
  });

  test('settings that cannot be read are named, without a stack trace', async () => {
    const result = await command('import', '--settings', join(folder, 'nothing.env'));
    expect(result).toMatchObject({ code: 2, stdout: '' });
    expect(result.stderr).toMatch(/^slipway: cannot read the settings in .*nothing\.env/);
    expect(result.stderr).not.toMatch(/\n\s+at /);
  });
});
