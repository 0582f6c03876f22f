import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { packing, unpack } from './cp.ts';

let folder: string;
let target: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-cp-test-'));
  target = join(folder, 'target');
  mkdirSync(target);
  writeFileSync(join(folder, 'outside'), 'untouched');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

interface Entry {
  readonly name: string;
  /** As ustar has it: 0 a file, 1 another name of one, 2 a link, 4 a device, 5 a folder. */
  readonly type?: string;
  readonly link?: string;
  readonly text?: string;
  readonly mode?: number;
}

/** A tar with whatever names and links. */
function tarOf(entries: readonly Entry[]): Buffer {
  const parts = entries.flatMap(({ name, type = '0', link = '', text = '', mode = 0o644 }) => {
    const header = Buffer.alloc(512);
    header.write(name, 0, 100);
    header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100);
    header.write('0000000\0', 108);
    header.write('0000000\0', 116);
    header.write(`${text.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write('        ', 148);
    header.write(type, 156);
    header.write(link, 157, 100);
    header.write('ustar\u000000', 257);
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
    return [header, Buffer.from(text), Buffer.alloc((512 - (text.length % 512)) % 512)];
  });
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

function* inPieces(archive: Buffer): Generator<Buffer> {
  for (let at = 0; at < archive.length; at += 700) yield archive.subarray(at, at + 700);
}

const stream = (pieces: Iterable<Buffer>): Readable => Readable.from(pieces, { objectMode: false });

/** Unpacks an archive that should hold `name`. @returns what is there then, and what went wrong */
async function unpacked(archive: Buffer, name = 'name') {
  const failed = await unpack(stream(inPieces(archive)), name, join(target, name), () => undefined).then(
    () => undefined,
    (error: unknown) => (error as Error).message,
  );
  return { failed, there: readdirSync(folder, { recursive: true }).map(String).toSorted() };
}

test('a file, and a folder with files and links, get where they were asked for', async () => {
  const { failed, there } = await unpacked(
    tarOf([
      { name: 'name/', type: '5', mode: 0o755 },
      { name: 'name/deep/', type: '5', mode: 0o755 },
      { name: 'name/deep/run', text: 'runs', mode: 0o4755 },
      { name: 'name/link', type: '2', link: '/etc/passwd' },
    ]),
  );
  expect([failed, there]).toEqual([
    undefined,
    ['outside', 'target', 'target/name', 'target/name/deep', 'target/name/deep/run', 'target/name/link'],
  ]);
  const run = join(target, 'name', 'deep', 'run');
  // Nobody becomes somebody else by what a container holds.
  expect([readFileSync(run, 'utf8'), lstatSync(run).mode & 0o7700]).toEqual(['runs', 0o700]);
});

test.each<[string, readonly Entry[]]>([
  [
    'a name above',
    [
      { name: 'name', text: 'x' },
      { name: '../../outside', text: 'overwritten' },
    ],
  ],
  [
    'a name of the whole machine',
    [
      { name: 'name', text: 'x' },
      { name: '{folder}/outside', text: 'overwritten' },
    ],
  ],
  [
    'a name through a link',
    [
      { name: 'name', type: '2', link: '{folder}' },
      { name: 'name/outside', text: 'overwritten' },
    ],
  ],
  [
    'a name through a link that leads above',
    [
      { name: 'name/', type: '5', mode: 0o755 },
      { name: 'name/up', type: '2', link: '../../..' },
      { name: 'name/up/outside', text: 'overwritten' },
    ],
  ],
  [
    'another name of a file elsewhere, and new content for it',
    [
      { name: 'name', type: '1', link: '{folder}/outside' },
      { name: 'name', text: 'overwritten' },
    ],
  ],
  ['another name of a file above', [{ name: 'name', type: '1', link: '../../outside' }]],
])('%s is written nowhere else', async (_, entries) => {
  const here = (text = ''): string => text.replace('{folder}', folder);
  const { there } = await unpacked(
    tarOf(entries.map((one) => ({ ...one, name: here(one.name), link: here(one.link) }))),
  );
  expect(readFileSync(join(folder, 'outside'), 'utf8')).toBe('untouched');
  expect(lstatSync(join(folder, 'outside')).nlink).toBe(1);
  expect(there.filter((one) => !one.startsWith('target/name'))).toEqual(['outside', 'target']);
});

test('an archive that is cut, is none, holds a pipe, or not what was asked for leaves nothing', async () => {
  const whole = tarOf([{ name: 'name', text: 'x'.repeat(2000) }]);
  for (const [archive, said] of [
    [whole.subarray(0, 1500), /could not be unpacked/],
    [Buffer.alloc(2048, 'no archive'), /could not be unpacked/],
    [tarOf([{ name: 'name', type: '6' }]), /name, which is no file, folder or link/],
    [tarOf([{ name: 'other', text: 'x' }]), /does not hold name/],
  ] as const) {
    const { failed, there } = await unpacked(archive);
    expect([failed, there]).toEqual([expect.stringMatching(said), ['outside', 'target']]);
  }
});

test('what the archive fails with is what unpacking it fails with', async () => {
  const broken = function* (): Generator<Buffer> {
    yield tarOf([{ name: 'name', text: 'x' }]).subarray(0, 512);
    throw new Error('the connection broke');
  };
  const unpacking = unpack(stream(broken()), 'name', join(target, 'name'), () => undefined);
  await expect(unpacking).rejects.toThrow('the connection broke');
  expect(existsSync(join(target, 'name'))).toBe(false);
});

test('a file or a folder is packed by whatever name a container has for it', () => {
  const names = (of: string, name: string): string => {
    symlinkSync(join(folder, of), join(target, name));
    const archive = execFileSync('tar', packing(lstatSync(join(folder, of)), target, name));
    return execFileSync('tar', ['-tf', '-'], { input: archive }).toString();
  };
  expect(names('outside', '--files-from=outside')).toBe('./--files-from=outside\n');
  expect(names('target', '-x')).toMatch(/^\.\/-x\/(?:\.\/)?\n/);
});

test('a machine whose tar is that of BusyBox packs and unpacks too', async () => {
  const programs = join(folder, 'programs');
  mkdirSync(programs);
  symlinkSync('/usr/bin/busybox', join(programs, 'tar'));
  vi.stubEnv('PATH', programs);
  symlinkSync(join(folder, 'outside'), join(target, 'other'));
  const archive = execFileSync('tar', packing(lstatSync(join(folder, 'outside')), target, 'other'));
  await unpack(stream(inPieces(archive)), 'other', join(target, 'name'), () => undefined);
  expect(readFileSync(join(target, 'name'), 'utf8')).toBe('untouched');
});
