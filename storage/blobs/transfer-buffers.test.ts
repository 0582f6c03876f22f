import { expect, test } from 'vitest';
import { TransferBuffers } from './transfer-buffers.ts';

const kib = 1024;
const enter = (buffers: TransferBuffers, count: number) => Array.from({ length: count }, () => buffers.enter());

test('buffers are large for few transfers and small for many, so that two for each keep to the ceiling', () => {
  const buffers = new TransferBuffers(16 * kib * kib, 512 * kib);
  enter(buffers, 1);
  expect(buffers.borrow(10 * kib * kib).byteLength).toBe(512 * kib);
  expect(buffers.borrow(100).byteLength).toBe(64 * kib);
  expect(buffers.borrow(100 * kib).byteLength).toBe(128 * kib);
  const leaves = enter(buffers, 49);
  expect(buffers.borrow(10 * kib * kib).byteLength).toBe(128 * kib);
  for (const leave of leaves) leave();
  expect(buffers.borrow(10 * kib * kib).byteLength).toBe(512 * kib);
});

test('a buffer given back is lent again, one that is forgotten is not', () => {
  const buffers = new TransferBuffers(16 * kib * kib, 512 * kib);
  const first = buffers.borrow(1);
  buffers.giveBack(first);
  expect(buffers.borrow(1)).toBe(first);
  buffers.forget(first);
  expect(buffers.borrow(1)).not.toBe(first);
});

test('idle buffers of a size that is not used any more make room for those that are', () => {
  const buffers = new TransferBuffers(kib * kib, 256 * kib);
  const large = [buffers.borrow(kib * kib), buffers.borrow(kib * kib)];
  for (const buffer of large) buffers.giveBack(buffer);
  const small = Array.from({ length: 4 }, () => buffers.borrow(1));
  for (const buffer of small) buffers.giveBack(buffer);
  expect(small).toContain(buffers.borrow(1));
  expect(large).not.toContain(buffers.borrow(kib * kib));
});

test('who waits for room goes on when a buffer comes back', async () => {
  const buffers = new TransferBuffers(128 * kib, 64 * kib);
  const lent = [buffers.borrow(1), buffers.borrow(1)];
  expect(buffers.exhausted).toBe(true);
  let waited = false;
  const room = buffers.room().finally(() => {
    waited = true;
  });
  await Promise.resolve();
  expect(waited).toBe(false);
  buffers.giveBack(lent[0]!);
  await room;
  expect(buffers.exhausted).toBe(false);
});
