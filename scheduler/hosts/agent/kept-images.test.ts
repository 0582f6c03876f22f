import { describe, expect, test, vi } from 'vitest';

import type { Disk } from './files.ts';
import { imagesToRemove, type KeptImage, KeptImages } from './kept-images.ts';

const image = (id: string, pulledAt: number, usedAt = pulledAt): KeptImage => ({
  id,
  repositories: ['web'],
  pulledAt,
  usedAt,
});
const ids = (images: readonly KeptImage[]): string[] => images.map(({ id }) => id);

describe('the images to remove', () => {
  const at = { now: 1_000, minimumAge: 100, perCycle: 2 };

  test('are those that nobody asked for for longest, so many at once', () => {
    const images = [image('c', 1, 30), image('a', 5, 10), image('b', 2, 20)];
    expect(ids(imagesToRemove(images, new Set(), at))).toEqual(['a', 'b']);
    expect(ids(imagesToRemove(images, new Set(), { ...at, perCycle: 9 }))).toEqual(['a', 'b', 'c']);
  });

  test('are none that is needed, young, or was asked for lately', () => {
    const images = [image('needed', 1), image('young', 901), image('asked', 1, 901), image('just old enough', 900)];
    expect(ids(imagesToRemove(images, new Set(['needed']), at))).toEqual(['just old enough']);
  });

  test('are none when a clock went back', () => {
    expect(imagesToRemove([image('a', 5_000)], new Set(), at)).toEqual([]);
  });
});

describe('what is noted', () => {
  const error = vi.fn();
  const log = { info: vi.fn(), warn: vi.fn(), error };

  /** Notes on a disk of one file, which may refuse. */
  function notes(content?: unknown, refuses = false) {
    let stored = content;
    let now = 100;
    const disk = {
      read: () => Promise.resolve(stored),
      write: (_path: string, json: string) => {
        if (refuses) return Promise.reject(new Error('no space left on device'));
        stored = JSON.parse(json);
        return Promise.resolve();
      },
    } as unknown as Disk;
    const clock = { now: () => now } as never;
    const kept = new KeptImages({ disk, path: 'images.json', clock, log });
    return { kept, at: (time: number) => (now = time), stored: () => stored };
  }

  test('survives; an image that was there before is not among it, however often it is asked for', async () => {
    const { kept, at, stored } = notes();
    await kept.open();
    await kept.pulled('one', 'web');
    at(200);
    kept.used('one');
    kept.used('another');
    await kept.pulled('one', 'team/web');
    expect(kept.all).toEqual([{ id: 'one', repositories: ['web', 'team/web'], pulledAt: 100, usedAt: 200 }]);
    const { kept: next } = notes(stored());
    await next.open();
    expect(next.all).toEqual(kept.all);
  });

  test('of a damaged file is nothing', async () => {
    const { kept } = notes({ images: [{ id: 5 }] });
    await kept.open();
    expect(kept.all).toEqual([]);
    expect(error).toHaveBeenCalledOnce();
  });

  test('is no matter of whoever pulls', async () => {
    const { kept } = notes(undefined, true);
    await expect(kept.pulled('one', 'web')).resolves.toBeUndefined();
  });
});
