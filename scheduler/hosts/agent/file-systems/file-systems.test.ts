import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { taskSchema } from '../../wire/index.ts';
import { mountsIn } from '../mountinfo.ts';
import { folderArchive } from './folder-archive.ts';
import { isFolderOf, volumePoint } from './mounts.ts';
import { commandUser, isHeldToUser, refuseUser, userOf } from './users.ts';

const runs = process.env['SLIPWAY_TEST_SIZE'] === 'large' ? 20_000 : 500;

const escaped = (path: string): string =>
  path.replaceAll(/[\s\\]/g, (letter) => `\\${letter.charCodeAt(0).toString(8).padStart(3, '0')}`);
const line = (device: string, root: string, point: string): string =>
  `171 154 ${device} ${escaped(root)} ${escaped(point)} rw,relatime master:8 - ext4 /dev/vda rw`;

describe('what was mounted', () => {
  const share = line('254:0', '/srv/efs', '/share');
  test.each([
    ['a folder of the file system', line('254:0', '/srv/efs/fs-1/a/b', '/volumes/0'), true],
    ['the file system itself', line('254:0', '/srv/efs/fs-1', '/volumes/0'), false],
    ['what a link to the host led to', line('254:0', '/etc', '/volumes/0'), false],
    ['what a link to another file system led to', line('254:0', '/srv/efs/fs-2/a/b', '/volumes/0'), false],
    ['a folder of the same name on another disk', line('254:1', '/srv/efs/fs-1/a/b', '/volumes/0'), false],
    [
      'a mount that was covered by another one',
      `${line('254:0', '/srv/efs/fs-1/a/b', '/volumes/0')}\n${line('254:0', '/etc', '/volumes/0')}`,
      false,
    ],
    ['nothing', '', false],
    ['a line that is none', 'garbage', false],
  ])('%s', (_what, mounted, right) => {
    expect(isFolderOf(mountsIn(`${share}\n${mounted}\n`), volumePoint(0), 'fs-1/a/b')).toBe(right);
  });

  test('a share that is a disk of its own has the root of that disk', () => {
    const mounts = mountsIn(`${line('0:50', '/', '/share')}\n${line('0:50', '/fs-1', '/volumes/1')}`);
    expect(isFolderOf(mounts, volumePoint(1), 'fs-1')).toBe(true);
    expect(isFolderOf(mountsIn(line('0:50', '/fs-1', '/volumes/1')), volumePoint(1), 'fs-1')).toBe(false);
  });

  test('of all paths below a share, one alone is the folder that is meant', () => {
    const name = fc.string({ unit: fc.constantFrom('a', '.', ' ', '\\', 'é', '\t'), minLength: 1, maxLength: 4 });
    const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((names) => names.join('/'));
    fc.assert(
      fc.property(path, path, path, (root, folder, other) => {
        const mounts = mountsIn(
          `${line('1:1', `/${root}`, '/share')}\n${line('1:1', `/${root}/${other}`, '/volumes/0')}`,
        );
        expect(isFolderOf(mounts, volumePoint(0), folder)).toBe(folder === other);
      }),
      { numRuns: runs },
    );
  });
});

test('no path of a file system that leads up is taken from a payload', () => {
  const parse = (path: string) =>
    taskSchema.safeParse({
      arn: 'arn:aws:ecs:us-east-1:000000000000:task/default/abc',
      family: 'web',
      version: '1',
      desiredStatus: 'RUNNING',
      containers: [],
      volumes: [{ name: 'v', type: 'efs', fileSystem: { id: 'fs-0123456789abcdef0', path } }],
    }).success;
  expect(['/', '/a', '/a/b c', '/..a', '/a..'].map(parse)).toEqual([true, true, true, true, true]);
  expect(['', 'a', '/..', '/.', '/a/../b', '//a', '/a/', '/a\0b', '/a\nb'].map(parse)).toEqual(Array(9).fill(false));
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('/', '.', 'a', '\0', '\n', '\\'), maxLength: 12 }), (path) => {
      const up = path.split('/').some((name) => name === '..' || name === '.');
      expect(parse(path) && (up || /[\0\n]/.test(path))).toBe(false);
    }),
    { numRuns: runs },
  );
});

describe('the archive that makes folders', () => {
  test('names them with their owners and modes, as tar has it', () => {
    const archive = folderArchive([{ path: 'a/b', uid: 1000, gid: 4_294_967_295, mode: 0o750 }]);
    expect(archive.length).toBe(512 + 1024);
    expect(archive.toString('latin1', 0, 4)).toBe('a/b/');
    expect(archive.toString('latin1', 100, 107)).toBe('0000750');
    expect(archive.toString('latin1', 108, 115)).toBe('0001750');
    expect([...archive.subarray(116, 124)]).toEqual([0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    expect(archive.toString('latin1', 156, 157)).toBe('5');
    const sum = Number.parseInt(archive.toString('latin1', 148, 154), 8);
    const blank = Buffer.from(archive.subarray(0, 512));
    blank.fill(' ', 148, 156);
    expect(sum).toBe(blank.reduce((total, byte) => total + byte, 0));
  });

  test('a path of the longest length has its beginning in the other field', () => {
    const path = `${'a'.repeat(120)}/${'b'.repeat(90)}`;
    const archive = folderArchive([{ path, uid: 0, gid: 0, mode: 0o755 }]);
    expect(archive.toString('latin1', 0, 91)).toBe(`${'b'.repeat(90)}/`);
    expect(archive.toString('latin1', 345, 345 + 120)).toBe('a'.repeat(120));
    expect(() => folderArchive([{ path: 'a'.repeat(240), uid: 0, gid: 0, mode: 0o755 }])).toThrow('too long');
  });
});

describe('as whom containers have files', () => {
  const id = 'fs-0123456789abcdef0';
  const user = { uid: 1000, gid: 1000, secondaryGids: [2000] };
  const task = (fileSystems: readonly object[]) =>
    taskSchema.parse({
      arn: 'arn:aws:ecs:us-east-1:000000000000:task/default/abc',
      family: 'web',
      version: '1',
      desiredStatus: 'RUNNING',
      containers: [
        {
          name: 'main',
          image: 'busybox',
          mountPoints: fileSystems.map((_, index) => ({ sourceVolume: `v${index}`, containerPath: `/v${index}` })),
        },
        { name: 'beside', image: 'busybox', volumesFrom: [{ sourceContainer: 'main' }] },
        { name: 'alone', image: 'busybox' },
      ],
      volumes: fileSystems.map((fileSystem, index) => ({ name: `v${index}`, type: 'efs', fileSystem })),
    });
  const why = (
    fileSystems: readonly object[],
    given?: string,
    { name = 'main', privileged = false }: { name?: string; privileged?: boolean } = {},
  ) => {
    const all = task(fileSystems);
    const container = all.containers.find((one) => one.name === name);
    if (container === undefined) throw new Error(`no container ${name}`);
    return refuseUser(all, container, { given, privileged });
  };

  test('those of an access point are its user, whoever mounts it, also by way of another container', () => {
    const all = task([{ id, path: '/', user }]);
    expect(all.containers.map((container) => userOf(all, container)?.uid)).toEqual([1000, 1000, undefined]);
    for (const given of [undefined, '1000', '1000:1000']) expect(why([{ id, path: '/', user }], given)).toBeUndefined();
    for (const name of ['main', 'beside'])
      for (const given of ['root', '0', '1000:0', '1001', 'node'])
        expect(why([{ id, path: '/', user }], given, { name })).toMatch(/access point's is 1000:1000/);
    expect(why([{ id, path: '/', user }], 'root', { name: 'alone' })).toBeUndefined();
    expect(why([{ id, path: '/', user }], undefined, { privileged: true })).toMatch(/privileged/);
    const two = [
      { id, path: '/', user },
      { id, path: '/', user: { uid: 1, gid: 1 } },
    ];
    expect(why(two)).toMatch(/different users/);
  });

  test('a command from outside is run as root, but not in a container that its file systems hold to its user', () => {
    const held = (fileSystem: object): unknown[] => {
      const all = task([fileSystem]);
      return all.containers.map((one) => [isHeldToUser(all, one), commandUser(all, one, '1000:1000')]);
    };
    const [free, own] = [
      [false, '0'],
      [true, '1000:1000'],
    ];
    expect(held({ id, path: '/', user })).toEqual([own, own, free]);
    expect(held({ id, path: '/', noRoot: true })).toEqual([own, own, free]);
    expect(held({ id, path: '/', readOnly: true })).toEqual([free, free, free]);
  });

  test('where nobody may be root, the user is a number that is not 0', () => {
    const noRoot = [{ id, path: '/', noRoot: true }];
    for (const given of [undefined, 'root', '0', '00', 'web', '0:1', '-1'])
      expect(why(noRoot, given)).toMatch(/ClientRootAccess/);
    for (const given of ['1', '1000:0']) expect(why(noRoot, given)).toBeUndefined();
    expect(why([{ id, path: '/', noRoot: true, user }])).toBeUndefined();
    expect(why([{ id, path: '/', noRoot: true, user: { uid: 0, gid: 0 } }])).toMatch(/ClientRootAccess/);
    expect(why([{ id, path: '/' }], 'root')).toBeUndefined();
  });
});
