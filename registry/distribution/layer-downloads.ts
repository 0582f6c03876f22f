import { GatewayError, type WebRoute, type WebService } from '@slipway/auth/contract';
import type { Digest } from '@slipway/storage/blobs';
import { type Images, ImagesError, parseDigest } from '../images/index.ts';
import type { PullPolicy } from '../scanning/index.ts';
import { renderError } from './errors.ts';
import { sendBlob } from './send-blob.ts';

const prefix = '/layers/';
const purpose = 'layer download';
/** Milliseconds for which a URL can be used. */
const validity = 300_000;

export interface LayerAddress {
  readonly account: string;
  readonly repository: string;
  readonly digest: Digest;
  /** ARN of whoever asked for the URL: the rules about pulls are about them. */
  readonly caller: string;
}

/** A URL from which one layer can be fetched for five minutes by whoever has it, as GetDownloadUrlForLayer promises. */
export async function layerUrl(
  images: Images,
  endpoint: string,
  { account, repository, digest, caller }: LayerAddress,
): Promise<string> {
  const until = String(images.ports.clock.now() + validity);
  const ticket = await images.signing.sign(account, purpose, [repository, digest, until, caller]);
  return `${endpoint}${prefix}${account}/${ticket}`;
}

export interface LayerDownloadOptions {
  readonly images: Images;
  /** Whether findings of a scan forbid a pull. */
  readonly policy: PullPolicy;
}

/** Serves what {@link layerUrl} points at. The signature over account, repository, layer and time is the permission. */
export function createLayerDownloads({ images, policy }: LayerDownloadOptions): WebService {
  return {
    name: 'layers',
    prefix,
    authentication: 'none',
    samples: [{ method: 'GET', path: '/layers/000000000000/ticket' }],
    route(method, path): WebRoute | undefined {
      const match = /^\/layers\/(\d{12})\/([A-Za-z0-9_.-]{1,4096})$/.exec(path);
      if (match === null || (method !== 'GET' && method !== 'HEAD')) return undefined;
      const [, account, ticket] = match as unknown as [string, string, string];
      return {
        name: 'GET layer',
        access: 'anonymous',
        handle: async (ctx, call) => {
          const parts = await images.signing.verify(account, purpose, ticket);
          const [repository, digest, until, caller] = parts ?? [];
          if (
            repository === undefined ||
            digest === undefined ||
            caller === undefined ||
            !(Number(until) > images.ports.clock.now())
          ) {
            throw new GatewayError('denied', 'This URL is not valid, or not any more. Ask for a new one.');
          }
          const seen = await images.blobs.look(account, repository, parseDigest(digest));
          if (seen.repository === undefined || seen.blob === undefined) {
            throw new ImagesError(
              'BlobNotFound',
              `The blob ${digest} does not exist in the repository '${repository}'`,
              { digest },
            );
          }
          const refusal = await policy.blob({ account, repository: seen.repository, digest: seen.blob.digest, caller });
          if (refusal) throw new ImagesError('PullRefused', refusal.reason);
          await sendBlob({ images, redirects: undefined }, ctx, call.signal, seen.repository, seen.blob);
        },
      };
    },
    renderError,
  };
}
