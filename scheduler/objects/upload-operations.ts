import { checksumHeader, algorithms } from './checksums.ts';
import { algorithmOf, conditionsOf, describedBy, expectationOf, quoted, unquoted } from './described.ts';
import { invalidArgument, invalidRequest, malformedXml, notServed } from './errors.ts';
import { checkKey } from './names.ts';
import { encodedNames, ownerOf } from './written.ts';
import { rangeOf } from './read-objects.ts';
import { answerEmpty, answerXml, bucketOf, type ObjectOperation, onBucket, onObject, type Scene } from './scene.ts';
import {
  Content,
  mostParts,
  type NumberedPart,
  receive,
  type StoredChecksum,
  type UploadRecord,
  type WantedPart,
} from './store/index.ts';
import { keeping, mayCopy, mayPut, mostAtOnce, sourceOf } from './write-objects.ts';
import { childrenOf, type Element, textOf, type Written } from './xml.ts';

/** Objects that come in parts. */
export const uploadOperations: readonly ObjectOperation[] = [
  { name: 'CreateMultipartUpload', access: mayPut, handle: create },
  { name: 'UploadPart', access: onObject('PutObject'), handle: put },
  { name: 'UploadPartCopy', access: mayCopy, handle: copy },
  { name: 'CompleteMultipartUpload', access: onObject('PutObject'), handle: complete },
  {
    name: 'AbortMultipartUpload',
    access: onObject('AbortMultipartUpload'),
    handle: async (scene) => {
      await bucketOf(scene);
      await scene.api.uploads.abort(scene.bucket, scene.key, idOf(scene));
      answerEmpty(scene);
    },
  },
  { name: 'ListParts', access: onObject('ListMultipartUploadParts'), handle: listParts },
  { name: 'ListMultipartUploads', access: onBucket('ListBucketMultipartUploads'), handle: listUploads },
];

const idOf = ({ query }: Scene): string => query.get('uploadId') ?? '';

async function create(scene: Scene): Promise<void> {
  const { api, bucket, key, headers, call, ctx } = scene;
  checkKey(key);
  await bucketOf(scene);
  const algorithm = algorithmOf(headers['x-amz-checksum-algorithm']);
  const given = headers['x-amz-checksum-type'];
  if (given !== undefined && given !== 'COMPOSITE' && given !== 'FULL_OBJECT')
    throw invalidRequest('x-amz-checksum-type is COMPOSITE or FULL_OBJECT.');
  // As S3 takes it where none is given.
  const checksumType = given ?? (algorithm === 'CRC64NVME' ? 'FULL_OBJECT' : 'COMPOSITE');
  const id = await api.uploads.start(bucket, {
    ...describedBy(headers),
    key,
    initiator: call.principal.arn,
    ...(algorithm === undefined ? {} : { algorithm, checksumType }),
  });
  if (algorithm !== undefined) {
    ctx.set('x-amz-checksum-algorithm', algorithm);
    ctx.set('x-amz-checksum-type', checksumType);
  }
  answerXml(scene, 'InitiateMultipartUploadResult', { Bucket: bucket, Key: key, UploadId: id });
}

/** The upload and the number of a part. @throws NoSuchUpload, InvalidArgument */
async function partOf(scene: Scene): Promise<{ readonly upload: UploadRecord; readonly number: number }> {
  const text = scene.query.get('partNumber') ?? '';
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (number < 1 || number > mostParts)
    throw invalidArgument(`Part number must be an integer between 1 and ${mostParts}, inclusive`);
  await bucketOf(scene);
  return { upload: await scene.api.uploads.get(scene.bucket, scene.key, idOf(scene)), number };
}

async function put(scene: Scene): Promise<void> {
  const { api, headers, ctx, call } = scene;
  const { upload, number } = await partOf(scene);
  const expected = expectationOf(headers, mostAtOnce, upload.algorithm);
  const received = await receive(api.options, scene.body, expected, call.signal);
  const etag = received.md5.toString('hex');
  await keeping(scene, received, () => keepPart(scene, number, { ...received, etag }));
  ctx.set('ETag', quoted(etag));
  if (expected.checksum !== undefined && received.checksum !== undefined)
    ctx.set(checksumHeader(expected.checksum.algorithm), received.checksum);
  answerEmpty(scene, 200);
}

function keepPart(
  { api, bucket, ...scene }: Scene,
  number: number,
  { size, etag, blob, checksum }: Pick<NumberedPart, 'size' | 'etag' | 'blob' | 'checksum'>,
): Promise<void> {
  return api.uploads.put(bucket, scene.query.get('uploadId') ?? '', number, {
    size,
    etag,
    modifiedAt: api.options.clock.now(),
    ...(blob === undefined ? {} : { blob }),
    ...(checksum === undefined ? {} : { checksum }),
  });
}

async function copy(scene: Scene): Promise<void> {
  const { api, headers, call } = scene;
  const { upload, number } = await partOf(scene);
  const { source, from } = await sourceOf(scene);
  const asked = headers['x-amz-copy-source-range'];
  const range = asked === undefined ? { start: 0, end: source.size - 1 } : rangeOf(String(asked), source.size);
  if (
    range === undefined ||
    range === 'unsatisfiable' ||
    (asked !== undefined && !/^bytes=\d+-\d+$/.test(String(asked)))
  )
    throw invalidArgument(
      'The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy',
    );
  const bytes = new Content(api.options, api.uploads, from.bucket, source).stream(range);
  const body = { length: range.end + 1 - range.start, sha256: undefined, bytes, trailers: new Map() };
  const checksum = upload.algorithm && { algorithm: upload.algorithm, given: false };
  const received = await receive(api.options, body, { most: mostAtOnce, ...(checksum && { checksum }) }, call.signal);
  const etag = received.md5.toString('hex');
  await keeping(scene, received, () => keepPart(scene, number, { ...received, etag }));
  answerXml(scene, 'CopyPartResult', {
    LastModified: new Date(api.options.clock.now()).toISOString(),
    ETag: quoted(etag),
    ...(upload.algorithm === undefined ? {} : { [`Checksum${upload.algorithm}`]: received.checksum }),
  });
}

async function complete(scene: Scene): Promise<void> {
  const { api, bucket, key, headers } = scene;
  await bucketOf(scene);
  const root = await api.documents.readXml(scene, 'CompleteMultipartUpload', 4 * 1024 * 1024);
  const wanted = childrenOf(root, 'Part').map(wantedPart);
  if (wanted.length === 0 || wanted.length > mostParts) throw malformedXml();
  if (algorithms.some((one) => headers[checksumHeader(one)] !== undefined))
    throw notServed('A checksum of a whole object that came in parts', 'give the checksums of its parts.');
  const size = headers['x-amz-mp-object-size'];
  const object = await api.uploads.complete(
    bucket,
    key,
    idOf(scene),
    wanted,
    conditionsOf(headers),
    size === undefined ? undefined : Number(size),
  );
  answerXml(scene, 'CompleteMultipartUploadResult', {
    Location: `${scene.call.endpoint}/${bucket}/${encodeURIComponent(key)}`,
    Bucket: bucket,
    Key: key,
    ETag: quoted(object.etag),
    ...writtenChecksum(object.checksum),
  });
}

const writtenChecksum = (checksum: StoredChecksum | undefined): { readonly [name: string]: Written } =>
  checksum === undefined ? {} : { [`Checksum${checksum.algorithm}`]: checksum.value, ChecksumType: checksum.type };

function wantedPart(part: Element): WantedPart {
  const number = Number(textOf(part, 'PartNumber') ?? NaN);
  const etag = textOf(part, 'ETag');
  if (!Number.isInteger(number) || etag === undefined) throw malformedXml();
  const checksum = algorithms.flatMap((one) => textOf(part, `Checksum${one}`) ?? [])[0];
  return { number, etag: unquoted(etag), ...(checksum === undefined ? {} : { checksum }) };
}

async function listParts(scene: Scene): Promise<void> {
  const { api, bucket, key, query } = scene;
  const { account } = await bucketOf(scene);
  const id = idOf(scene);
  const upload = await api.uploads.get(bucket, key, id);
  const most = countOf(query.get('max-parts'));
  const after = Number(query.get('part-number-marker') ?? 0) || 0;
  const parts: NumberedPart[] = [];
  for await (const part of api.uploads.parts(bucket, id, Math.min(Math.max(after, 0), mostParts))) {
    parts.push(part);
    if (parts.length > most) break;
  }
  const shown = parts.slice(0, most);
  answerXml(scene, 'ListPartsResult', {
    Bucket: bucket,
    Key: key,
    UploadId: id,
    Initiator: { ID: upload.initiator, DisplayName: upload.initiator },
    Owner: ownerOf(account),
    StorageClass: 'STANDARD',
    PartNumberMarker: after,
    NextPartNumberMarker: shown.at(-1)?.number ?? 0,
    MaxParts: most,
    IsTruncated: parts.length > most,
    Part: shown.map(({ number, modifiedAt, etag, size, checksum }) => ({
      PartNumber: number,
      LastModified: new Date(modifiedAt).toISOString(),
      ETag: quoted(etag),
      Size: size,
      ...(upload.algorithm === undefined ? {} : { [`Checksum${upload.algorithm}`]: checksum }),
    })),
  });
}

async function listUploads(scene: Scene): Promise<void> {
  const { api, bucket, query } = scene;
  const { account } = await bucketOf(scene);
  if ((query.get('delimiter') ?? '') !== '') throw notServed('A delimiter of uploads', 'use a prefix.');
  const prefix = query.get('prefix') ?? '';
  const most = countOf(query.get('max-uploads'));
  const [marker, idMarker] = [query.get('key-marker') ?? '', query.get('upload-id-marker') ?? ''];
  const named = encodedNames(query);
  const all = (await api.uploads.open(bucket)).filter(({ key }) => key.startsWith(prefix));
  const at = all.findIndex(({ key, id }) => key === marker && id === idMarker);
  const isAfter = (key: string): boolean => Buffer.compare(Buffer.from(key), Buffer.from(marker)) > 0;
  const left = at === -1 ? all.filter(({ key }) => marker === '' || isAfter(key)) : all.slice(at + 1);
  const shown = left.slice(0, most);
  const isTruncated = left.length > most;
  const last = shown.at(-1);
  answerXml(scene, 'ListMultipartUploadsResult', {
    Bucket: bucket,
    KeyMarker: named(marker),
    UploadIdMarker: idMarker,
    ...(isTruncated && last !== undefined ? { NextKeyMarker: named(last.key), NextUploadIdMarker: last.id } : {}),
    Prefix: named(prefix),
    MaxUploads: most,
    IsTruncated: isTruncated,
    ...(query.get('encoding-type') === null ? {} : { EncodingType: 'url' }),
    Upload: shown.map(({ id, key, startedAt, initiator }) => ({
      UploadId: id,
      Key: named(key),
      Initiated: new Date(startedAt).toISOString(),
      StorageClass: 'STANDARD',
      Owner: ownerOf(account),
      Initiator: { ID: initiator, DisplayName: initiator },
    })),
  });
}

/** How many are asked for, a thousand at most. @throws InvalidArgument */
export function countOf(text: string | null): number {
  if (text === null || text === '') return 1000;
  if (!/^\d{1,10}$/.test(text)) throw invalidArgument('The count that is asked for is not a number.');
  return Math.min(Number(text), 1000);
}
