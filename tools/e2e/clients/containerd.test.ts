import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Client } from '../../testbed/clients/client.ts';
import { startDaemon } from '../../testbed/clients/daemon.ts';
import { blobsOf, makeSampleImage } from '../../testbed/clients/oci-layout.ts';
import { installedClient, newerClient } from '../../testbed/clients/programs.ts';
import { type ClientRegistry, count, startClientRegistry } from '../../testbed/clients/registry.ts';
import { check } from '../../testbed/command.ts';

/** containerd's own resolver, which Kubernetes uses, and the docker engine with the containerd image store. */
const generations = [
  { age: 'installed', containerd: installedClient('containerd'), ctr: installedClient('ctr') },
  { age: 'newer', containerd: await newerClient('containerd'), ctr: await newerClient('ctr') },
];
let registry: ClientRegistry;

beforeAll(async () => void (registry = await startClientRegistry()));
afterAll(async () => registry[Symbol.asyncDispose]());

describe.each(generations)('$age', ({ age, containerd, ctr: ctrProgram }) => {
  test.skipIf(containerd.missing ?? ctrProgram.missing)(
    'ctr pushes an image of two architectures, mounts it into another repository, pulls it again byte for byte',
    async () => {
      const home = join(registry.folder, age);
      const server = new Client(containerd, home);
      const state = ['--root', join(server.folder, 'root'), '--state', join(server.folder, 'state')];
      writeFileSync(
        join(server.folder, 'config.toml'),
        'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n',
      );
      // ctr unpacks in its own process, so both work in the daemon's folder.
      const ctr = (socket: string): Client =>
        new Client({ ...ctrProgram, name: 'containerd' }, home, ['--address', socket]);
      await using daemon = await startDaemon(
        server,
        (socket) => ['--config', join(server.folder, 'config.toml'), ...state, '--address', socket],
        (socket) => ctr(socket).do('version'),
      );
      const client = ctr(daemon.socket);
      const { folder, digest } = makeSampleImage(join(client.folder, 'sample'));
      await check('tar', ['-cf', 'sample.tar', '-C', folder, '.'], { cwd: client.folder });
      const all = ['--all-platforms'];
      const one = `${registry.host}/${age}/one`;
      const two = `${registry.host}/${age}/two`;
      const login = ['--plain-http', '--user', `AWS:${registry.password}`];
      await client.do('images', 'import', ...all, '--no-unpack', '--base-name', one, 'sample.tar');
      const local = `${one}:latest`;
      expect(await client.do('images', 'ls')).toMatch(new RegExp(`${local} .*${digest}`));
      expect((await client.try(['images', 'push', '--plain-http', `${one}:v1`, local])).stderr).toMatch(
        /authorization failed|401|unauthorized|no basic auth/i,
      );
      await client.do('images', 'push', ...login, `${one}:v1`, local);
      await client.do('images', 'pull', ...all, ...login, `${one}:v1`);
      await registry.requests();
      await client.do('images', 'push', ...login, `${two}:v1`, `${one}:v1`);
      const copied = await registry.requests();
      expect(count(copied, 'POST mount', 201)).toBe(5);
      expect(count(copied, 'PUT upload', 201)).toBe(0);
      await client.do('images', 'rm', '--sync', ...(await client.do('images', 'ls', '-q')).split('\n'));
      expect(await client.do('content', 'ls', '-q')).toBe('');
      await registry.requests();
      await client.do('images', 'pull', ...all, ...login, `${two}:v1`);
      const pulled = await registry.requests();
      expect(count(pulled, 'GET blob', 200)).toBe(5);
      // Read where containerd keeps them: newer ones' `ctr images export` now and then ends before its file is whole.
      const content = join(server.folder, 'root', 'io.containerd.content.v1.content');
      expect(blobsOf(content)).toEqual(blobsOf(folder));
    },
    600_000,
  );
});
