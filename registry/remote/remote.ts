import type { Outbound, OutboundStream } from '@slipway/auth/outbound';
import type { Digest } from '@slipway/storage/blobs';
import { digestOf, isDigest, maxManifestBytes, mediaTypes, type ReferrerRecord } from '../images/index.ts';
import { authorizationFor, parseChallenge, type RemoteCredentials } from './authorization.ts';
import { errorOf, RemoteError } from './errors.ts';
import { referrersOf } from './referrers.ts';
import { typeOf } from './type-of.ts';

export interface RemoteOptions {
  /** Scheme and authority, e.g. `https://registry-1.docker.io`. */
  readonly url: string;
  /** The guarded client's: every address the registry sends us to is checked by it. */
  readonly fetch: Outbound['stream'];
  /** Asked whenever a login is needed, since passwords run out. Default: nobody. */
  readonly credentials?: () => Promise<RemoteCredentials | undefined>;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Milliseconds until an answer must begin. Default 30,000. */
  readonly answerWithin?: number;
}

export interface RemoteManifest {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly bytes: Buffer;
}

/** Bytes of a blob that are being sent. */
export interface RemoteBlob {
  /** Of the whole blob, where the registry says so. */
  readonly size: number | undefined;
  /** Where in the blob the bytes begin. */
  readonly from: number;
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Ends it without reading; harmless once it is read. */
  cancel(): Promise<void>;
}

/** Another registry, spoken to by the OCI Distribution API. Everything that came by digest has been verified, or is by its receiver. */
export interface Remote {
  /** What a tag is there now. Undefined: there is no such tag. */
  digestOf(repository: string, tag: string): Promise<Digest | undefined>;
  /** @throws RemoteError `not-found`, `corrupt` when the bytes are not what was asked for */
  manifest(repository: string, reference: string): Promise<RemoteManifest>;
  /**
   * The bytes as they come; whoever reads them hashes them.
   * @param from where to begin; a registry that knows no ranges begins at 0 all the same
   */
  blob(repository: string, digest: Digest, from?: number): Promise<RemoteBlob>;
  /** What refers to a manifest there, by the referrers API or, without it, by its fallback tag. At most 1000. */
  referrers(repository: string, subject: Digest): Promise<readonly ReferrerRecord[]>;
  hasBlob(repository: string, digest: Digest): Promise<boolean>;
  putBlob(repository: string, digest: Digest, size: number, bytes: () => AsyncIterable<Uint8Array>): Promise<void>;
  putManifest(repository: string, reference: string, mediaType: string, bytes: Buffer): Promise<void>;
}

type Method = NonNullable<OutboundStream['method']>;

interface Sent {
  readonly headers?: Record<string, string>;
  readonly body?: () => Buffer | AsyncIterable<Uint8Array>;
  readonly actions?: 'pull' | 'pull,push';
}

const accepted = [mediaTypes.ociIndex, mediaTypes.ociManifest, mediaTypes.dockerList, mediaTypes.dockerManifest].join(
  ', ',
);
const mostRedirects = 5;

export function createRemote(options: RemoteOptions): Remote {
  const authorizations = new Map<string, { readonly header: string; readonly until: number }>();
  const base = options.url.replace(/\/+$/, '');
  const registry = new URL(base);

  /** One request; redirects are followed by hand, so that no secret leaves with them and no address goes unchecked. */
  const send = async (method: Method, url: string, { headers = {}, body }: Sent): Promise<Response> => {
    let at = url;
    let secret = headers['authorization'];
    for (let left = mostRedirects; ; left--) {
      const { authorization: _authorization, ...rest } = headers;
      const response = await begun(
        at,
        {
          method,
          headers: { ...rest, ...(secret === undefined ? {} : { authorization: secret }) },
          ...(body === undefined ? {} : { body: body() }),
        },
        options,
      );
      const location = response.headers.get('location');
      if (response.status < 301 || response.status > 308 || location === null || method === 'PUT' || method === 'POST')
        return response;
      await response.body?.cancel();
      if (left === 0) throw new RemoteError('unavailable', 'too many redirects');
      const next = addressOf(location, at, `${method} ${url}`);
      if (next.origin !== new URL(at).origin) secret = undefined;
      at = next.href;
    }
  };

  const call = async (method: Method, repository: string, path: string, sent: Sent = {}): Promise<Response> => {
    const scope = `repository:${repository}:${sent.actions ?? 'pull'}`;
    const url = path.startsWith('http') ? path : `${base}${path}`;
    // An upload may go on at another address; what lets us in here is none of its business.
    const isOwn = new URL(url).origin === registry.origin;
    for (let attempt = 1; ; attempt++) {
      const known = authorizations.get(scope);
      const usable = isOwn && known !== undefined && known.until > Date.now();
      const authorization = usable ? { authorization: known.header } : {};
      const response = await send(method, url, {
        ...sent,
        headers: { ...options.headers, ...sent.headers, ...authorization },
      });
      const challenge = response.status === 401 ? parseChallenge(response.headers.get('www-authenticate')) : undefined;
      if (challenge === undefined || attempt > 1 || !isOwn) return response;
      await response.body?.cancel();
      const { header, seconds } = await authorizationFor(
        registry,
        challenge,
        scope,
        await options.credentials?.(),
        (realm, headers) => send('GET', realm, { headers }),
        limited,
      );
      authorizations.set(scope, { header, until: Date.now() + Math.max(5, seconds * 0.8) * 1000 });
    }
  };

  /** @param status the only one that means success, where the specification has one: a page of somebody else's also comes with 200 */
  const must = async (response: Response, what: string, status?: number): Promise<Response> => {
    if (status === undefined ? response.ok : response.status === status) return response;
    if (response.ok) {
      await response.body?.cancel().catch(() => undefined);
      throw new RemoteError('corrupt', `${what}: answered with ${response.status}, not with ${status}`);
    }
    throw errorOf(response.status, what, await beginningOf(response));
  };

  const manifest: Remote['manifest'] = async (repository, reference) => {
    const what = `GET ${repository}, ${reference}`;
    const response = await must(
      await call('GET', repository, `/v2/${repository}/manifests/${reference}`, { headers: { accept: accepted } }),
      what,
    );
    const bytes = await limited(response, what);
    const claimed = isDigest(reference) ? reference : response.headers.get('docker-content-digest');
    const digest = digestOf(bytes, claimed?.startsWith('sha512:') ? 'sha512' : 'sha256');
    if (claimed !== null && claimed !== digest)
      throw new RemoteError('corrupt', `${what}: the bytes hash to ${digest}, not to ${claimed}`);
    return { digest, mediaType: typeOf(bytes, response.headers.get('content-type')), bytes };
  };

  return {
    async digestOf(repository, tag) {
      const response = await call('HEAD', repository, `/v2/${repository}/manifests/${tag}`, {
        headers: { accept: accepted },
      });
      if (response.status === 404) return undefined;
      const digest = response.headers.get('docker-content-digest');
      // Some know no HEAD, and some do not say the digest: what GET answers with has one.
      const unsaid = response.ok && (digest === null || !isDigest(digest));
      if (unsaid || response.status === 405 || response.status === 501)
        return (await manifest(repository, tag).catch(unlessAbsent))?.digest;
      await must(response, `HEAD ${repository}:${tag}`);
      return digest as Digest;
    },
    manifest,
    async blob(repository, digest, from = 0) {
      const response = await must(
        await call(
          'GET',
          repository,
          `/v2/${repository}/blobs/${digest}`,
          from === 0 ? {} : { headers: { range: `bytes=${from}-` } },
        ),
        `GET blob ${digest}`,
      );
      const { body } = response;
      const { start, size } = await extentOf(response);
      return {
        size,
        from: start,
        bytes: (body ?? new Blob([]).stream()) as unknown as AsyncIterable<Uint8Array>,
        cancel: async () => {
          // One that broke off has nothing left to cancel.
          if (body?.locked === false) await body.cancel().catch(() => undefined);
        },
      };
    },
    referrers: (repository, subject) =>
      referrersOf(subject, {
        get: (path) =>
          call('GET', repository, `/v2/${repository}${path}`, { headers: { accept: mediaTypes.ociIndex } }),
        read: limited,
      }),
    async hasBlob(repository, digest) {
      const response = await call('HEAD', repository, `/v2/${repository}/blobs/${digest}`, { actions: 'pull,push' });
      if (response.status === 404) return false;
      await must(response, `HEAD blob ${digest}`);
      return true;
    },
    async putBlob(repository, digest, size, bytes) {
      const started = await must(
        await call('POST', repository, `/v2/${repository}/blobs/uploads/`, { actions: 'pull,push' }),
        'POST upload',
        202,
      );
      const location = addressOf(started.headers.get('location'), base, 'POST upload');
      location.searchParams.set('digest', digest);
      await must(
        await call('PUT', repository, location.href, {
          actions: 'pull,push',
          headers: { 'content-type': 'application/octet-stream', 'content-length': String(size) },
          body: bytes,
        }),
        `PUT blob ${digest}`,
        201,
      );
    },
    async putManifest(repository, reference, mediaType, bytes) {
      await must(
        await call('PUT', repository, `/v2/${repository}/manifests/${reference}`, {
          actions: 'pull,push',
          headers: { 'content-type': mediaType },
          body: () => bytes,
        }),
        `PUT ${repository}, ${reference}`,
        201,
      );
    },
  };
}

/** Waits for the answer to begin; its body may take as long as it needs. */
async function begun(url: string, call: OutboundStream, options: RemoteOptions): Promise<Response> {
  const waiting = new AbortController();
  // A body of ours takes its time before there can be an answer.
  const within =
    call.body === undefined || call.body instanceof Uint8Array ? (options.answerWithin ?? 30_000) : undefined;
  const timer = within && setTimeout(() => waiting.abort(), within);
  try {
    return await options.fetch(url, { ...call, signal: waiting.signal });
  } catch (error) {
    throw new RemoteError('unavailable', `${new URL(url).host} cannot be reached`, { cause: error });
  } finally {
    clearTimeout(timer);
  }
}

/** Which part of how much an answer holds; a part must be one that was asked for: from some byte to the end. */
async function extentOf(response: Response): Promise<{ readonly start: number; readonly size: number | undefined }> {
  const { status, headers } = response;
  if (status !== 206) {
    const length = headers.get('content-length');
    return { start: 0, size: length !== null && /^\d{1,15}$/.test(length) ? Number(length) : undefined };
  }
  const [, start, end, size] =
    /^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(headers.get('content-range') ?? '') ?? [];
  if (start !== undefined && Number(end) === Number(size) - 1) return { start: Number(start), size: Number(size) };
  await response.body?.cancel();
  throw new RemoteError('corrupt', 'the registry sends another part of the blob than it was asked for');
}

/** Where a registry sends us. @throws RemoteError `corrupt` when that is no address */
function addressOf(location: string | null, base: string, what: string): URL {
  const url = location === null ? null : URL.parse(location, base);
  if (url === null) throw new RemoteError('corrupt', `${what}: the answer names no address to go on at`);
  return url;
}

function unlessAbsent(error: unknown): undefined {
  if (!(error instanceof RemoteError) || error.code !== 'not-found') throw error;
}

/** What an error says first; however much it says. */
async function beginningOf({ body }: Response): Promise<string> {
  let text = '';
  try {
    for await (const chunk of (body ?? []) as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString('latin1');
      if (text.length > 1000) break;
    }
  } catch {
    // The status has said what there is to say.
  }
  return text;
}

async function limited(response: Response, what: string): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
      size += chunk.byteLength;
      if (size > maxManifestBytes) throw new RemoteError('corrupt', `${what}: more than ${maxManifestBytes} bytes`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof RemoteError) throw error;
    throw new RemoteError('unavailable', `${what}: the answer breaks off`, { cause: error });
  }
  return Buffer.concat(chunks);
}
