import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import { appOfImage, findInput, overrideOf, projectOf, readApp } from './input.ts';

const folder = mkdtempSync(join(tmpdir(), 'slipway-up-input-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, text = ''): string => {
  mkdirSync(join(folder, name, '..'), { recursive: true });
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

test('a folder is looked through, a file is taken, and anything else is an image', () => {
  put('a/Dockerfile');
  expect(findInput(join(folder, 'a'))).toEqual({ kind: 'dockerfile', folder: join(folder, 'a') });
  const compose = put('a/compose.yaml');
  expect(findInput(join(folder, 'a'))).toEqual({ kind: 'compose', path: compose });
  const own = put('a/slipway.yaml');
  expect(findInput(join(folder, 'a'))).toEqual({ kind: 'slipway', path: own });
  expect(findInput(compose)).toEqual({ kind: 'compose', path: compose });
  expect(findInput('nginx:1.27')).toEqual({ kind: 'image', image: 'nginx:1.27' });
  mkdirSync(join(folder, 'empty'));
  expect(() => findInput(join(folder, 'empty'))).toThrow('has none of slipway.yaml');
  for (const none of ['./none', 'none.yaml', 'a b']) expect(() => findInput(none)).toThrow('no file or folder');
});

test('variables come from .env beside the file, and before that from the shell', () => {
  put('env/.env', 'A=1\nB=2\n');
  const path = put('env/compose.yaml', 'services: { web: { image: "a:$A$B" } }');
  const [service] = readApp({ kind: 'compose', path }, { B: '3' }, {}).services;
  expect(service?.name).toBe('env-web');
  expect(service?.containers[0]?.source.image).toBe('a:13');
  expect(readApp({ kind: 'compose', path }, {}, { name: 'Other' }).name).toBe('other');
});

test.each([
  ['name: Shop\nservices: { web: { nonsense: 1 } }', 'shop'],
  ['name: shop-${STAGE}', 'shop-prod'],
  ['services: { web: { image: "a:$UNSET" } }', 'names'],
])('the project of a file is known even where its services are wrong', (text, name) => {
  expect(projectOf({ kind: 'compose', path: put('names/compose.yaml', text) }, { STAGE: 'prod' })).toBe(name);
});

test.each([
  ['name: shop-${STAGE}', 'the variable STAGE is not set'],
  ['name: shop\nservices: {', 'compose.yaml'],
  ['name: shop\nname: other', 'is there twice'],
])('the project is not guessed where the file does not say it for sure: %j', (text, words) => {
  expect(() => projectOf({ kind: 'compose', path: put('names/compose.yaml', text) }, {})).toThrow(words);
});

test('an override file is not read, and known', () => {
  const path = put('over/compose.yaml');
  expect(overrideOf({ path })).toBeUndefined();
  put('over/compose.override.yml');
  expect(overrideOf({ path })).toBe('compose.override.yml');
  expect(overrideOf({ path: put('over/other.yaml') })).toBeUndefined();
});

describe('an image alone', () => {
  const image = { kind: 'image', image: 'ghcr.io/me/my_web:1' } as const;

  it('is a service of its name, on the port that it says', () => {
    const { name, services } = appOfImage(image, { count: '2', env: ['A=b=c'] }, 8080);
    expect(name).toBe('my-web');
    expect(services).toMatchObject([
      {
        name: 'my-web',
        count: 2,
        publish: [{ container: 'my-web', containerPort: 8080, port: 80 }],
        containers: [{ definition: { environment: [{ name: 'A', value: 'b=c' }] } }],
      },
    ]);
  });

  it('may be a folder with a Dockerfile', () => {
    const { services } = appOfImage({ kind: 'dockerfile', folder: '/a/shop' }, { port: '81', listen: '82' }, 8080);
    expect(services[0]).toMatchObject({
      publish: [{ containerPort: 81, port: 82 }],
      containers: [{ source: { kind: 'build', context: '/a/shop', image: 'shop:latest' } }],
    });
  });

  it.each([
    [{}, undefined, 'which port does it answer on?'],
    [{ port: '0' }, 80, '--port is a whole number from 1'],
    [{ env: ['A'] }, 80, '--env is NAME=value'],
    [{ count: 'two' }, 80, '--count is a whole number'],
    [{ healthPath: 'up' }, 80, 'begins with /'],
    [{ name: '--' }, 80, '--name'],
  ])('is refused with %j', (options, exposed, words) => {
    expect(() => appOfImage(image, options, exposed)).toThrow(words);
  });
});
