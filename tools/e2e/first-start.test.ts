import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DescribeRepositoriesCommand, ECRClient } from '@aws-sdk/client-ecr';
import { freePort } from '@slipway/storage/testing';
import { afterAll, expect, test } from 'vitest';
import { run } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';

const slipway = join(import.meta.dirname, '..', 'bin', 'slipway');
const folder = mkdtempSync(join(tmpdir(), 'slipway-first-start-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const serverIn = (port: number, name: string, env: Readonly<Record<string, string>> = {}): ServerProcess =>
  new ServerProcess(port, join(folder, name), { SLIPWAY_AGENT: 'off', SLIPWAY_WORKERS: '1', ...env });

/** Whether the administrator's key that the server's folder has is good. */
async function keyWorks(server: ServerProcess): Promise<boolean> {
  const env = server.aws();
  const client = new ECRClient({
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: env['AWS_ACCESS_KEY_ID'] ?? '', secretAccessKey: env['AWS_SECRET_ACCESS_KEY'] ?? '' },
  });
  const { repositories } = await client.send(new DescribeRepositoriesCommand({}));
  client.destroy();
  return Array.isArray(repositories);
}

const occupy = (port: number): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer().listen(port, '127.0.0.1', () => resolve(server));
  });

test("when the port is taken at the first start, the second has the administrator's key", async () => {
  const port = await freePort();
  const other = await occupy(port);
  const server = serverIn(port, 'taken');
  await expect(server.start()).rejects.toThrow(`port ${port} on 127.0.0.1 is taken`);
  await new Promise((resolve) => other.close(resolve));
  await server.start();
  expect(await keyWorks(server)).toBe(true);
  const written = server.aws();
  await server.stop();
  await server.start();
  expect(server.aws()).toEqual(written);
  await server.stop();
});

test.each([
  ['before the key is written', 'renameSync'],
  ['before the folder of the key is on the disk', 'fsyncSync'],
])('a first start that is killed %s leaves the key to the next', async (_when, call) => {
  const hook = join(folder, `${call}.mjs`);
  writeFileSync(
    hook,
    `import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
const real = fs.${call};
let written = false;
const rename = fs.renameSync;
fs.renameSync = (from, to) => { rename(from, to); written ||= to.endsWith('credentials'); };
fs.${call} = (...args) => {
  if (${call === 'renameSync' ? "args[1].endsWith('credentials')" : 'written'}) process.kill(process.pid, 'SIGKILL');
  return real(...args);
};
syncBuiltinESMExports();
`,
  );
  const port = await freePort();
  const killed = serverIn(port, call, { NODE_OPTIONS: `--import=${hook}` });
  await expect(killed.start()).rejects.toThrow('SIGKILL');
  const server = serverIn(port, call);
  await server.start();
  expect(await keyWorks(server)).toBe(true);
  await server.stop();
});

test('a file that is lost is written again by whoever has the stores and the key file', async () => {
  const server = serverIn(await freePort(), 'lost');
  await server.start();
  const written = server.aws();
  rmSync(join(server.data, 'credentials'));
  const env = { ...server.environment, AWS_ENDPOINT_URL: undefined };
  const lost = await run(slipway, ['env'], { env });
  expect([lost.code, lost.stderr]).toEqual([1, expect.stringContaining('slipway env --recover')]);
  const recovered = await run(slipway, ['env', '--recover', '--output', 'json'], { env });
  expect(JSON.parse(recovered.stdout), recovered.stderr).toEqual(written);
  expect(await keyWorks(server)).toBe(true);
  await server.stop();
});
