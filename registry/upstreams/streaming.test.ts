import { randomBytes } from 'node:crypto';
import { type IncomingMessage, request as startRequest, type ServerResponse } from 'node:http';
import { CreatePullThroughCacheRuleCommand, CreateRepositoryCommand } from '@aws-sdk/client-ecr';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Digest } from '@slipway/storage/blobs';
import { sha256 } from '../images/testing/index.ts';
import { ecrClient, type Fetch, loggedIn, passwordOf } from '../testing/docker-client.ts';
import { account, type ServedRegistry, serveRegistry } from '../testing/serve-registry.ts';
import { type ScriptedRegistry, startScriptedRegistry } from './testing/scripted-registry.ts';

let upstream: ScriptedRegistry;
let cache: ServedRegistry;
let pull: Fetch;
let authorization: string;
const name = 'hub/app';

beforeAll(async () => {
  upstream = await startScriptedRegistry();
  cache = await serveRegistry({ upstreams: { hosts: { 'upstream.test': upstream.url } } });
  const ecr = ecrClient(cache);
  await ecr.send(
    new CreatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'hub', upstreamRegistryUrl: 'upstream.test' }),
  );
  await ecr.send(new CreateRepositoryCommand({ repositoryName: name }));
  ecr.destroy();
  pull = await loggedIn(cache);
  authorization = `Basic ${Buffer.from(`AWS:${await passwordOf(cache)}`).toString('base64')}`;
});
afterAll(async () => {
  await upstream[Symbol.asyncDispose]();
  await cache[Symbol.asyncDispose]();
});
beforeEach(() => void upstream.asked.splice(0));

const MiB = 1024 * 1024;
const isStored = async (digest: Digest): Promise<boolean> =>
  (await cache.images.blobs.look(account, name, digest)).blob !== undefined;

/** A response as it comes: what is not read stays where it is. */
interface Reading {
  readonly response: IncomingMessage;
  /** Waits for the next bytes; undefined at a proper end. @throws when the connection broke off */
  next(): Promise<Buffer | undefined>;
  /** Everything that is left. @throws as `next` */
  rest(): Promise<Buffer>;
}

async function read(digest: Digest, headers: Record<string, string> = {}): Promise<Reading> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    startRequest(`${cache.url}/v2/${name}/blobs/${digest}`, { headers: { authorization, ...headers }, agent: false })
      .on('response', resolve)
      .on('error', reject)
      .end();
  });
  const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const next = async (): Promise<Buffer | undefined> => {
    const { done, value } = await chunks.next();
    return done ? undefined : value;
  };
  return {
    response,
    next,
    async rest() {
      const all: Buffer[] = [];
      for (let chunk = await next(); chunk; chunk = await next()) all.push(chunk);
      return Buffer.concat(all);
    },
  };
}

/** A blob that upstream begins to send and then goes on with when it is told to. */
function held(content: Buffer, first: number) {
  const digest = sha256(content);
  const begun = Promise.withResolvers<ServerResponse>();
  upstream.scripts.set(`blobs/${digest}`, (_, response) => {
    response.writeHead(200, { 'content-length': content.length });
    response.write(content.subarray(0, first));
    begun.resolve(response);
  });
  return { digest, finish: async () => void (await begun.promise).end(content.subarray(first)), begun: begun.promise };
}

test('the first bytes are passed on while upstream still sends; the last only when all is stored', async () => {
  const content = randomBytes(3 * MiB);
  const { digest, finish } = held(content, MiB);
  const reading = await read(digest);
  expect(reading.response.headers['content-length']).toBe(String(content.length));
  const first = await reading.next();
  expect(first?.equals(content.subarray(0, first.length))).toBe(true);
  expect(await isStored(digest)).toBe(false);
  await finish();
  expect(Buffer.concat([first ?? Buffer.alloc(0), await reading.rest()]).equals(content)).toBe(true);
  expect(await isStored(digest)).toBe(true);
  expect(upstream.asked).toEqual([`GET blobs/${digest}`]);
});

test('callers share one fetch, also one that comes late; one that reads nothing stalls nobody', async () => {
  const content = randomBytes(32 * MiB);
  const { digest, finish } = held(content, 8 * MiB);
  const stalled = await read(digest);
  stalled.response.pause();
  const [early, late] = [await read(digest), await read(digest)];
  let got = 0;
  while (got < 4 * MiB) got += (await early.next())?.length ?? 0;
  const whole = late.rest();
  await finish();
  expect((await whole).equals(content)).toBe(true);
  expect(got + (await early.rest()).length).toBe(content.length);
  expect(await isStored(digest)).toBe(true);
  // What was not read waits in a file, and is there when it is wanted after all.
  expect((await stalled.rest()).equals(content)).toBe(true);
  expect(upstream.asked).toEqual([`GET blobs/${digest}`]);
});

test('a fetch goes on when its caller leaves', async () => {
  const content = randomBytes(2 * MiB);
  const { digest, finish } = held(content, MiB);
  const reading = await read(digest);
  await reading.next();
  reading.response.destroy();
  await finish();
  await cache.upstreams.settled();
  expect(await isStored(digest)).toBe(true);
});

test.each([
  ['goes on where it was, where upstream knows ranges', true],
  ['skips what it has, where upstream does not', false],
])('what breaks off %s', async (_how, ranges) => {
  const content = randomBytes(2 * MiB);
  const digest = sha256(content);
  let cuts = 0;
  upstream.scripts.set(`blobs/${digest}`, (request, response) => {
    const from = ranges ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0) : 0;
    const left = content.subarray(from);
    response.writeHead(from === 0 ? 200 : 206, {
      'content-length': left.length,
      ...(from === 0 ? {} : { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
    });
    if (++cuts > 2) response.end(left);
    else response.write(left.subarray(0, MiB / 2), () => response.destroy());
  });
  expect((await (await read(digest)).rest()).equals(content)).toBe(true);
  expect(await isStored(digest)).toBe(true);
  expect(upstream.asked).toHaveLength(3);
});

test('an upstream that keeps breaking off ends the answer, which nobody can take for whole', async () => {
  const content = randomBytes(2 * MiB);
  const digest = sha256(content);
  let broken = true;
  upstream.scripts.set(`blobs/${digest}`, (_, response) => {
    response.writeHead(200, { 'content-length': content.length });
    if (broken) response.write(content.subarray(0, MiB), () => response.destroy());
    else response.end(content);
  });
  await expect((await read(digest)).rest()).rejects.toThrow('aborted');
  expect(await isStored(digest)).toBe(false);
  broken = false;
  expect((await (await read(digest)).rest()).equals(content)).toBe(true);
});

test.each([
  ['with its length', (size: number) => ({ 'content-length': size })],
  ['without', () => ({})],
])('bytes of another digest, %s, are never given whole, and never kept', async (_how, headers) => {
  const content = randomBytes(MiB);
  const digest = sha256(randomBytes(10));
  upstream.scripts.set(`blobs/${digest}`, (_, response) =>
    response.writeHead(200, headers(content.length) as Record<string, number>).end(content),
  );
  const reading = await read(digest);
  let got = 0;
  const readAll = async (): Promise<void> => {
    for (let chunk = await reading.next(); chunk; chunk = await reading.next()) got += chunk.length;
  };
  await expect(readAll()).rejects.toThrow('aborted');
  expect(got).toBeLessThan(content.length);
  expect(await isStored(digest)).toBe(false);
});

test('a blob of unknown size is passed on as it comes; HEAD waits for it', async () => {
  const content = randomBytes(MiB);
  const digest = sha256(content);
  const begun = Promise.withResolvers<ServerResponse>();
  upstream.scripts.set(`blobs/${digest}`, (_, response) => {
    response.writeHead(200).write(content.subarray(0, MiB / 2));
    begun.resolve(response);
  });
  const reading = await read(digest);
  expect(reading.response.headers['transfer-encoding']).toBe('chunked');
  const first = await reading.next();
  const head = pull('HEAD', `/v2/${name}/blobs/${digest}`);
  (await begun.promise).end(content.subarray(MiB / 2));
  expect(Buffer.concat([first ?? Buffer.alloc(0), await reading.rest()]).equals(content)).toBe(true);
  expect((await head).headers.get('content-length')).toBe(String(content.length));
});

test('parts and HEAD are answered while it comes; an empty blob comes as well', async () => {
  const content = randomBytes(2 * MiB);
  const { digest, finish } = held(content, MiB);
  const head = await pull('HEAD', `/v2/${name}/blobs/${digest}`);
  expect([head.status, head.headers.get('content-length')]).toEqual([200, String(content.length)]);
  const part = await read(digest, { range: 'bytes=100-199' });
  expect(part.response.statusCode).toBe(206);
  expect((await part.rest()).equals(content.subarray(100, 200))).toBe(true);
  const beyond = await read(digest, { range: `bytes=${content.length}-` });
  expect(beyond.response.statusCode).toBe(416);
  const end = read(digest, { range: 'bytes=-5' });
  await finish();
  expect((await (await end).rest()).equals(content.subarray(-5))).toBe(true);
  const nothing = upstream.blob(Buffer.alloc(0));
  expect((await (await read(nothing)).rest()).length).toBe(0);
  await cache.upstreams.settled();
  expect(await isStored(nothing)).toBe(true);
});

test('what upstream does not have, or does not give, is said before anything is sent', async () => {
  expect((await pull('GET', `/v2/${name}/blobs/${sha256('nowhere')}`)).status).toBe(404);
  const digest = sha256('shut');
  upstream.scripts.set(`blobs/${digest}`, (_, response) => response.writeHead(403).end());
  expect((await pull('GET', `/v2/${name}/blobs/${digest}`)).status).toBe(403);
  upstream.scripts.set(`blobs/${digest}`, (_, response) => response.writeHead(502).end());
  expect((await pull('GET', `/v2/${name}/blobs/${digest}`)).status).toBe(503);
});
