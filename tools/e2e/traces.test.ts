import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { engineNames, missingEngine, startEngines } from '@slipway/registry/testing';
import { type ReceivedSpan, startReceiver } from '@slipway/storage/telemetry/testing';
import { freePort } from '@slipway/storage/testing';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { targetOf } from '../bench/registry-target.ts';
import { run, until } from '../testbed/command.ts';
import { ServerProcess } from '../testbed/server-process.ts';
import { settingsOf } from './registry-fleet.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'slipway-traces-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const digestOf = (text: string): string => `sha256:${createHash('sha256').update(text).digest('hex')}`;

/** Starts a server that writes down which modules it loads. */
async function startServer(settings: Readonly<Record<string, string>>): Promise<ServerProcess> {
  const server = new ServerProcess(await freePort(), join(folder, 'data'), {
    SLIPWAY_AGENT: 'off',
    SLIPWAY_TEST_LOADED_MODULES: join(folder, 'modules'),
    NODE_OPTIONS: `--import ${join(import.meta.dirname, 'loaded-modules.ts')}`,
    ...settings,
  });
  await server.start();
  return server;
}

/** What makes and sends traces. The bare interfaces (`@opentelemetry/api`) are there anyhow: the library of metrics loads them. */
const loadedTraces = (): string[] =>
  readFileSync(join(folder, 'modules'), 'utf8')
    .split('\n')
    .filter((url) => /\/@opentelemetry\/(?!api\/)|\/open-telemetry\.ts$/.test(url));

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';

/** An image of one blob: upload in parts, then the manifest. Every request is under the client's own span. */
async function push(server: ServerProcess): Promise<void> {
  const { headers } = await targetOf(server);
  const send = async (method: string, path: string, body?: string, type?: string): Promise<Response> => {
    const response = await fetch(new URL(path, server.endpoint), {
      method,
      headers: { ...headers, traceparent, ...(type === undefined ? {} : { 'content-type': type }) },
      ...(body === undefined ? {} : { body }),
    });
    if (method !== 'HEAD' && !response.ok) throw new Error(`${method} ${path}: ${response.status}`);
    return response;
  };
  const config = '{"traced":true}';
  const digest = digestOf(config);
  await send('HEAD', `/v2/traced/app/blobs/${digest}`);
  const location = (await send('POST', '/v2/traced/app/blobs/uploads/')).headers.get('location') ?? '';
  await send('PATCH', location, config, 'application/octet-stream');
  await send('PUT', `${location}?digest=${digest}`);
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const descriptor = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: config.length };
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType, config: descriptor, layers: [] });
  await send('PUT', '/v2/traced/app/manifests/v1', manifest, mediaType);
  await (await send('GET', `/v2/traced/app/blobs/${digest}`)).text();
}

test.for(engineNames)(
  'on %s a push is one tree of spans: requests, and under them what each did to records and blobs',
  async (engine, { skip }) => {
    const missing = missingEngine(engine);
    if (missing !== undefined) return skip(missing);
    await using engines = await startEngines(engine);
    await using receiver = await startReceiver();
    const server = await startServer({
      ...receiver.environment,
      ...settingsOf(engines),
      SLIPWAY_WORKERS: '2',
      SLIPWAY_LOG: 'info',
    });
    const pushed = (): readonly ReceivedSpan[] =>
      receiver.spans.filter(({ traceId }) => traceId === '0af7651916cd43dd8448eb211c80319c');
    try {
      await push(server);
      await until('the spans of the push and a pull', 180_000, async () =>
        pushed().some(({ name }) => name === 'distribution GET blob'),
      );
      await until('a job to be done', 180_000, async () => receiver.spans.some(({ name }) => name.startsWith('job ')));
    } finally {
      await server.stop();
    }

    const requests = pushed().filter(({ parentSpanId }) => parentSpanId === 'b7ad6b7169203331');
    expect(requests.map(({ name, kind, attributes }) => [name, kind, attributes['http.response.status_code']])).toEqual(
      expect.arrayContaining([
        ['distribution HEAD blob', 2, 404],
        ['distribution POST upload', 2, 202],
        ['distribution PATCH upload', 2, 202],
        ['distribution PUT upload', 2, 201],
        ['distribution PUT manifest', 2, 201],
        ['distribution GET blob', 2, 200],
      ]),
    );
    const under = (name: string): string[] => {
      const root = requests.find((span) => span.name === name);
      return pushed()
        .filter(({ parentSpanId }) => parentSpanId === root?.spanId)
        .map((span) => span.name);
    };
    expect(under('distribution PATCH upload')).toEqual(expect.arrayContaining(['blobs.append', 'records.commit']));
    expect(under('distribution PUT upload')).toEqual(expect.arrayContaining(['blobs.seal', 'records.commit']));
    expect(under('distribution PUT manifest')).toContain('records.commit');
    expect(under('distribution GET blob')).toEqual(expect.arrayContaining(['blobs.open', 'blobs.send']));
    // Reads have spans where they cross the network.
    expect(under('distribution GET blob').includes('records.getMany')).toBe(engine === 'Redis and S3');
    // Nothing of the push hangs in the air.
    const known = new Set([...pushed().map(({ spanId }) => spanId), 'b7ad6b7169203331']);
    expect(pushed().filter(({ parentSpanId }) => !known.has(parentSpanId ?? ''))).toEqual([]);

    const manifest = requests.find(({ name }) => name === 'distribution PUT manifest');
    expect(manifest?.attributes).toMatchObject({
      'http.request.method': 'PUT',
      'url.path': '/v2/traced/app/manifests/v1',
      'slipway.account': '000000000000',
      'slipway.action': 'ecr:PutImage',
      'slipway.resource': expect.stringMatching(/:repository\/traced\/app$/),
      'slipway.decision': 'allowed',
      'slipway.request_id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    expect(manifest?.resource['service.name']).toBe('slipway');
    // Calls to the AWS APIs are traced the same way; what load balancers ask is not.
    expect(receiver.spans.map(({ name }) => name)).toContain('ecr GetAuthorizationToken');
    expect(receiver.spans.map(({ name }) => name).filter((name) => /health|metrics/.test(name))).toEqual([]);

    const audited = readFileSync(join(server.data, 'audit', 'audit.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { requestId: string; traceId?: string; operation: string });
    expect(audited.find(({ operation }) => operation === 'PUT manifest')).toMatchObject({
      requestId: manifest?.attributes['slipway.request_id'],
      traceId: manifest?.traceId,
    });
    expect(loadedTraces().length).toBeGreaterThan(5);
  },
);

test('a server without traces never loads a module of them, nor one without an agent what agents are made of', async () => {
  const server = await startServer({ OTEL_SERVICE_NAME: 'slipway', OTEL_TRACES_SAMPLER: 'always_on' });
  await push(server);
  await server.stop();
  expect(loadedTraces()).toEqual([]);
  const modules = readFileSync(join(folder, 'modules'), 'utf8');
  expect(modules).toContain('/registry/distribution/distribution.ts');
  expect(modules).not.toMatch(/\/scheduler\/hosts\/agent\/|\/node_modules\/dockerode\//);
});

test('an OTEL variable that cannot be used is named at start', async () => {
  const { code, stderr } = await run(process.execPath, [join(import.meta.dirname, '..', 'cli', 'main.ts'), 'serve'], {
    env: { SLIPWAY_DATA: folder, OTEL_TRACES_EXPORTER: 'otlp', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
  });
  expect([code, stderr]).toEqual([
    1,
    expect.stringContaining('OTEL_EXPORTER_OTLP_PROTOCOL: must be "http/protobuf" or "http/json"'),
  ]);
});
