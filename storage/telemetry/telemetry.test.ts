import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { BlobMissing, type Digest, hasDirectAccess, hasSideNotes } from '../blobs/index.ts';
import { systemClock } from '../clock/index.ts';
import { openStorage, type StorageConfig } from '../engine/index.ts';
import { ConditionFailed } from '../records/index.ts';
import { createHash } from 'node:crypto';
import { readTracingConfig, type TracingConfig } from './config.ts';
import { openTracing } from './open-tracing.ts';
import { type ReceivedSpan, startReceiver, type TraceReceiver } from './testing/index.ts';
import { traceFetch } from './traced-fetch.ts';
import { traceStorage } from './traced-stores.ts';
import type { Tracing } from './tracing.ts';

let receiver: TraceReceiver;
const before = { ...process.env };
beforeEach(async () => {
  receiver = await startReceiver();
});
afterEach(async () => {
  process.env = { ...before };
  await receiver[Symbol.asyncDispose]();
});

/** Opens traces to the receiver with further settings, lets `work` trace, and returns what arrived. */
async function traced(
  settings: Record<string, string>,
  work: (tracing: Tracing) => Promise<unknown>,
): Promise<readonly ReceivedSpan[]> {
  // The exporter reads the process's own environment.
  Object.assign(process.env, receiver.environment, settings);
  const config = readTracingConfig(process.env) as TracingConfig;
  const troubles: string[] = [];
  const tracing = await openTracing(config, { version: '1.2.3', onTrouble: (what) => troubles.push(what) });
  await work(tracing);
  await tracing.close();
  expect(troubles).toEqual([]);
  return receiver.spans;
}

const named = (spans: readonly ReceivedSpan[], name: string): ReceivedSpan => {
  const found = spans.find((span) => span.name === name);
  if (found === undefined) throw new Error(`no span ${name} among ${spans.map((span) => span.name).join(', ')}`);
  return found;
};

test('work within work is one tree, also when two trees grow at the same time', async () => {
  const tree = (tracing: Tracing, name: string) =>
    tracing.run(name, { kind: 'server' }, async () => {
      await sleep(5);
      await Promise.all(
        ['left', 'right'].map((side) =>
          tracing.step(`${name} ${side}`, { attributes: { side, nothing: undefined } }, () => sleep(5)),
        ),
      );
    });
  const spans = await traced({}, (tracing) => Promise.all([tree(tracing, 'one'), tree(tracing, 'two')]));
  expect(spans).toHaveLength(6);
  for (const name of ['one', 'two']) {
    const root = named(spans, name);
    expect([root.parentSpanId, root.kind]).toEqual([undefined, 2]);
    for (const side of ['left', 'right']) {
      const child = named(spans, `${name} ${side}`);
      expect([child.traceId, child.parentSpanId, child.attributes]).toEqual([root.traceId, root.spanId, { side }]);
    }
  }
  expect(named(spans, 'one').traceId).not.toBe(named(spans, 'two').traceId);
});

test('the resource says which service, and the operator may rename it', async () => {
  const environment = { OTEL_SERVICE_NAME: 'images', OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment=test' };
  const [span] = await traced(environment, (tracing) => tracing.run('x', {}, async () => {}));
  expect(span?.resource).toMatchObject({
    'service.name': 'images',
    'service.version': '1.2.3',
    'deployment.environment': 'test',
    'process.pid': process.pid,
  });
});

test("a caller's traceparent is gone on with and handed to servers of ours, and to nobody else", async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const sent: (Record<string, string> | undefined)[] = [];
  const fetch = async (_: string, init?: { headers?: Record<string, string> }): Promise<Response> => {
    sent.push(init?.headers);
    return new Response('', { status: 202 });
  };
  const spans = await traced({}, async (tracing) => {
    const span = tracing.begin('request', { traceparent, tracestate: 'vendor=1' }, { kind: 'server' });
    await tracing.within(span, async () => {
      await traceFetch(
        fetch,
        tracing,
        true,
      )('https://ours.example/v2/?X-Amz-Signature=secret', { headers: { a: 'b' } });
      await traceFetch(fetch, tracing, false)('http://theirs.example:5000/v2/', { headers: { a: 'b' } });
    });
    span.rename('GET manifest');
    span.set({ 'http.response.status_code': 200 });
    span.end();
  });
  const root = named(spans, 'GET manifest');
  expect([root.traceId, root.parentSpanId]).toEqual(['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331']);
  const [ours, theirs] = spans.filter(({ kind }) => kind === 3);
  expect(ours?.attributes).toEqual({
    'http.request.method': 'GET',
    'server.address': 'ours.example',
    'server.port': 443,
    'http.response.status_code': 202,
  });
  expect(theirs?.attributes['server.port']).toBe(5000);
  expect(sent).toEqual([
    { a: 'b', traceparent: `00-${root.traceId}-${ours?.spanId}-01`, tracestate: 'vendor=1' },
    { a: 'b' },
  ]);
  expect(receiver.bodies.join('')).not.toContain('secret');
});

test('without the W3C propagator nothing is taken from callers or handed on', async () => {
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const spans = await traced({ OTEL_PROPAGATORS: 'none' }, async (tracing) => {
    const span = tracing.begin('request', { traceparent });
    expect(tracing.within(span, () => tracing.headers())).toEqual({});
    span.end();
  });
  expect(named(spans, 'request').traceId).not.toBe('0af7651916cd43dd8448eb211c80319c');
});

test.each([
  ['always_off', undefined, false],
  ['parentbased_always_off', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', true],
  ['always_off', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', false],
  ['parentbased_always_on', '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00', false],
  ['traceidratio', undefined, false],
])('sampled by %s under %s: %s', async (sampler, traceparent, sampled) => {
  const environment = { OTEL_TRACES_SAMPLER: sampler, OTEL_TRACES_SAMPLER_ARG: '0' };
  const spans = await traced(environment, async (tracing) => {
    const span = tracing.begin('request', traceparent === undefined ? {} : { traceparent });
    // Log lines name the trace whether or not it is kept.
    expect(tracing.within(span, () => tracing.current()?.traceId)).toMatch(/^[0-9a-f]{32}$/);
    span.end();
  });
  expect(spans).toHaveLength(sampled ? 1 : 0);
});

test('a failure is named, and its message stays here', async () => {
  const spans = await traced({}, async (tracing) => {
    const work = tracing.run('job', {}, () => Promise.reject(new RangeError('password is hunter2')));
    await expect(work).rejects.toThrow('hunter2');
  });
  expect([spans[0]?.status.code, spans[0]?.attributes['error.type']]).toEqual([2, 'RangeError']);
  expect(receiver.bodies.join('')).not.toContain('hunter2');
});

test('spans are sent as protobuf unless JSON is asked for', async () => {
  await traced({ OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' }, (tracing) =>
    tracing.run('binary', {}, async () => {}),
  );
  expect(receiver.requests).toEqual(['application/x-protobuf']);
  expect(receiver.bodies[0]).toContain('binary');
});

test('a collector that is away costs no request, is reported once, and does not hold up the end', async () => {
  await receiver[Symbol.asyncDispose]();
  const settings = { ...receiver.environment, OTEL_EXPORTER_OTLP_TIMEOUT: '500' };
  Object.assign(process.env, settings);
  const troubles: string[] = [];
  const config = readTracingConfig(process.env) as TracingConfig;
  const tracing = await openTracing(config, { version: '1', onTrouble: (what) => troubles.push(what) });
  for (let count = 0; count < 5; count++) await tracing.run('work', {}, () => sleep(60));
  await tracing.close();
  expect(troubles).toEqual([expect.stringMatching(/^connect ECONNREFUSED/)]);
  receiver = await startReceiver();
});

test('storage that is traced has a span for each commit and each use of a blob, and does all that it did', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-telemetry-'));
  const config: StorageConfig = {
    records: { type: 'sqlite', file: join(folder, 'records.sqlite') },
    blobs: { type: 'filesystem', root: join(folder, 'blobs') },
  };
  const plain = await openStorage(config, systemClock);
  const digest: Digest = `sha256:${createHash('sha256').update('hello').digest('hex')}`;
  const spans = await traced({}, async (tracing) => {
    const { records, blobs } = traceStorage(plain, config, tracing);
    // In the background: no trace.
    await records.commit('p', { put: [{ key: 'a', value: 1 }] });
    await tracing.run('push', {}, async () => {
      const { staged } = await blobs.append(await blobs.stage(), bytes('hello'));
      const sealed = await blobs.seal(staged, digest);
      const announce = [{ topic: 't', type: 'x', data: {} }];
      await records.commit('p', { put: [{ key: 'b', value: sealed.generation }], remove: ['a'], announce });
      const conditional = records.commit('p', { require: [{ key: 'b', exists: false }] });
      await expect(conditional).rejects.toBeInstanceOf(ConditionFailed);
      const destination = new PassThrough();
      const source = await blobs.open(sealed);
      await source.pipe(destination, { start: 1, end: 3 });
      expect(await text(destination.end())).toBe('ell');
      expect([source.size, await records.get('p', 'b')]).toEqual([5, expect.objectContaining({ key: 'b' })]);
    });
    expect([hasSideNotes(blobs), hasDirectAccess(blobs)]).toEqual([true, false]);
    if (hasSideNotes(blobs)) await blobs.writeNote('n', 'noted');
  });
  await plain.close();
  await rm(folder, { recursive: true });
  const root = named(spans, 'push');
  const steps = spans.filter(({ parentSpanId }) => parentSpanId === root.spanId);
  expect(spans).toHaveLength(steps.length + 1);
  expect(steps.map(({ name, attributes, status }) => [name, attributes, status.code ?? 0])).toEqual([
    ['blobs.append', { 'slipway.blobs.engine': 'filesystem', 'slipway.bytes': 5, 'slipway.cut': false }, 0],
    ['blobs.seal', { 'slipway.blobs.engine': 'filesystem', 'slipway.digest': digest, 'slipway.bytes': 5 }, 0],
    ['records.commit', { ...database, 'db.operation.batch.size': 2, 'slipway.events': 1 }, 0],
    [
      'records.commit',
      { ...database, 'db.operation.batch.size': 1, 'slipway.events': 0, 'slipway.outcome': 'condition-failed' },
      0,
    ],
    ['blobs.open', { 'slipway.blobs.engine': 'filesystem', 'slipway.digest': digest }, 0],
    ['blobs.send', { 'slipway.blobs.engine': 'filesystem', 'slipway.digest': digest, 'slipway.bytes': 3 }, 0],
  ]);
});

test('reads that cross the network have spans as well', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'slipway-telemetry-'));
  const config: StorageConfig = {
    records: { type: 'sqlite', file: join(folder, 'records.sqlite') },
    blobs: { type: 'filesystem', root: join(folder, 'blobs') },
  };
  const plain = await openStorage(config, systemClock);
  // What is behind it does not matter here, only that it is said to be Redis and S3.
  const far = { records: { type: 'redis', url: 'redis://nowhere' }, blobs: { type: 's3' } } as unknown as StorageConfig;
  const spans = await traced({}, async (tracing) => {
    const { records, blobs } = traceStorage(plain, far, tracing);
    await tracing.run('pull', {}, async () => {
      await records.get('p', 'a');
      await records.getMany('p', ['a']);
      await records.list('p');
      await expect(blobs.open({ digest: `sha256:${'0'.repeat(64)}`, generation: 'none' })).rejects.toThrow(BlobMissing);
    });
  });
  await plain.close();
  await rm(folder, { recursive: true });
  expect(spans.map(({ name, kind, status }) => [name, kind, status.code ?? 0])).toEqual([
    ['records.get', 3, 0],
    ['records.getMany', 3, 0],
    ['records.list', 3, 0],
    ['blobs.open', 3, 2],
    ['pull', 1, 0],
  ]);
  expect(named(spans, 'blobs.open').attributes).toMatchObject({ 'error.type': 'BlobMissing' });
});

const database = { 'db.system.name': 'sqlite', 'db.operation.name': 'commit', 'db.namespace': 'p' };

async function* bytes(content: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(content);
}
