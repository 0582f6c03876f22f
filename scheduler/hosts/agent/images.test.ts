import { systemClock } from '@slipway/storage/clock';
import type Docker from 'dockerode';
import { expect, test } from 'vitest';

import { Images } from './images.ts';
import { noKeptImages } from './kept-images.ts';
import type { PullRights } from './logins.ts';

const rights: PullRights = { of: 'test', own: true, check: async () => undefined, login: async () => undefined };

/** Images of an engine that has every one; `asked` counts how often it was asked for one. */
function engine(): { readonly images: Images; readonly asked: () => number } {
  let asked = 0;
  const inspect = async (): Promise<object> => ({ Id: `sha256:${(asked += 1)}`, RepoDigests: [] });
  const docker = { getImage: () => ({ inspect }) } as unknown as Docker;
  const options = { behavior: 'once', inactivity: 60_000, attempts: 1, kept: noKeptImages } as const;
  return { images: new Images({ docker, clock: systemClock, ...options }), asked: () => asked };
}

/** Whatever can go on now has gone on. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('no image is removed before whoever asked for one has noted that it is needed', async () => {
  const { images, asked } = engine();
  const said: string[] = [];
  const notes = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const uses = notes.map(({ promise }, index) =>
    images.ensure('web:1', rights, async () => {
      await promise;
      said.push(`noted by ${index}`);
    }),
  );
  const removal = images.alone(async () => void said.push('removed'));
  await turn();
  expect([asked(), said]).toEqual([1, []]);
  notes[0]?.resolve();
  await turn();
  expect(said).toEqual(['noted by 0']);
  notes[1]?.resolve();
  await Promise.all([...uses, removal]);
  expect(said).toEqual(['noted by 0', 'noted by 1', 'removed']);
});

test('one that cannot be noted keeps nothing from being removed', async () => {
  const { images } = engine();
  const use = images.ensure('web:1', rights, () => Promise.reject(new Error('no space left on device')));
  const said: string[] = [];
  const removal = images.alone(async () => void said.push('removed'));
  await expect(use).rejects.toThrow('no space left');
  await removal;
  expect(said).toEqual(['removed']);
});

test('an image is looked for after the removal that is under way', async () => {
  const { images, asked } = engine();
  const held = Promise.withResolvers<void>();
  const removal = images.alone(() => held.promise);
  const use = images.ensure('web:1', rights, async () => undefined);
  await turn();
  expect(asked()).toBe(0);
  held.resolve();
  await Promise.all([removal, use]);
  expect(asked()).toBe(1);
});

test.each([
  [true, 'denied: you may not have web'],
  [false, "pull access denied for a.b/web, repository does not exist or may require 'docker login'"],
])('what a registry says to a login that may not have an image is told where it is ours: %s', async (own, told) => {
  const absent = Object.assign(new Error('no such image'), { statusCode: 404 });
  const docker = {
    getImage: () => ({ inspect: () => Promise.reject(absent) }),
    createImage: () => Promise.reject(new Error('denied: you may not have web')),
  } as unknown as Docker;
  const options = { behavior: 'default', inactivity: 60_000, attempts: 1, kept: noKeptImages } as const;
  const images = new Images({ docker, clock: systemClock, ...options });
  const login = { username: 'ada', password: 'pass', serveraddress: 'a.b' };
  const pull = images.ensure('a.b/web:1', { ...rights, own, login: async () => login }, async () => undefined);
  const refusal: unknown = await pull.catch((error: unknown) => error);
  expect(refusal).toMatchObject({ name: 'PullRefused', message: told });
});
