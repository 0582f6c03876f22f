import type { Log } from '@slipway/auth/contract';
import type { Digest } from '@slipway/storage/blobs';
import type { Delivery, EventLog } from '@slipway/storage/events';
import { leadEach, type Leases } from '@slipway/storage/leases';
import type { Tracing } from '@slipway/storage/telemetry';
import { type Images, ImagesError, registryPartition } from '../images/index.ts';
import { frequencyOf, readConfiguration } from './configuration.ts';
import { runContinuousPass } from './continuous.ts';
import { isImage } from './image-kind.ts';
import { runScan, type ScanPorts } from './run-scan.ts';
import { scanActor } from './sbom.ts';
import { changeScan, forgetScan, type ImageAddress, readScan } from './scan-store.ts';
import type { Scanner } from './scanners/scanner.ts';

export interface ScanningOptions {
  readonly images: Images;
  readonly events: EventLog;
  readonly leases: Leases;
  readonly scanner: Scanner;
  readonly log: Log;
  /** Milliseconds one scan may take. Default 15 minutes. */
  readonly time?: number;
  /** Scans at the same time in this server. Default 1. */
  readonly parallel?: number;
  /** Whether bills of materials are stored beside the images. Default true. */
  readonly sbom?: boolean;
  /** Milliseconds between two looks whether the scanner knows more than before. Default 30 seconds. */
  readonly rescanEvery?: number;
  /** Each scan is a trace of its own. Default: no traces. */
  readonly tracing?: Tracing | undefined;
}

/** Scanning in one server: consumes pushes and requests. */
export interface Scanning {
  readonly scanner: Scanner;
  start(): void;
  /** Ends scans that are under way; another server, or the next start, begins them again. */
  stop(): Promise<void>;
}

export function createScanning(options: ScanningOptions): Scanning {
  const { images, events, leases, log } = options;
  const { clock } = images.ports;
  const ports: ScanPorts = {
    images,
    scanner: options.scanner,
    clock,
    log,
    time: options.time ?? 15 * 60_000,
    sbom: options.sbom ?? true,
    tracing: options.tracing,
  };
  const stopping = new AbortController();
  let running: Promise<unknown> | undefined;

  const consume = async (): Promise<void> => {
    const busy = new Set<Promise<void>>();
    const deliveries = events.consume({
      group: 'scanning',
      topic: 'registry',
      signal: stopping.signal,
      // Longer than a scan: only a server that died gives its scans to another one.
      redeliverAfter: ports.time + 60_000,
      attempts: maxAttempts + 1,
    });
    for await (const delivery of deliveries) {
      const work: Promise<void> = handle(ports, delivery, stopping.signal).finally(() => busy.delete(work));
      busy.add(work);
      if (busy.size >= (options.parallel ?? 1)) await Promise.race(busy);
    }
    await Promise.all(busy);
  };

  return {
    scanner: options.scanner,
    start() {
      running ??= Promise.all([
        consume(),
        keepRescanning(ports, leases, options.rescanEvery ?? 30_000, stopping.signal),
      ]);
      // Both end by themselves only when they are stopped; anything else is worth a line.
      running.catch((error: unknown) => {
        if (!stopping.signal.aborted) log.error({ err: error }, 'scanning has ended');
      });
    },
    async stop() {
      stopping.abort(new Error('the server stops'));
      await running?.catch(() => {});
    },
  };
}

/** After so many deliveries of the same push the scan is given up: something about it ends servers. */
const maxAttempts = 3;

async function handle(ports: ScanPorts, delivery: Delivery, stop: AbortSignal): Promise<void> {
  try {
    await act(ports, delivery, stop);
    await delivery.acknowledge();
  } catch (error) {
    if (stop.aborted) return;
    ports.log.warn({ err: error, type: delivery.type }, 'an event was not handled; it comes again');
    await delivery.reject(error instanceof Error ? error.message : String(error)).catch(() => {});
  }
}

async function act(ports: ScanPorts, delivery: Delivery, stop: AbortSignal): Promise<void> {
  const { images } = ports;
  const { records } = images.ports;
  const image = addressOf(delivery.data);
  if (image === undefined) return;
  switch (delivery.type) {
    case 'image.deleted':
      return forget(images, image);
    case 'scan.requested': {
      const scan = await readScan(records, image);
      // Anything else means that it was done already, or that the image is another one now.
      if (scan?.status === 'PENDING' || (scan?.status === 'IN_PROGRESS' && delivery.attempt > 1)) {
        await scanOrGiveUp(ports, image, 'manual', delivery.attempt, stop);
      }
      return;
    }
    case 'image.pushed': {
      const repository = await images.repositories.find(image.account, image.repository);
      if (repository === undefined) return;
      const configuration = await readConfiguration(records, image.account);
      if (frequencyOf(configuration, repository).frequency === 'MANUAL') return;
      const scan = await readScan(records, image);
      const unfinished = scan?.status === 'FAILED' || (scan?.status === 'IN_PROGRESS' && delivery.attempt > 1);
      // A further tag on an image that was scanned changes nothing about it.
      if (scan !== undefined && !unfinished) return;
      if (!(await isImage(images, image.account, image.repository, image.digest))) return;
      return scanOrGiveUp(ports, image, 'push', delivery.attempt, stop);
    }
  }
}

async function scanOrGiveUp(
  ports: ScanPorts,
  image: ImageAddress,
  cause: 'push' | 'manual',
  attempt: number,
  stop: AbortSignal,
): Promise<void> {
  const scan = (): Promise<void> => runScan(ports, image, cause, stop);
  if (attempt <= maxAttempts) {
    if (ports.tracing === undefined) return scan();
    const attributes = {
      'slipway.repository': image.repository,
      'slipway.digest': image.digest,
      'slipway.cause': cause,
    };
    return ports.tracing.run('scan image', { kind: 'consumer', attributes }, scan);
  }
  await changeScan(ports.images.ports.records, image, (before) => ({
    next: {
      ...before,
      cause: before?.cause ?? cause,
      requestedAt: before?.requestedAt ?? ports.clock.now(),
      completedAt: ports.clock.now(),
      status: 'FAILED',
      description: `ScannerError: The scan was begun ${maxAttempts} times and never came to an end.`,
    },
  }));
}

/** The image is gone, and with it what was known about it, its bill of materials included. */
async function forget(images: Images, image: ImageAddress): Promise<void> {
  const scan = await forgetScan(images.ports.records, image);
  if (scan?.sbom === undefined) return;
  const { account, repository } = image;
  try {
    await images.manifests.removeIf({ account, repository, digest: scan.sbom, actor: scanActor, onlyWithTags: [] });
  } catch (error) {
    // Gone already, or somebody tagged it and wants to keep it.
    if (!(error instanceof ImagesError)) throw error;
  }
}

function addressOf(data: Delivery['data']): ImageAddress | undefined {
  if (typeof data !== 'object' || data === null || Array.isArray(data)) return undefined;
  const { account, repository, digest } = data as Record<string, unknown>;
  if (typeof account !== 'string' || typeof repository !== 'string' || typeof digest !== 'string') return undefined;
  return { account, repository, digest: digest as Digest };
}

/** One leader for each account's registry looks now and then whether images must be judged again. */
function keepRescanning(ports: ScanPorts, leases: Leases, every: number, stop: AbortSignal): Promise<void> {
  const { clock, log } = ports;
  return leadEach(
    leases,
    {
      records: ports.images.ports.records,
      prefix: registryPartition(''),
      name: 'scanning',
      clock,
      signal: stop,
      searchPace: every,
      waiting: (err) => log.warn({ err }, 'the continuous scan waits for the store'),
      interrupted: (err, account) => log.warn({ err, account }, 'the continuous scan was interrupted; it goes on'),
      retryAfter: Math.min(every, 5000),
    },
    async ({ name, epoch }, lost, account) => {
      while (!lost.aborted) {
        const judged = await runContinuousPass(ports, account, { name, epoch, lost });
        if (judged > 0) log.info({ account, images: judged }, 'images were judged by new advisories');
        await clock.sleep(every, lost);
      }
    },
  );
}
