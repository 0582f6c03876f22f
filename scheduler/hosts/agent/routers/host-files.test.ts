import { randomUUID } from 'node:crypto';
import { connect, createServer } from 'node:net';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type Docker from 'dockerode';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { run } from '../network/index.ts';
import { HostFiles, type HostFilesOptions } from './host-files.ts';
import { RouterError } from './port.ts';

const engine = (drivers: readonly string[], api: string, socketPath: string | undefined = '/var/run/docker.sock') =>
  ({
    modem: socketPath === '' ? {} : { socketPath },
    info: () => Promise.resolve({ Plugins: { Log: drivers } }),
    version: () => Promise.resolve({ ApiVersion: api }),
  }) as unknown as Docker;

const usual = engine(['json-file', 'fluentd'], '1.41');
const missing =
  process.geteuid?.() === 0 && process.platform === 'linux'
    ? undefined
    : 'they are in a file system that root on Linux mounts';
if (missing !== undefined && process.env['CI']) throw new Error(missing);

describe('a host without log routers says why', () => {
  test.each([
    ['a remote engine', { docker: engine(['fluentd'], '1.41', '') }, /not reached by a local socket/],
    ['no driver', { docker: engine(['json-file'], '1.41') }, /no log driver 'fluentd'/],
    ['an old engine', { docker: engine(['fluentd'], '1.40') }, /older than 20.10/],
  ])('%s', async (_what, options, why) => {
    const files = new HostFiles({ agentId: 'me', run, ...options });
    expect(await files.reason()).toMatch(why);
    await expect(files.prepare('0123', '')).rejects.toThrow(RouterError);
  });
});

describe.skipIf(missing !== undefined)(
  `the files of log routers${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    let folder: string;
    let files: HostFiles;
    const id = randomUUID().replaceAll('-', '');
    const make = (more: Partial<HostFilesOptions> = {}) =>
      new HostFiles({ agentId: 'me', docker: usual, run, root: join(folder, 'routers'), ...more });

    beforeEach(async () => {
      folder = await mkdtemp(join(tmpdir(), 'slipway-routers-'));
      files = make();
    });
    afterEach(async () => {
      await files.sweep(new Set());
      await rm(folder, { recursive: true });
    });

    test('are made, made again, and go with the task and nothing else', async () => {
      expect(await files.reason()).toBeUndefined();
      // What was tried left nothing.
      expect(existsSync(join(folder, 'routers'))).toBe(false);
      const made = await files.prepare(id, 'one');
      expect(await make().prepare(id, 'two')).toEqual(made);
      expect(await readFile(made.configuration, 'utf8')).toBe('two');
      expect((await stat(made.configuration)).mode & 0o777).toBe(0o644);
      expect((await stat(made.folder)).mode & 0o777).toBe(0o777);
      expect((await stat(join(folder, 'routers'))).mode & 0o777).toBe(0o700);
      expect(files.socket(id)).toBe(join(made.folder, 'fluent.sock'));
      expect(new HostFiles({ agentId: 'a'.repeat(64), docker: usual, run }).socket(id).length).toBeLessThan(100);
      expect(existsSync(made.added)).toBe(false);
      const other = await files.prepare('other', '', 'added');
      expect(await readFile(other.added, 'utf8')).toBe('added');
      await files.remove(id);
      await files.remove(id);
      expect([existsSync(made.folder), existsSync(other.folder)]).toEqual([false, true]);
      expect(await make().sweep(new Set(['other']))).toBe(0);
      expect(await make().sweep(new Set())).toBe(1);
      expect(existsSync(join(folder, 'routers'))).toBe(false);
    });

    test('a link that a router puts in the place of its socket leads the engine nowhere', async () => {
      const made = await files.prepare(id, '');
      const secret = join(folder, 'engine.sock');
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(secret, resolve));
      try {
        await symlink(secret, join(made.folder, 'fluent.sock'));
        const failed = await new Promise<NodeJS.ErrnoException>((resolve, reject) => {
          connect(files.socket(id), () => reject(new Error('the link was followed'))).on('error', resolve);
        });
        expect(failed.code).toBe('ELOOP');
      } finally {
        await new Promise((resolve) => server.close(resolve));
      }
    });

    test('what a host cannot mount, or mounts otherwise, is no place for a router', async () => {
      const refused = make({ run: () => Promise.reject(new Error('mount: permission denied')) });
      expect(await refused.reason()).toMatch(/cannot be mounted: .*permission denied/);
      const at = join(folder, 'routers', '2744ccd10c75', 'probe');
      const followed = make({
        run: () => Promise.resolve(''),
        mounts: () => Promise.resolve(`1 2 0:1 / ${at} rw,nosuid - tmpfs slipway-router rw\n`),
      });
      expect(await followed.reason()).toMatch(/cannot be mounted: .*follows symbolic links/);
      await expect(followed.prepare(id, '')).rejects.toThrow('runs no log routers');
    });

    test.each(['../etc', 'a/b', '', '.', 'x'.repeat(65)])('%j is no id of a task', async (name) => {
      await expect(files.prepare(name, '')).rejects.toThrow('is no id of a task');
      expect(() => files.socket(name)).toThrow(RouterError);
    });
  },
);
