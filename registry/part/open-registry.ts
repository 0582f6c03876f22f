import type { Part } from '@slipway/auth/contract';
import { createDistribution, createLayerDownloads, createRedirects } from '../distribution/index.ts';
import { createEcr, type EcrOptions } from '../ecr/index.ts';
import { createEcrPublic } from '../ecr-public/index.ts';
import { createResources, everyImage, openImages, type Pulls, type Resources } from '../images/index.ts';
import { createReplication } from '../replication/index.ts';
import { createPolicyCheck, createScanning } from '../scanning/index.ts';
import { createTemplates } from '../templates/index.ts';
import { createUpstreams } from '../upstreams/index.ts';
import { registryGauges } from './gauges.ts';
import { registryJobs } from './jobs.ts';
import type { RegistryPorts } from './ports.ts';

/** The registry, and what those beside it may ask of it. */
export interface RegistryPart extends Part {
  readonly images: {
    /** What a tag or digest is now. */
    resolve(account: string, repository: string, tag: string): Promise<string | undefined>;
    /** Why a scan forbids that an image is rolled out; undefined when nothing does. */
    refusal(account: string, repository: string, digest: string): Promise<{ readonly reason: string } | undefined>;
    /** Every tag, with the time of its push. */
    tags(account: string, repository: string): AsyncIterable<{ readonly tag: string; readonly pushedAt: number }>;
  };
  /** How often images were pulled through this process since this was asked last. */
  readonly pulls: Pulls['counted'];
  /** A repository as policies know it, whether or not it exists. */
  readonly repository: Resources['find'];
}

/** How often the times of pulls are written, milliseconds. */
const flushEvery = 60_000;

/** Wires the registry's rooms. Nothing runs before `start`. */
export function openRegistry(ports: RegistryPorts): RegistryPart {
  const { storage, clock, random, log, tracing, meter, region, account, authorizer } = ports;
  const { records, blobs, events, leases } = storage;
  const images = openImages({ records, blobs, clock, random, meter });
  const upstreams = createUpstreams({
    images,
    templates: createTemplates(images),
    fetch: ports.outbound.strangers,
    ...ports.upstreams,
    log,
    folder: ports.incoming,
  });
  const policy = createPolicyCheck(images, ports.isScanner);
  const replication = createReplication({
    images,
    policy,
    events,
    region,
    targets: ports.replicationTargets,
    fetch: ports.outbound.ours,
    log,
    tracing,
  });
  const scanning = createScanning({ images, events, leases, scanner: ports.scanner, log, tracing });
  const resources = createResources(images, region);
  const ecr: EcrOptions = {
    images,
    policy,
    region,
    authorizer,
    issueToken: ports.issueToken,
    upstreams,
    replication: replication.targets,
    principals: ports.principals,
  };
  const redirects = createRedirects(ports.redirects);
  let flushing: NodeJS.Timeout | undefined;
  return {
    images: {
      resolve: async (of, repository, tag) => (await images.resolve(of, repository, tag))?.digest,
      refusal: (of, repository, digest) => policy.rollout(of, repository, digest),
      async *tags(of, repository) {
        for await (const { tags, pushedAt } of everyImage(images, of, repository)) {
          for (const tag of tags) yield { tag, pushedAt };
        }
      },
    },
    pulls: () => images.pulls.counted(),
    repository: (of, name) => resources.find(of, name),
    services: [createEcr(ecr), createEcrPublic(ecr)],
    web: [
      createDistribution({ images, authorizer, defaultAccount: account, region, redirects, upstreams, policy }),
      createLayerDownloads({ images, policy }),
    ],
    upgrades: [],
    jobs: registryJobs({
      images,
      imagesInUse: ports.imagesInUse,
      blobsOfOthers: ports.blobsOfOthers,
      lossNoticed: () => storage.lossNoticed(),
      onCollected: (report) => meter.collected(report),
    }),
    gauges: registryGauges(images, account),
    async start({ upkeep }) {
      flushing = setInterval(() => {
        void images.pulls.flush().catch((err: unknown) => log.warn({ err }, 'pull times were not recorded'));
      }, flushEvery);
      if (!upkeep) return;
      replication.start();
      scanning.start();
    },
    async stop() {
      clearInterval(flushing);
      await Promise.all([scanning.stop(), replication.stop()]);
    },
    async close() {
      await upstreams.settled();
      await images.pulls.flush();
    },
  };
}
