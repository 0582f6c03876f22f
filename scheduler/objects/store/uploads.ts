import { createHash } from 'node:crypto';
import { hasRoom, type Json, scan, transact } from '@slipway/storage/records';

import { summing } from '../checksums.ts';
import { invalidRequest, noSuchUpload, refusal } from '../errors.ts';
import { bucketPartition, objectKeys } from './keys.ts';
import { type PutConditions, replace } from './objects.ts';
import type { StorePorts } from './ports.ts';
import type { ObjectRecord, PartRecord, StoredChecksum, UploadRecord } from './records.ts';
import { discard, end, inBucket } from './steps.ts';

export const mostParts = 10_000;
/** Bytes that every part but the last must have. */
export const leastPart = 5 * 1024 * 1024;
const mostUploads = 1000;
/** Of the parts that were sent and are not wanted: what one commit can let go. */
const mostUnwanted = 4000;

/** A part as whoever completes an upload names it. */
export interface WantedPart {
  readonly number: number;
  readonly etag: string;
  readonly checksum?: string;
}

export interface NumberedPart extends PartRecord {
  readonly number: number;
}

/** Uploads in parts. The parts of one that is complete stay where they are, as the object's bytes. */
export class Uploads {
  readonly #ports: StorePorts;

  constructor(ports: StorePorts) {
    this.#ports = ports;
  }

  /** @throws NoSuchBucket; InvalidRequest when too many are open */
  async start(bucket: string, upload: Omit<UploadRecord, 'startedAt'>): Promise<string> {
    const { records, clock, random } = this.#ports;
    const id = Buffer.from(random(24)).toString('base64url');
    await transact(records, bucketPartition(bucket), async (tx) => {
      await inBucket(tx);
      if (!(await hasRoom(tx, objectKeys.uploads, mostUploads)))
        throw invalidRequest(`A bucket has at most ${mostUploads} uploads under way: complete or abort some.`);
      tx.put(objectKeys.upload(id), { ...upload, startedAt: clock.now() } as unknown as Json);
    });
    return id;
  }

  /** @throws NoSuchUpload, also when it is one of another key */
  async get(bucket: string, key: string, id: string): Promise<UploadRecord> {
    if (!isId(id)) throw noSuchUpload();
    const stored = await this.#ports.records.get<UploadRecord>(bucketPartition(bucket), objectKeys.upload(id));
    if (stored?.value.key !== key) throw noSuchUpload();
    return stored.value;
  }

  /** All that are under way, by key and then by when they began. */
  async open(bucket: string): Promise<readonly (UploadRecord & { readonly id: string })[]> {
    const found: (UploadRecord & { readonly id: string })[] = [];
    const rows = scan<UploadRecord>(this.#ports.records, bucketPartition(bucket), { prefix: objectKeys.uploads });
    for await (const { key, value } of rows) found.push({ ...value, id: key.slice(objectKeys.uploads.length) });
    const order = (upload: UploadRecord): Buffer => Buffer.from(upload.key);
    return found.toSorted((a, b) => Buffer.compare(order(a), order(b)) || a.startedAt - b.startedAt);
  }

  /** A part of the same number that came before goes. @throws NoSuchUpload */
  async put(bucket: string, id: string, number: number, part: PartRecord): Promise<void> {
    const { records, clock } = this.#ports;
    await transact(records, bucketPartition(bucket), async (tx) => {
      if ((await tx.get(objectKeys.upload(id))) === undefined) throw noSuchUpload();
      const before = await tx.get<PartRecord>(objectKeys.part(id, number));
      if (before?.blob !== undefined) discard(tx, before.blob, clock.now());
      tx.put(objectKeys.part(id, number), part as unknown as Json);
      tx.put(objectKeys.touched(id), {});
    });
  }

  /** The parts of an upload, also of one that is an object by now, in order. */
  async *parts(bucket: string, id: string, after = 0): AsyncGenerator<NumberedPart, void> {
    const prefix = objectKeys.partsOf(id);
    const rows = scan<PartRecord>(this.#ports.records, bucketPartition(bucket), {
      prefix,
      ...(after === 0 ? {} : { after: objectKeys.part(id, after) }),
    });
    for await (const { key, value } of rows) yield { ...value, number: Number(key.slice(prefix.length)) };
  }

  /** @throws NoSuchUpload */
  async abort(bucket: string, key: string, id: string): Promise<void> {
    const { records, clock } = this.#ports;
    await this.get(bucket, key, id);
    await transact(records, bucketPartition(bucket), async (tx) => {
      if ((await tx.get(objectKeys.upload(id))) === undefined) throw noSuchUpload();
      end(tx, id, clock.now());
    });
  }

  /**
   * Makes an object of the parts, in one commit: nobody sees a part of it. An upload that this key's object is already made of is the
   * answer to a request that came twice.
   * @param size bytes that the object must have; undefined when the request does not say
   * @throws NoSuchUpload, InvalidPart, InvalidPartOrder, EntityTooSmall, InvalidRequest, PreconditionFailed
   */
  async complete(
    bucket: string,
    key: string,
    id: string,
    wanted: readonly WantedPart[],
    conditions: PutConditions,
    size?: number,
  ): Promise<ObjectRecord> {
    const { records, clock } = this.#ports;
    if (!isId(id)) throw noSuchUpload();
    if (wanted.some(({ number }, index) => index > 0 && number <= (wanted[index - 1]?.number ?? 0)))
      throw refusal(
        400,
        'InvalidPartOrder',
        'The list of parts was not in ascending order. Parts must be ordered by part number.',
      );
    return transact(records, bucketPartition(bucket), async (tx) => {
      await inBucket(tx);
      const upload = await tx.get<UploadRecord>(objectKeys.upload(id));
      if (upload?.key !== key) {
        const made = await tx.get<ObjectRecord>(objectKeys.object(key));
        if (made?.upload === id) return made;
        throw noSuchUpload();
      }
      // Whatever changes a part writes this.
      await tx.get(objectKeys.touched(id));
      const present = new Map<number, PartRecord>();
      for await (const { number, ...part } of this.parts(bucket, id)) present.set(number, part);
      const parts = wanted.map((one) => matching(one, present.get(one.number)));
      if (parts.slice(0, -1).some(({ size }) => size < leastPart))
        throw refusal(400, 'EntityTooSmall', 'Your proposed upload is smaller than the minimum allowed size');
      const total = parts.reduce((sum, part) => sum + part.size, 0);
      if (size !== undefined && size !== total)
        throw invalidRequest('The provided x-amz-mp-object-size header value does not match what was computed.');
      const kept = new Set(wanted.map(({ number }) => number));
      const unwanted = [...present].filter(([number]) => !kept.has(number));
      if (unwanted.length > mostUnwanted)
        throw invalidRequest(
          `At most ${mostUnwanted} parts that were sent may be left out: abort the upload, and send it anew.`,
        );
      for (const [number, { blob }] of unwanted) {
        if (blob !== undefined) discard(tx, blob, clock.now());
        tx.remove(objectKeys.part(id, number));
      }
      const checksum = compositeOf(upload, parts);
      const {
        key: _,
        startedAt: _at,
        initiator: _who,
        algorithm: _algorithm,
        checksumType: _type,
        ...described
      } = upload;
      const object: ObjectRecord = {
        ...described,
        size: total,
        etag: `${combined(parts)}-${parts.length}`,
        modifiedAt: clock.now(),
        upload: id,
        ...(checksum === undefined ? {} : { checksum }),
      };
      await replace(tx, key, object, conditions);
      tx.remove(objectKeys.upload(id));
      tx.remove(objectKeys.touched(id));
      return object;
    });
  }
}

/** Ids are ours; what else is sent as one must not become a key. */
const isId = (id: string): boolean => /^[\w-]{32}$/.test(id);

function matching({ etag, checksum }: WantedPart, part: PartRecord | undefined): PartRecord {
  if (part === undefined || part.etag !== etag || (checksum !== undefined && part.checksum !== checksum))
    throw refusal(
      400,
      'InvalidPart',
      "One or more of the specified parts could not be found. The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.",
    );
  return part;
}

const combined = (parts: readonly PartRecord[]): string => {
  const hash = createHash('md5');
  for (const { etag } of parts) hash.update(Buffer.from(etag, 'hex'));
  return hash.digest('hex');
};

/** The checksum of the parts' checksums. One of the whole would take all bytes once more: none is said then. */
function compositeOf(
  { algorithm, checksumType }: UploadRecord,
  parts: readonly PartRecord[],
): StoredChecksum | undefined {
  if (algorithm === undefined || checksumType === 'FULL_OBJECT') return undefined;
  if (parts.some(({ checksum }) => checksum === undefined)) return undefined;
  const sum = summing(algorithm);
  for (const { checksum = '' } of parts) sum.update(Buffer.from(checksum, 'base64'));
  return { algorithm, value: `${sum.digest().toString('base64')}-${parts.length}`, type: 'COMPOSITE' };
}
