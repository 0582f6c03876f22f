import { connect } from 'node:net';
import { mediaTypes } from '../images/index.ts';
import { sha256 } from '../images/testing/index.ts';
import { type Fetch, loggedIn, passwordOf } from './docker-client.ts';
import { type ServedRegistry, type ServeOptions, serveRegistry } from './serve-registry.ts';
import { newUser } from './users.ts';

/** A registry to try bad requests on, and two who try them. */
export interface Playground extends AsyncDisposable {
  readonly registry: ServedRegistry;
  /** May do everything. */
  readonly admin: Fetch;
  /** May do everything in `open/…`, and nothing elsewhere. */
  readonly guest: Fetch;
}

export async function openPlayground(options: ServeOptions = {}): Promise<Playground> {
  const registry = await serveRegistry(options);
  const key = await newUser(registry, 'guest', [
    { Effect: 'Allow', Action: 'ecr:GetAuthorizationToken', Resource: '*' },
    { Effect: 'Allow', Action: 'ecr:*', Resource: 'arn:aws:ecr:*:*:repository/open/*' },
  ]);
  return {
    registry,
    admin: wellRefused(await loggedIn(registry)),
    guest: wellRefused(await loggedIn(registry, key)),
    async [Symbol.asyncDispose]() {
      const told = await registry.told();
      await registry[Symbol.asyncDispose]();
      // Whoever reads the audit file learns why a request was refused; a range that cannot be says it by its status.
      const silent = told
        .split('\n')
        .filter((line) => /"status":4(?!16|99)\d\d/.test(line) && !line.includes('"error":"'));
      if (silent.length > 0) throw new Error(`refused without a reason in the audit line:\n${silent.join('\n')}`);
      // However bad a request: that we fail over it is never the answer.
      if (registry.failures.length > 0)
        throw new Error('the registry failed on its own account', { cause: registry.failures });
    },
  };
}

/** The codes that the specification has, and the one that ECR answers to a push of a tag that must not move. */
const codes: ReadonlySet<string> = new Set(
  `BLOB_UNKNOWN BLOB_UPLOAD_INVALID BLOB_UPLOAD_UNKNOWN DIGEST_INVALID MANIFEST_BLOB_UNKNOWN MANIFEST_INVALID MANIFEST_UNKNOWN
   NAME_INVALID NAME_UNKNOWN SIZE_INVALID UNAUTHORIZED DENIED UNSUPPORTED TOOMANYREQUESTS TAG_INVALID`.split(/\s+/),
);

/**
 * The same client, which looks at every refusal it gets: it must be ours to give (4xx), in the specification's form and codes, with a
 * message and a request id, and without a stack trace or a path of this machine.
 */
function wellRefused(client: Fetch): Fetch {
  return async (method, path, init) => {
    const response = await client(method, path, init);
    if (response.status < 400) return response;
    const text = await response.clone().text();
    const wrong = (what: string): Error => new Error(`${method} ${path}: ${response.status} ${what}: ${text}`);
    if (response.status >= 500) throw wrong('is a failure of our own');
    if (/\n\s+at |node:|\.ts:\d|\/tmp\/|node_modules/.test(text)) throw wrong('shows what is inside');
    if (!/^[0-9a-f-]{36}$/.test(response.headers.get('x-amzn-requestid') ?? '')) throw wrong('has no request id');
    if (response.status === 429 && response.headers.get('retry-after') === null) throw wrong('does not say when');
    // An answer to HEAD has no body, and a range that cannot be is told by its headers.
    if (method === 'HEAD' || (response.status === 416 && response.headers.has('content-range'))) return response;
    const [first] = (JSON.parse(text) as { errors: { code: string; message: string }[] }).errors;
    if (first === undefined || !codes.has(first.code) || first.message === '')
      throw wrong('is not in the specified form');
    return response;
  };
}

/** Status and error code of a refusal, as `404 BLOB_UNKNOWN`. */
export async function codeOf(response: Response): Promise<string> {
  const { errors } = (await response.json()) as { errors: { code: string }[] };
  return `${response.status} ${errors[0]?.code}`;
}

/** Puts a blob into a repository and returns its digest. */
export async function push(client: Fetch, repository: string, text: string): Promise<string> {
  const digest = sha256(text);
  const response = await client('POST', `/v2/${repository}/blobs/uploads/?digest=${digest}`, { body: text });
  if (response.status !== 201) throw new Error(`the blob was not taken: ${response.status} ${await response.text()}`);
  return digest;
}

/** Begins an upload and returns where it goes on. */
export async function begin(client: Fetch, repository: string): Promise<string> {
  const response = await client('POST', `/v2/${repository}/blobs/uploads/`);
  if (response.status !== 202) throw new Error(`no upload began: ${response.status} ${await response.text()}`);
  return response.headers.get('location') as string;
}

export const patch = (client: Fetch, location: string, body: string, range?: string): Promise<Response> =>
  client('PATCH', location, {
    body,
    headers: { 'content-type': 'application/octet-stream', ...(range === undefined ? {} : { 'content-range': range }) },
  });

/** The text of an image manifest whose only blob is its config. */
export const imageOf = (digest: string, size: number, extra: object = {}): string =>
  JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size },
    layers: [],
    ...extra,
  });

export const putManifest = (
  client: Fetch,
  repository: string,
  reference: string,
  body: string,
  type: string = mediaTypes.ociManifest,
): Promise<Response> =>
  client('PUT', `/v2/${repository}/manifests/${reference}`, { body, headers: { 'content-type': type } });

/**
 * Pushes levels of two indexes that each list both of the level below, down to two images: 2^levels ways lead to the bottom.
 * Returns the digest of an index over all of it, tagged `deep`.
 */
export async function pushDiamond(
  client: Fetch,
  repository: string,
  levels: number,
): Promise<{ readonly digest: string }> {
  const config = '{"diamond":true}';
  const digest = await push(client, repository, config);
  const put = async (reference: string, body: string, type: string): Promise<void> => {
    const { status } = await putManifest(client, repository, reference, body, type);
    if (status !== 201) throw new Error(`the manifest was not taken: ${status}`);
  };
  let mediaType: string = mediaTypes.ociManifest;
  let below = ['a', 'b'].map((name) => imageOf(digest, config.length, { annotations: { name } }));
  for (let level = 0; level <= levels; level++) {
    for (const body of below) await put(sha256(body), body, mediaType);
    const manifests = below.map((body) => ({ mediaType, digest: sha256(body), size: body.length }));
    const names = level === levels ? ['top'] : ['a', 'b'];
    mediaType = mediaTypes.ociIndex;
    below = names.map((name) => JSON.stringify({ schemaVersion: 2, mediaType, manifests, annotations: { name } }));
  }
  const [top = ''] = below;
  await put('deep', top, mediaType);
  return { digest: sha256(top) };
}

/** Status of a GET whose path no client library touched, as the administrator. */
export async function rawStatus(registry: ServedRegistry, path: string): Promise<number> {
  const { hostname, port } = new URL(registry.url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: ${registry.host}\r\nAuthorization: ${await basic(registry)}\r\nConnection: close\r\n\r\n`,
  );
  let answer = '';
  for await (const chunk of socket) answer += String(chunk);
  return Number(answer.slice(9, 12));
}

/** Sends the head of a request and the start of its body, and breaks the connection. */
export async function cutOff(
  registry: ServedRegistry,
  method: string,
  path: string,
  start: string,
  announced: number,
): Promise<void> {
  const { hostname, port } = new URL(registry.url);
  const socket = connect(Number(port), hostname);
  socket.write(
    `${method} ${path} HTTP/1.1\r\nHost: ${registry.host}\r\nAuthorization: ${await basic(registry)}\r\nContent-Length: ${announced}\r\n\r\n${start}`,
  );
  await new Promise((resolve) => setTimeout(resolve, 200));
  socket.destroy();
}

/** Begins to read an answer, and resets the connection after its first bytes. */
export async function breakOff(registry: ServedRegistry, path: string): Promise<void> {
  const { hostname, port } = new URL(registry.url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined);
  socket.write(`GET ${path} HTTP/1.1\r\nHost: ${registry.host}\r\nAuthorization: ${await basic(registry)}\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  socket.resetAndDestroy();
}

const basic = async (registry: ServedRegistry): Promise<string> =>
  `Basic ${Buffer.from(`AWS:${await passwordOf(registry)}`).toString('base64')}`;
