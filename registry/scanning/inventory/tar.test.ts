import * as fc from 'fast-check';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { headerOf, paxOf, pieces, tarOf } from '../testing/archives.ts';
import { defaultInventoryLimits, Unscannable } from './limits.ts';
import { readTar } from './tar.ts';

async function read(bytes: Uint8Array, size?: number) {
  const found: { path: string; type: string; link: string; content: string }[] = [];
  for await (const entry of readTar(pieces(bytes, size), defaultInventoryLimits)) {
    const hash = createHash('sha256');
    for await (const part of entry.content()) hash.update(part);
    found.push({ path: entry.path, type: entry.type, link: entry.link, content: hash.digest('hex') });
  }
  return found;
}

const sha = (content: string | Buffer): string => createHash('sha256').update(content).digest('hex');

test.each(['ustar', 'gnu', 'posix'])('reads what tar wrote, format %s', async (format) => {
  const folder = mkdtempSync(join(tmpdir(), 'slipway-tar-'));
  try {
    const name = fc.stringMatching(/^[a-z][a-z0-9 _.-]{0,20}$/);
    const path = fc
      .array(name, { minLength: 1, maxLength: format === 'ustar' ? 4 : 12, size: 'max' })
      .map((parts) => parts.join('/'));
    const file = fc.tuple(path, fc.uint8Array({ maxLength: 3000, size: 'max' }));
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { minLength: 1, maxLength: 8 }),
        fc.integer({ min: 1, max: 2000 }),
        async (files, size) => {
          const root = mkdtempSync(join(folder, 'case-'));
          const written = new Map<string, string>();
          for (const [file, content] of files) {
            try {
              mkdirSync(dirname(join(root, file)), { recursive: true });
              writeFileSync(join(root, file), content, { flag: 'wx' });
              written.set(file, sha(Buffer.from(content)));
            } catch {
              // A name that is a folder already: not part of this case.
            }
          }
          const archive = execFileSync('tar', ['-C', root, `--format=${format}`, '-cf', '-', '.'], { maxBuffer: 1e8 });
          const found = (await read(archive, size)).filter((entry) => entry.type === 'file');
          expect(new Map(found.map((entry) => [entry.path.replace(/^\.\//, ''), entry.content]))).toEqual(written);
        },
      ),
      { numRuns: 15 },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test('links, sparse files and long link names come out as they went in', async () => {
  const root = mkdtempSync(join(tmpdir(), 'slipway-tar-'));
  const long = `${'d'.repeat(90)}/${'e'.repeat(90)}/target`;
  writeFileSync(join(root, 'a'), 'hello');
  linkSync(join(root, 'a'), join(root, 'b'));
  symlinkSync(long, join(root, 'c'));
  execFileSync('truncate', ['-s', '10M', join(root, 'sparse')]);
  const archive = execFileSync('tar', ['-C', root, '--sparse', '--format=gnu', '-cf', '-', 'a', 'b', 'c', 'sparse'], {
    maxBuffer: 1e8,
  });
  rmSync(root, { recursive: true });
  const found = await read(archive);
  expect(found.map(({ path, type, link }) => ({ path, type, link }))).toEqual([
    { path: 'a', type: 'file', link: '' },
    { path: 'b', type: 'hardlink', link: 'a' },
    { path: 'c', type: 'symlink', link: long },
    { path: 'sparse', type: 'file', link: '' },
  ]);
});

test('content that nobody reads is passed over', async () => {
  const bytes = tarOf([
    { path: 'a', content: 'x'.repeat(5000) },
    { path: 'b', content: 'y' },
  ]);
  const paths: string[] = [];
  for await (const entry of readTar(pieces(bytes, 100), defaultInventoryLimits)) paths.push(entry.path);
  expect(paths).toEqual(['a', 'b']);
});

test('an archive may end without the two empty blocks', async () => {
  expect(await read(tarOf([{ path: 'a', content: 'x' }], false))).toHaveLength(1);
});

test.each([
  ['ends in a header', tarOf([{ path: 'a', content: 'x' }], false).subarray(0, 300), /ends in the middle/],
  [
    'ends in a content',
    tarOf([{ path: 'a', content: 'x'.repeat(1000) }], false).subarray(0, 700),
    /ends in the middle/,
  ],
  ['is no archive', Buffer.alloc(1024, 'no tar'), /not a tar archive/],
  ['has a size that is no number', tarOf([paxOf({ size: '1e99' }), { path: 'a' }]), /no number/],
  [
    'has a damaged pax header',
    tarOf([{ path: 'p', type: 'x', content: '99 path=x\n' }, { path: 'a' }]),
    /pax header is damaged/,
  ],
  ['has an entry of an exbibyte', headerOf({ path: 'a', size: 2 ** 60 }, 0), /pretends to have/],
  [
    'has an endless sparse map',
    Buffer.concat([sparseHeader(), ...Array.from({ length: 1100 }, () => continued())]),
    /too many pieces/,
  ],
  ['has a path without end', tarOf([paxOf({ path: 'x'.repeat(5000) }), { path: 'a' }]), /path is longer/],
  ['has a header of 8 GiB', headerOf({ path: 'p', type: 'x', size: 8 * 1024 ** 3 }, 0), /header is larger/],
])('an archive that %s is unscannable', async (_what, bytes, reason) => {
  await expect(read(bytes as Buffer)).rejects.toThrow(reason as RegExp);
  await expect(read(bytes as Buffer)).rejects.toBeInstanceOf(Unscannable);
});

function sparseHeader(): Buffer {
  const header = headerOf({ path: 's', type: 'S' }, 0);
  header[482] = 1;
  header.fill(' ', 148, 156);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return header;
}

function continued(): Buffer {
  const block = Buffer.alloc(512);
  block[504] = 1;
  return block;
}

test('made-up bytes never do anything but end or be unscannable', () =>
  fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 4000, size: 'max' }), fc.nat(700), async (noise, at) => {
      const bytes = tarOf([{ path: 'a', content: 'x'.repeat(600) }, { path: 'b' }]);
      bytes.set(noise.subarray(0, bytes.length - at), at);
      const outcome = await read(bytes).then(
        () => 'end',
        (error: unknown) => (error instanceof Unscannable ? 'unscannable' : error),
      );
      expect(['end', 'unscannable']).toContain(outcome);
    }),
    { numRuns: 300 },
  ));
