import {
  CreatePullThroughCacheRuleCommand,
  DescribeImageReplicationStatusCommand,
  type ECRClient,
  PutReplicationConfigurationCommand,
} from '@aws-sdk/client-ecr';
import { FailingWay, failures, UnhandledRejections } from '@slipway/auth/outbound/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ScriptedRegistry, startScriptedRegistry } from '../upstreams/testing/scripted-registry.ts';
import { ecrClient, type Fetch, loggedIn } from './docker-client.ts';
import { eventually, pushImage } from './push-image.ts';
import { account, region, type ServedRegistry, serveRegistry } from './serve-registry.ts';
import { newUser } from './users.ts';

const destination = { region: 'eu-west-1', registryId: account };
const unhandled = new UnhandledRejections();
let upstream: ScriptedRegistry;
let fromUpstream: FailingWay;
let target: ServedRegistry;
let toTarget: FailingWay;
let registry: ServedRegistry;
let ecr: ECRClient;
let pull: Fetch;

beforeAll(async () => {
  upstream = await startScriptedRegistry();
  fromUpstream = await FailingWay.open(upstream.url);
  target = await serveRegistry();
  toTarget = await FailingWay.open(target.url);
  const credentials = await newUser(target, 'replicator', [{ Effect: 'Allow', Action: 'ecr:*', Resource: '*' }]);
  registry = await serveRegistry({
    upstreams: { hosts: { 'upstream.test': fromUpstream.url }, freshFor: 0 },
    targets: [{ ...destination, url: toTarget.url, signingRegion: region, ...credentials }],
  });
  ecr = ecrClient(registry);
  await ecr.send(
    new CreatePullThroughCacheRuleCommand({ ecrRepositoryPrefix: 'hub', upstreamRegistryUrl: 'upstream.test' }),
  );
  const rules = [
    { destinations: [destination], repositoryFilters: [{ filter: 'shop', filterType: 'PREFIX_MATCH' as const }] },
  ];
  await ecr.send(new PutReplicationConfigurationCommand({ replicationConfiguration: { rules } }));
  pull = await loggedIn(registry);
});
afterAll(async () => {
  ecr.destroy();
  await registry[Symbol.asyncDispose]();
  for (const each of [toTarget, fromUpstream, target, upstream]) await each[Symbol.asyncDispose]();
  unhandled[Symbol.dispose]();
  // A pull that was cut off is logged with what the upstream did; nothing of these failures is our own.
  const own = registry.failures.filter((each) => !/^(Remote|Images)Error$/.test((each as { err: Error }).err.name));
  if (own.length > 0) throw new Error('the registry failed on its own account', { cause: own });
});

/** The whole answer, or that it was cut off: what was begun cannot become an error. */
async function whole(path: string): Promise<{ status: number | 'cut'; body: string }> {
  try {
    const answer = await pull('GET', `/v2/hub/app/${path}`);
    return { status: answer.status, body: await answer.text() };
  } catch {
    return { status: 'cut', body: '' };
  }
}

let seeds = 0;

/** What an upstream is asked while an image comes through the cache, and what the client asks for then. */
const asked = [
  ['HEAD of a manifest', (call: string) => /^HEAD .*\/manifests\//.test(call)],
  ['GET of a manifest', (call: string) => /^GET .*\/manifests\//.test(call)],
  ['GET of a blob', (call: string) => /^GET .*\/blobs\//.test(call)],
  ['every call', () => true],
] as const;

test.each(asked.flatMap(([what, is]) => failures.map((failure) => [what, failure, is] as const)))(
  'an upstream: where %s %s, the pull gets the image or an error of OCI, and the next pull the image',
  async (_what, failure, is) => {
    const tag = `t${++seeds}`;
    const { digest } = upstream.image(`seed ${tag}`, tag);
    const blob = Buffer.from(`layer seed ${tag}`);
    const layer = upstream.blob(blob);
    fromUpstream.fail = (call) => (is(call) ? failure : undefined);
    for (const path of [`manifests/${tag}`, `manifests/${digest}`, `blobs/${layer}`]) {
      const { status, body } = await whole(path);
      if (status === 'cut' || status === 200) continue;
      expect([400, 404, 429, 502, 503, 504]).toContain(status);
      expect(JSON.parse(body)).toMatchObject({ errors: [{ code: expect.any(String), message: expect.any(String) }] });
    }
    await registry.upstreams.settled();
    fromUpstream.fail = () => undefined;
    expect((await whole(`manifests/${tag}`)).status).toBe(200);
    expect((await whole(`manifests/${digest}`)).status).toBe(200);
    expect(await whole(`blobs/${layer}`)).toEqual({ status: 200, body: blob.toString() });
    await registry.upstreams.settled();
    expect(await unhandled.take()).toEqual([]);
  },
);

test.each(failures)(
  'a destination of replication that %s: the image is FAILED with a code, then COMPLETE',
  async (failure) => {
    const calls = new Map<string, number>();
    toTarget.fail = (call) => {
      const kind = call.replaceAll(/sha256:\w+|uploads\/.*/g, '');
      const times = calls.get(kind) ?? 0;
      calls.set(kind, times + 1);
      return times > 0 ? undefined : failure;
    };
    const repositoryName = `shop/${failure.replaceAll(' ', '-')}`;
    const imageDigest = await pushImage(registry, ecr, repositoryName, `replicated ${failure}`, 'v1');
    const seen = new Set<string>();
    await eventually(
      async () => {
        const answer = await ecr.send(
          new DescribeImageReplicationStatusCommand({ repositoryName, imageId: { imageDigest } }),
        );
        const [status] = answer.replicationStatuses ?? [];
        seen.add(`${status?.status} ${status?.failureCode ?? ''}`.trim());
        return status?.status;
      },
      (status) => status === 'COMPLETE',
    );
    expect([...calls.keys()].map((call) => call.split(' ')[0])).toEqual(expect.arrayContaining(['HEAD', 'PUT']));
    expect(await target.images.resolve(account, repositoryName, 'v1')).toMatchObject({ digest: imageDigest });
    expect([...seen].filter((each) => !/^(undefined|IN_PROGRESS|COMPLETE|FAILED \w+)$/.test(each))).toEqual([]);
    expect(await unhandled.take()).toEqual([]);
  },
);
