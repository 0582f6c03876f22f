import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import {
  CompleteLayerUploadCommand,
  CreateRepositoryCommand,
  DescribeImagesCommand,
  ECRClient,
  InitiateLayerUploadCommand,
  PutImageCommand,
  UploadLayerPartCommand,
} from '@aws-sdk/client-ecr';
import { keys, openImages, parseRepositoryName, registryPartition } from '@slipway/registry/images';
import { evaluate, type LifecycleImage, makePreview, parseLifecyclePolicy } from '@slipway/registry/lifecycle';
import { systemClock } from '@slipway/storage/clock';
import { openStorage, type Storage } from '@slipway/storage/engine';
import { freePort } from '@slipway/storage/testing';
import { ServerProcess } from '../testbed/index.ts';
import { median, render, type Row, type Section, short, writeSection } from './results.ts';

/** `npm run bench:ecr`: lifecycle rules over a large repository, and the rates of the ECR API beside bare commits. */
const { values: options } = parseArgs({
  options: { images: { type: 'string', default: '100000' }, seconds: { type: 'string', default: '5' } },
});
const count = Number(options.images);
const milliseconds = Number(options.seconds) * 1000;
const concurrency = 16;
const rounds = 3;
const account = '000000000000';
const folder = mkdtempSync(join(tmpdir(), 'slipway-bench-ecr-'));
const rows: Row[] = [];
const sha256 = (text: string): `sha256:${string}` => `sha256:${createHash('sha256').update(text).digest('hex')}`;

const rule = (rulePriority: number, selection: object, type = 'expire'): object => ({
  rulePriority,
  selection,
  action: type === 'expire' ? { type } : { type, targetStorageClass: 'archive' },
});
const policy = JSON.stringify({
  rules: [
    rule(1, { tagStatus: 'tagged', tagPatternList: ['prod-*-eu'], countType: 'imageCountMoreThan', countNumber: 100 }),
    rule(2, {
      tagStatus: 'tagged',
      tagPrefixList: ['dev'],
      countType: 'sinceImagePushed',
      countUnit: 'days',
      countNumber: 14,
    }),
    rule(
      3,
      {
        tagStatus: 'tagged',
        tagPatternList: ['prod-*', '*-us'],
        countType: 'sinceImagePulled',
        countUnit: 'days',
        countNumber: 30,
      },
      'transition',
    ),
    rule(4, { tagStatus: 'untagged', countType: 'sinceImagePushed', countUnit: 'days', countNumber: 1 }),
    rule(5, { tagStatus: 'any', countType: 'imageCountMoreThan', countNumber: 50_000 }),
  ],
});
const tagsOf = (number: number): string[] =>
  number % 4 === 0
    ? []
    : number % 4 === 1
      ? [`dev-${number}`]
      : [`prod-${number}-${number % 2 ? 'eu' : 'us'}`, `v${number}`];

async function timed(work: () => unknown): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** How often `work` is done in a second, by several at a time. */
async function rate(work: (number: number) => Promise<unknown>): Promise<number> {
  const end = performance.now() + milliseconds;
  const started = performance.now();
  let done = 0;
  let next = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (performance.now() < end) {
        await work(next++);
        done += 1;
      }
    }),
  );
  return (done / (performance.now() - started)) * 1000;
}

const openStore = (name: string): Promise<Storage> =>
  openStorage(
    {
      records: { type: 'sqlite', file: join(folder, `${name}.sqlite`) },
      blobs: { type: 'filesystem', root: join(folder, `${name}-blobs`) },
    },
    systemClock,
  );

async function lifecycle(): Promise<void> {
  const now = Date.now();
  const images = Array.from({ length: count }, (_, number): LifecycleImage => {
    const pushedAt = now - (number % 60) * 86_400_000 - number;
    return {
      digest: sha256(String(number)),
      tags: tagsOf(number),
      pushedAt,
      storageClass: 'standard',
      listed: number % 10 === 0,
    };
  });
  const parsed = parseLifecyclePolicy(policy);
  const times: number[] = [];
  for (let round = 0; round < 5; round++) times.push(await timed(() => evaluate(parsed, images, now)));
  rows.push({
    what: `evaluate 5 rules over ${count} images`,
    ours: `${median(times).toFixed(0)} ms`,
    peer: '—',
    ratio: '—',
    goal: 'under 1 s',
  });

  const storage = await openStore('lifecycle');
  const name = 'bench/large';
  const domain = openImages({ records: storage.records, blobs: storage.blobs });
  await domain.repositories.create(account, { name: parseRepositoryName(name) }, 'bench');
  for (let from = 0; from < count; from += 2000) {
    await storage.records.commit(registryPartition(account), {
      put: images.slice(from, from + 2000).flatMap(({ digest, tags, pushedAt }) => {
        const of = digest as `sha256:${string}`;
        const facts = { mediaType: 'application/vnd.oci.image.manifest.v1+json', size: 500, pushedAt };
        return [
          { key: keys.manifest(name, of), value: { ...facts, imageSize: 1_000_000, tagCount: tags.length } },
          ...tags.map((tag) => ({ key: keys.tagged(name, of, tag), value: {} })),
        ];
      }),
    });
  }
  const preview = await timed(() => makePreview(domain, account, name, policy));
  rows.push({
    what: `preview of a repository of ${count} images: read, evaluate, keep the outcome`,
    ours: `${(preview / 1000).toFixed(2)} s`,
    peer: '—',
    ratio: '—',
    goal: '—',
  });
  await storage.close();
}

/** The rows and the event that a push of an image of one blob writes, and nothing else. */
const bareCommit = (storage: Storage, number: number): Promise<unknown> => {
  const digest = sha256(`bare ${number} ${randomBytes(8).toString('hex')}`);
  const tag = `t-${digest.slice(7, 23)}`;
  const text = JSON.stringify({ schemaVersion: 2, annotations: { number: String(number) }, padding: 'x'.repeat(300) });
  return storage.records.commit(registryPartition(account), {
    put: [
      {
        key: keys.manifest('bench/put', digest),
        value: { mediaType: 'm', size: 400, pushedAt: 0, imageSize: 2, tagCount: 1 },
      },
      { key: keys.content('bench/put', digest), value: text },
      { key: keys.tag('bench/put', tag), value: { digest, mediaType: 'm', size: 400, pushedAt: 0 } },
      { key: keys.tagged('bench/put', digest, tag), value: {} },
      { key: keys.reference(sha256('{}'), 'bench/put', digest), value: {} },
    ],
    announce: [{ topic: 'registry', type: 'image.pushed', data: { account, repository: 'bench/put', digest, tag } }],
  });
};

/** The ranges that one page of DescribeImages reads, and nothing else. */
async function barePage(storage: Storage): Promise<void> {
  const partition = registryPartition(account);
  await storage.records.list(partition, { prefix: keys.manifests('bench/put'), limit: 100 });
  await storage.records.list(partition, { prefix: keys.allTagged('bench/put'), limit: 100 });
  await storage.records.list(partition, { prefix: keys.pulls('bench/put'), limit: 100 });
}

async function prepare(ecr: ECRClient): Promise<(number: number) => Promise<unknown>> {
  const repositoryName = 'bench/put';
  await ecr.send(new CreateRepositoryCommand({ repositoryName }));
  const { uploadId } = await ecr.send(new InitiateLayerUploadCommand({ repositoryName }));
  const layerPartBlob = Buffer.from('{}');
  await ecr.send(
    new UploadLayerPartCommand({ repositoryName, uploadId, partFirstByte: 0, partLastByte: 1, layerPartBlob }),
  );
  await ecr.send(new CompleteLayerUploadCommand({ repositoryName, uploadId, layerDigests: [sha256('{}')] }));
  return (number) => {
    const unique = randomBytes(8).toString('hex');
    const imageManifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: sha256('{}'), size: 2 },
      layers: [],
      annotations: { number: `${number} ${unique}` },
    });
    return ecr.send(new PutImageCommand({ repositoryName, imageManifest, imageTag: `t-${unique}` }));
  };
}

async function api(): Promise<void> {
  const server = new ServerProcess(await freePort(), join(folder, 'data'), {
    SLIPWAY_AGENT: 'off',
    SLIPWAY_LOG: 'error',
  });
  await server.start();
  const storage = await openStore('bare');
  try {
    const { AWS_ACCESS_KEY_ID: accessKeyId = '', AWS_SECRET_ACCESS_KEY: secretAccessKey = '' } = server.aws();
    const ecr = new ECRClient({
      endpoint: server.endpoint,
      region: 'us-east-1',
      credentials: { accessKeyId, secretAccessKey },
    });
    const put = await prepare(ecr);
    const pairs: { what: string; goal: string; ours: () => Promise<number>; peer: () => Promise<number> }[] = [
      { what: 'PutImage', goal: '—', ours: () => rate(put), peer: () => rate((number) => bareCommit(storage, number)) },
      {
        what: 'DescribeImages, pages of 100',
        goal: '—',
        ours: () => rate(() => ecr.send(new DescribeImagesCommand({ repositoryName: 'bench/put', maxResults: 100 }))),
        peer: () => rate(() => barePage(storage)),
      },
    ];
    for (const { what, goal, ours, peer } of pairs) {
      const [mine, bare, ratios]: [number[], number[], number[]] = [[], [], []];
      for (let round = 0; round < rounds; round++) {
        mine.push(await ours());
        bare.push(await peer());
        ratios.push((mine.at(-1) ?? 0) / (bare.at(-1) ?? 1));
      }
      rows.push({
        what,
        ours: `${short(median(mine))}/s`,
        peer: `${short(median(bare))}/s`,
        ratio: `${median(ratios).toFixed(2)}x`,
        goal,
      });
    }
    ecr.destroy();
  } finally {
    await storage.close();
    await server.stop();
  }
}

try {
  await lifecycle();
  await api();
  const section: Section = {
    name: 'ecr',
    title: 'ECR API',
    command: 'npm run bench:ecr',
    notes: [
      `API calls: the AWS SDK in this process (signing included) against a served installation over HTTP, ${concurrency} at a time, ${rounds} rounds of ${options.seconds} s, medians.`,
      'Peer: a loop in this process that makes the same commits (or reads the same ranges) on the same embedded store, without HTTP, signatures, policies and JSON.',
      'The client, the server and the store share the machine.',
    ],
    rows,
  };
  writeSection(section);
  process.stdout.write(`${render(section)}\n`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
