import { expect, test } from 'vitest';
import { openImages, parseRepositoryName } from './index.ts';
import { account, actor, chunks, openTestImages, sha256 } from './testing/index.ts';

const web = parseRepositoryName('team/web');
const minute = 60_000;

async function opened() {
  const test = await openTestImages();
  await test.images.repositories.create(account, { name: web }, actor);
  const { id } = await test.images.uploads.start(account, web, 'alice');
  return { ...test, address: { account, repository: web, id, principal: 'alice' } };
}

test('another server goes on with an upload', async () => {
  const { images, records, blobs, clock, address, ...rest } = await opened();
  await using _ = rest;
  await images.uploads.append(address, chunks('one '));
  const other = openImages({ records, blobs, clock });
  await other.uploads.append(address, chunks('two '));
  await images.uploads.finish(address, sha256('one two three'), chunks('three'));
  expect((await other.blobs.look(account, web, sha256('one two three'))).blob?.size).toBe(13);
});

test('a body that breaks off counts up to where it broke', async () => {
  const { images, address, ...rest } = await opened();
  await using _ = rest;
  const broken = async function* () {
    yield Buffer.from('12345');
    throw new Error('connection reset');
  };
  expect(await images.uploads.append(address, broken())).toMatchObject({ size: 5, cut: expect.any(Error) });
  expect(await images.uploads.finish(address, sha256('123456789'), broken.call(undefined))).toMatchObject({ size: 10 });
  expect(await images.uploads.status(address)).toEqual({ size: 10 });
  await images.uploads.finish(address, sha256('1234512345'));
  expect((await images.blobs.look(account, web, sha256('1234512345'))).blob?.size).toBe(10);
});

test('while one request writes, another is told where the upload is; a writer that died is followed after half a minute', async () => {
  const { images, records, blobs, clock, address, ...rest } = await opened();
  await using _ = rest;
  await images.uploads.append(address, chunks('begin '));
  const { promise: held, resolve: release } = Promise.withResolvers<void>();
  const slow = async function* () {
    yield Buffer.from('slow ');
    await held;
  };
  const first = images.uploads.append(address, slow()).catch((error: { code: string }) => error.code);
  const other = openImages({ records, blobs, clock });
  await expect
    .poll(() => other.uploads.append(address, chunks('fast ')).catch((error: { code: string }) => error.code))
    .toBe('UploadRangeInvalid');
  clock.advance(minute);
  expect(await other.uploads.append(address, chunks('fast '))).toEqual({ size: 11 });
  release();
  expect(await first).toBe('UploadRangeInvalid');
  await other.uploads.finish(address, sha256('begin fast '));
  expect((await images.blobs.look(account, web, sha256('begin fast '))).blob?.size).toBe(11);
});

test('the same layer pushed by 50 clients at once is one blob, and every push succeeds', async () => {
  await using test = await openTestImages();
  const { images, blobs } = test;
  await images.repositories.create(account, { name: web }, actor);
  const bytes = 'shared layer';
  await Promise.all(Array.from({ length: 50 }, () => images.uploads.whole(account, web, sha256(bytes), chunks(bytes))));
  const copies: string[] = [];
  for await (const blob of blobs.list()) copies.push(blob.generation);
  const { blob } = await images.blobs.look(account, web, sha256(bytes));
  expect(copies).toEqual([blob?.generation]);
});

test('U8: an upload nobody touched for a day is dropped, one that goes on is not', async () => {
  const { images, clock, address, ...rest } = await opened();
  await using _ = rest;
  await images.uploads.append(address, chunks('abandoned'));
  const { id } = await images.uploads.start(account, web, 'alice');
  const live = { ...address, id };
  clock.advance(23 * 60 * minute);
  await images.uploads.append(live, chunks('live'));
  clock.advance(2 * 60 * minute);
  expect(await images.uploads.sweep(account)).toBe(1);
  await expect(images.uploads.status(address)).rejects.toMatchObject({ code: 'UploadNotFound' });
  expect(await images.uploads.status(live)).toEqual({ size: 4 });
});

test('an upload of nothing is the empty blob, by either hash', async () => {
  const { images, address, ...rest } = await opened();
  await using _ = rest;
  await images.uploads.finish(address, sha256(''));
  const empty512 =
    'sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e' as const;
  await images.uploads.whole(account, web, empty512, chunks());
  expect((await images.blobs.look(account, web, sha256(''))).blob?.size).toBe(0);
  expect((await images.blobs.look(account, web, empty512)).blob?.size).toBe(0);
});
