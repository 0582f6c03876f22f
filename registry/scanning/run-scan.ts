import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type { Tracing } from '@slipway/storage/telemetry';
import { type Images, ImagesError, type ParsedManifest, readManifest } from '../images/index.ts';
import { newScanId } from './scan-id.ts';
import { Unscannable } from './inventory/limits.ts';
import type { ScanCause, ScanRecord } from './records.ts';
import { sbomType, storeBom } from './sbom.ts';
import { changeScan, completeScan, type ImageAddress } from './scan-store.ts';
import { NoKnowledge } from './scanners/embedded.ts';
import {
  type Scanner,
  ScannerFailed,
  type ScanReport,
  type ScanTarget,
  UnsupportedImage,
  withinLimits,
} from './scanners/scanner.ts';

export interface ScanPorts {
  readonly images: Images;
  readonly scanner: Scanner;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds one scan may take, whatever the scanner thinks. */
  readonly time: number;
  /** Whether bills of materials are stored. */
  readonly sbom: boolean;
  readonly tracing?: Tracing | undefined;
}

/**
 * Scans one image and keeps what comes of it. Whatever the scanner does (throws, hangs, reports nonsense), the scan ends within
 * its time as COMPLETE, FAILED or UNSUPPORTED_IMAGE with a reason. Nothing happens when the image is gone.
 * @throws the signal's reason when the server stops; what the stores throw
 */
export async function runScan(
  ports: ScanPorts,
  image: ImageAddress,
  cause: ScanCause,
  stop: AbortSignal,
): Promise<void> {
  const { images, clock } = ports;
  const { records } = images.ports;
  const target = await targetOf(images, image);
  if (target === undefined) return;
  const scanner = ports.scanner.name;
  const started = await changeScan(records, image, (before) => ({
    next: {
      ...before,
      status: 'IN_PROGRESS',
      description: '',
      cause: before?.status === 'PENDING' ? before.cause : cause,
      requestedAt: before?.status === 'PENDING' ? before.requestedAt : clock.now(),
      scanner,
    },
  }));
  if (started === undefined) return;
  const outcome = await attempt(ports, target, stop);
  const inventory = 'report' in outcome ? outcome.report.inventory : outcome.inventory;
  const sbom = inventory && ports.sbom ? await billOf(ports, image, target, inventory) : undefined;
  const common = {
    scanner,
    completedAt: clock.now(),
    ...(sbom ? { sbom } : {}),
    ...(inventory ? { inventory } : {}),
  };
  if ('report' in outcome) {
    const result = { id: newScanId(images.ports), findings: outcome.report.findings };
    await completeScan(records, image, { ...common, ...completed(outcome.report), result });
  } else {
    const { status, description } = outcome;
    ports.log.warn({ ...image, reason: description }, 'an image was not scanned');
    await completeScan(records, image, { ...common, status, description });
  }
}

/** Status and text of a scan that found out something. */
export const completed = (report: ScanReport): Pick<ScanRecord, 'status' | 'description' | 'knowledgeFrom'> => ({
  status: 'COMPLETE',
  description: ['The scan was completed successfully.', ...(report.note === undefined ? [] : [report.note])].join(' '),
  ...(report.knowledgeFrom === undefined ? {} : { knowledgeFrom: report.knowledgeFrom }),
});

type Outcome =
  | { readonly report: ScanReport }
  | {
      readonly status: 'FAILED' | 'UNSUPPORTED_IMAGE';
      readonly description: string;
      readonly inventory?: NonNullable<ScanReport['inventory']>;
    };

async function attempt(ports: ScanPorts, target: ScanTarget, stop: AbortSignal): Promise<Outcome> {
  const time = AbortSignal.timeout(ports.time);
  const signal = AbortSignal.any([stop, time]);
  try {
    return { report: withinLimits(await orAborted(ports.scanner.scan(target, signal), signal)) };
  } catch (error) {
    stop.throwIfAborted();
    return outcomeOf(ports, target, error, time.aborted);
  }
}

/** What a failure means for the image. Failures of our own stores are not the scanner's, and are tried again. */
function outcomeOf(ports: ScanPorts, target: ScanTarget, error: unknown, late: boolean): Outcome {
  if (late) return failed(`The scanner did not finish within ${Math.round(ports.time / 1000)} seconds.`);
  if (error instanceof Unscannable) {
    return {
      status: 'UNSUPPORTED_IMAGE',
      description: `UnscannableImageError: The image is unscannable: ${error.message}.`,
    };
  }
  if (error instanceof UnsupportedImage) {
    return { status: 'UNSUPPORTED_IMAGE', description: `UnsupportedImageError: ${error.message}` };
  }
  if (error instanceof NoKnowledge) return { ...failed(error.message), inventory: error.inventory };
  if (error instanceof ScannerFailed) return failed(error.message);
  if (error instanceof Error && storeErrors.has(error.name)) throw error;
  ports.log.error({ err: error, digest: target.digest }, 'the scanner failed in a way nobody thought of');
  return failed("The scanner failed; the server's log says more.");
}

const storeErrors: ReadonlySet<string> = new Set(['StoreUnavailable', 'BlobStoreError', 'ConditionFailed']);

const failed = (reason: string): { readonly status: 'FAILED'; readonly description: string } => ({
  status: 'FAILED',
  description: `ScannerError: ${reason}`,
});

/** The work, or the signal's reason if that comes first: a scanner that does not listen is left behind. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/** The image as scanners get it; undefined when it is gone. */
async function targetOf(
  images: Images,
  image: ImageAddress,
): Promise<(ScanTarget & { readonly size: number; readonly pushedAt: number }) | undefined> {
  const { account, repository, digest } = image;
  const listed = await images.manifests.listOne(account, repository, digest);
  if (listed === undefined) return undefined;
  const manifest = await manifestOf(images, image, listed.mediaType);
  // The config is the first of the blobs; layers that lie elsewhere are never fetched.
  const layers = manifest?.blobs.slice(1) ?? [];
  return {
    account,
    repository,
    digest,
    tags: listed.tags,
    mediaType: listed.mediaType,
    size: listed.size,
    pushedAt: listed.pushedAt,
    layers: layers.map((layer) => ({
      digest: layer.digest,
      size: layer.size,
      async open() {
        const { blob } = await images.blobs.look(account, repository, layer.digest);
        if (blob === undefined) throw new ScannerFailed(`The layer ${layer.digest} is not in the repository any more.`);
        return (await images.blobs.open(blob)).stream();
      },
    })),
  };
}

async function manifestOf(images: Images, image: ImageAddress, mediaType: string): Promise<ParsedManifest | undefined> {
  try {
    return readManifest(await images.manifests.content(image.account, image.repository, image.digest), mediaType);
  } catch (error) {
    if (error instanceof ImagesError) return undefined;
    throw error;
  }
}

/** A bill that cannot be stored is no reason to lose the findings. */
async function billOf(
  ports: ScanPorts,
  image: ImageAddress,
  target: { readonly mediaType: string; readonly size: number; readonly pushedAt: number },
  inventory: NonNullable<ScanReport['inventory']>,
) {
  try {
    return await storeBom(ports.images, image, target, inventory);
  } catch (error) {
    ports.log.warn({ ...image, err: error, type: sbomType }, 'the bill of materials was not stored');
    return undefined;
  }
}
