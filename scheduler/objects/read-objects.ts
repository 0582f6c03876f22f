import type { ObjectOperation, Scene } from './scene.ts';
import { bucketOf, mayAlso, onObject } from './scene.ts';
import { checksumHeader } from './checksums.ts';
import { quoted, unquoted } from './described.ts';
import { accessDenied, invalidArgument, noSuchKey, notServed, preconditionFailed, refusal } from './errors.ts';
import { type ByteRange, Content, type ObjectRecord } from './store/index.ts';

/** Objects that are read, whole or in part. */
export const readOperations: readonly ObjectOperation[] = [
  { name: 'GetObject', access: onObject('GetObject'), handle: (scene) => send(scene, true) },
  { name: 'HeadObject', access: onObject('GetObject'), handle: (scene) => send(scene, false) },
];

async function send(scene: Scene, withBody: boolean): Promise<void> {
  const { ctx, call, api, query, headers } = scene;
  if (query.has('partNumber')) throw notServed('partNumber of a read', 'use a Range.');
  const object = await objectOf(scene);
  const state = conditionState(headers, object);
  if (state === 'failed') throw preconditionFailed();
  if (state === 'unmodified') {
    ctx.set('ETag', quoted(object.etag));
    ctx.body = null;
    ctx.status = 304;
    return;
  }
  const range = rangeOf(headers.range, object.size);
  if (range === 'unsatisfiable') {
    ctx.set('Content-Range', `bytes */${object.size}`);
    throw refusal(416, 'InvalidRange', 'The requested range is not satisfiable');
  }
  const { start, end } = range ?? { start: 0, end: object.size - 1 };
  const length = end + 1 - start;
  describe(scene, object);
  ctx.respond = false;
  ctx.res.statusCode = range === undefined ? 200 : 206;
  ctx.set('Content-Length', String(length));
  if (range !== undefined) ctx.set('Content-Range', `bytes ${start}-${end}/${object.size}`);
  try {
    if (withBody && length > 0)
      await new Content(api.options, api.uploads, scene.bucket, object).pipe(ctx.res, { start, end }, call.signal);
    ctx.res.end();
  } catch (error) {
    // A client that went away needs no answer; for others the front door answers, or breaks the connection off.
    if (call.signal.aborted || ctx.res.destroyed) return;
    if (!ctx.res.headersSent) forget(ctx);
    throw error;
  }
}

/** An error is no answer about the object: what was to be said of that (its encoding, its checksum) is not said of the error. */
function forget({ res }: Scene['ctx']): void {
  for (const name of res.getHeaderNames())
    if (!/^(?:x-amzn?-request-?id|x-content-type-options)$/.test(name)) res.removeHeader(name);
}

/**
 * The object of a request. Whether there is none is told to those who may list.
 * @throws NoSuchBucket, NoSuchKey, NoSuchVersion, AccessDenied
 */
export async function objectOf(scene: Omit<Scene, 'ctx' | 'body'>): Promise<ObjectRecord> {
  const { api, bucket, key, query } = scene;
  checkVersion(query.get('versionId'));
  await bucketOf(scene);
  const object = await api.objects.find(bucket, key);
  if (object !== undefined) return object;
  throw (await mayAlso(scene, 'ListBucket', bucket)) ? noSuchKey() : accessDenied();
}

/** There is one version of an object, which is `null`. @throws NoSuchVersion */
export function checkVersion(version: string | null | undefined): void {
  if (version !== null && version !== undefined && version !== 'null')
    throw refusal(404, 'NoSuchVersion', 'The specified version does not exist: buckets are not versioned here.');
}

const overrides = [
  'content-type',
  'content-language',
  'expires',
  'cache-control',
  'content-disposition',
  'content-encoding',
] as const;

/** The headers that say what an object is. */
function describe({ ctx, query, headers }: Scene, object: ObjectRecord): void {
  for (const [name, value] of Object.entries(object.headers)) ctx.set(name, value);
  for (const name of overrides) {
    const value = query.get(`response-${name}`);
    if (value === null) continue;
    if (!/^[\t\u0020-\u007e\u0080-\u00ff]*$/.test(value)) throw invalidArgument(`response-${name} is no header value.`);
    ctx.set(name, value);
  }
  for (const [name, value] of Object.entries(object.metadata)) ctx.set(`x-amz-meta-${name}`, value);
  // What somebody put here must not act in a browser in the name of what else this server shows.
  ctx.set('Content-Security-Policy', 'sandbox');
  ctx.set('Accept-Ranges', 'bytes');
  ctx.set('ETag', quoted(object.etag));
  ctx.set('Last-Modified', new Date(object.modifiedAt).toUTCString());
  const tags = Object.keys(object.tags).length;
  if (tags > 0) ctx.set('x-amz-tagging-count', String(tags));
  if (headers['x-amz-checksum-mode'] !== 'ENABLED' || headers.range !== undefined || object.checksum === undefined)
    return;
  ctx.set(checksumHeader(object.checksum.algorithm), object.checksum.value);
  ctx.set('x-amz-checksum-type', object.checksum.type);
}

type Conditions = { readonly [name: string]: string | string[] | undefined };

/** RFC 9110, section 13.2.2. @param prefix of the names, for the source of a copy */
export function conditionState(
  headers: Conditions,
  { etag, modifiedAt }: Pick<ObjectRecord, 'etag' | 'modifiedAt'>,
  prefix = '',
): 'met' | 'failed' | 'unmodified' {
  const value = (name: string): string | undefined => {
    const given = headers[`${prefix}${name}`];
    return typeof given === 'string' ? given : undefined;
  };
  const names = (list: string): boolean =>
    list.split(',').some((one) => one.trim() === '*' || unquoted(one.trim().replace(/^W\//, '')) === etag);
  const seconds = Math.floor(modifiedAt / 1000);
  const time = (text: string): number => Math.floor(Date.parse(text) / 1000);
  const [match, none] = [value('if-match'), value('if-none-match')];
  const [since, unless] = [value('if-modified-since'), value('if-unmodified-since')];
  if (match === undefined ? unless !== undefined && seconds > time(unless) : !names(match)) return 'failed';
  if (none === undefined ? since !== undefined && seconds <= time(since) : names(none)) return 'unmodified';
  return 'met';
}

/** One range of bytes; whatever else it says, the whole is answered, as S3 does. */
export function rangeOf(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, first = '', last = ''] = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header ?? '') ?? [];
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(size - Number(last), 0) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (first !== '' && last !== '' && Number(last) < start) return undefined;
  return start > end ? 'unsatisfiable' : { start, end };
}
