import { createHash } from 'node:crypto';
import { type Digest, DigestMismatch, type SealedBlob, type Staged, StagedLost } from '@slipway/storage/blobs';
import { type Json, scan, transact } from '@slipway/storage/records';
import { linkSealed } from './blobs.ts';
import { type ImagesPorts, newId } from './ports.ts';
import { ImagesError } from './errors.ts';
import { keys, registryPartition } from './keys.ts';
import type { RepositoryName } from './names.ts';
import type { RepositoryRecord, UploadRecord } from './records.ts';
import { repositoryNotFound } from './repositories.ts';
import { type AppendRange, type UploadAddress, uploadNotFound } from './upload-address.ts';
import { busy, checkRange, createUploadWriter, type Extended, type UploadRow } from './upload-writer.ts';

export interface UploadState {
  /** Bytes received so far. */
  readonly size: number;
  /** The request's body ended before its end; what came before the cut counts. */
  readonly cut?: unknown;
}

/** Uploads of blobs: any server can go on with one, also after a restart. */
export interface Uploads {
  /** @throws ImagesError `RepositoryNotFound`, `TooManyUploads` */
  start(account: string, repository: RepositoryName, principal: string): Promise<{ readonly id: string }>;
  /** @throws ImagesError `UploadNotFound` (as all that follow) */
  status(address: UploadAddress): Promise<UploadState>;
  /**
   * Appends bytes.
   * @param range where the client says they belong; refused unless that is where the upload ends
   * @throws ImagesError `UploadRangeInvalid` (the upload is as it was), `UploadSizeInvalid`, `BlobTooLarge`
   */
  append(address: UploadAddress, body: AsyncIterable<Uint8Array>, range?: AppendRange): Promise<UploadState>;
  /**
   * Appends the body if there is one, and makes the whole a blob of the repository.
   * @throws ImagesError `UploadDigestMismatch` (the upload is as it was before), and as `append`
   */
  finish(
    address: UploadAddress,
    digest: Digest,
    body?: AsyncIterable<Uint8Array>,
    range?: AppendRange,
  ): Promise<UploadState>;
  /**
   * Finishes an upload that was sent in parts, of which all but the last must have a minimum size.
   * @throws ImagesError `UploadEmpty`, `UploadPartTooSmall`, and as `finish`
   */
  finishParts(address: UploadAddress, digest: Digest, minimumPart: number): Promise<UploadState>;
  cancel(address: UploadAddress): Promise<void>;
  /** A whole blob in one go, without an upload that anybody could resume. */
  whole(
    account: string,
    repository: RepositoryName,
    digest: Digest,
    body: AsyncIterable<Uint8Array>,
  ): Promise<UploadState>;
  /** Drops uploads of one account that nobody touched for the idle time, and their bytes. Returns how many. */
  sweep(account: string): Promise<number>;
}

export function createUploads(ports: ImagesPorts): Uploads {
  const { records, blobs, clock, limits } = ports;
  const writer = createUploadWriter(ports);
  const cap = createUploadCap(ports);

  const requireRepository = async (account: string, name: string): Promise<void> => {
    const found = await records.get(registryPartition(account), keys.repository(name));
    if (found === undefined) throw repositoryNotFound(account, name);
  };

  /** Makes sealed bytes a blob of the repository and ends the upload, in one commit. */
  const acknowledge = async (
    account: string,
    repository: RepositoryName,
    sealed: SealedBlob,
    upload?: UploadRow,
  ): Promise<void> => {
    const kept = await transact(records, registryPartition(account), async (tx) => {
      const target = await tx.peek<RepositoryRecord>(keys.repository(repository));
      if (target === undefined) throw repositoryNotFound(account, repository);
      if (upload) {
        const row = await tx.peek(upload.key);
        if (row?.version !== upload.version) throw row === undefined ? uploadNotFound() : busy(upload);
        tx.require({ key: upload.key, version: upload.version });
        tx.remove(upload.key);
      }
      return linkSealed(ports, tx, target.value, sealed);
    });
    // Another copy of the same bytes was first; this one is not needed.
    if (kept.generation !== sealed.generation) await blobs.remove(sealed);
  };

  /** Seals and acknowledges. Bytes that nobody else can know are removed when they turn out not to be wanted. */
  const conclude = async (
    address: Pick<UploadAddress, 'account' | 'repository'>,
    digest: Digest,
    written: { staged: Staged; own: boolean; row?: UploadRow },
  ): Promise<void> => {
    const sealed = await seal(ports, written.staged, digest, written.row?.value.suspect === true);
    try {
      await acknowledge(address.account, address.repository, sealed, written.row);
    } catch (error) {
      if (written.own && error instanceof ImagesError) await blobs.remove(sealed);
      throw error;
    }
  };

  const unextended = async (address: UploadAddress, range: AppendRange | undefined): Promise<Extended> => {
    const row = await writer.find(address);
    checkRange(row, range);
    if (row.value.writer) throw busy(row);
    return { row, staged: row.value.staged ?? (await blobs.stage()), own: row.value.staged === undefined };
  };

  const finish: Uploads['finish'] = async (address, digest, body, range) => {
    const written = body === undefined ? await unextended(address, range) : await writer.extend(address, body, range);
    if (written.cut !== undefined) {
      await writer.settle(address.account, written);
      return stateOf(written);
    }
    try {
      await conclude(address, digest, written);
    } catch (error) {
      await writer.undo(address.account, written);
      throw error instanceof StagedLost ? uploadNotFound() : error;
    }
    return stateOf(written);
  };

  return {
    async start(account, repository, principal) {
      await requireRepository(account, repository);
      await cap.check(account, repository, principal);
      const id = newId(ports);
      const now = clock.now();
      const record: UploadRecord = { id, principal, startedAt: now, touchedAt: now };
      await records.commit(registryPartition(account), {
        put: [{ key: keys.upload(repository, id), value: record as unknown as Json }],
        lazy: true,
      });
      return { id };
    },
    async status(address) {
      const { value } = await writer.find(address);
      return { size: value.staged?.size ?? 0 };
    },
    async append(address, body, range) {
      const extended = await writer.extend(address, body, range);
      await writer.settle(address.account, extended);
      return stateOf(extended);
    },
    finish,
    async finishParts(address, digest, minimumPart) {
      const { value } = await writer.find(address);
      if (value.staged === undefined) throw new ImagesError('UploadEmpty', 'The upload has no parts.');
      if ((value.smallestPart ?? minimumPart) < minimumPart) {
        throw new ImagesError('UploadPartTooSmall', `Every part but the last must have at least ${minimumPart} bytes.`);
      }
      return finish(address, digest);
    },
    async cancel(address) {
      const row = await writer.find(address);
      await writer.drop(address.account, row, row.value.staged);
    },
    async whole(account, repository, digest, body) {
      await requireRepository(account, repository);
      const { staged, cut } = await blobs.append(await blobs.stage(), writer.limited(body, 0));
      ports.meter.received(staged.size);
      try {
        if (cut instanceof ImagesError) throw cut;
        if (cut === undefined) await conclude({ account, repository }, digest, { staged, own: true });
        else await blobs.abandon(staged);
      } catch (error) {
        await blobs.abandon(staged);
        throw error;
      }
      return { size: staged.size, ...(cut === undefined ? {} : { cut }) };
    },
    sweep: (account) => sweepUploads(ports, account, clock.now() - limits.uploadIdle),
  };
}

const stateOf = ({ staged, cut }: Pick<Extended, 'staged' | 'cut'>): UploadState => ({
  size: staged.size,
  ...(cut === undefined ? {} : { cut }),
});

async function sweepUploads(ports: ImagesPorts, account: string, before: number): Promise<number> {
  const { records, blobs } = ports;
  const partition = registryPartition(account);
  let dropped = 0;
  for await (const { key, value, version } of scan<UploadRecord>(records, partition, { prefix: keys.uploads })) {
    if (value.touchedAt > before) continue;
    const removed = await transact(records, partition, async (tx) => {
      const row = await tx.peek<UploadRecord>(key);
      if (row?.version !== version) return false;
      tx.require({ key, version });
      tx.remove(key);
      return true;
    });
    if (!removed) continue;
    if (value.staged) await blobs.abandon(value.staged);
    dropped += 1;
  }
  return dropped;
}

/** Bounds how many uploads one principal has open in a repository. Counted every few seconds rather than at every start. */
function createUploadCap({ records, clock, limits }: ImagesPorts) {
  const recount = 10_000;
  const counts = new Map<string, { count: number; readonly until: number }>();
  return {
    async check(account: string, repository: string, principal: string): Promise<void> {
      const name = `${account}|${repository}|${principal}`;
      let known = counts.get(name);
      if (known === undefined || known.until < clock.monotonic()) {
        const page = await records.list<UploadRecord>(registryPartition(account), {
          prefix: keys.uploadsIn(repository),
          limit: 10_000,
        });
        known = {
          count: page.records.filter((record) => record.value.principal === principal).length,
          until: clock.monotonic() + recount,
        };
        if (counts.size > 10_000) counts.clear();
        counts.set(name, known);
      }
      known.count += 1;
      // Counts only go up between recounts: near the cap, look again before refusing.
      if (known.count <= limits.openUploads) return;
      counts.delete(name);
      const page = await records.list<UploadRecord>(registryPartition(account), {
        prefix: keys.uploadsIn(repository),
        limit: 10_000,
      });
      if (page.records.filter((record) => record.value.principal === principal).length < limits.openUploads) return;
      throw new ImagesError(
        'TooManyUploads',
        `There are ${limits.openUploads} uploads of yours open in '${repository}'; finish or cancel some.`,
        { limit: limits.openUploads },
      );
    },
  };
}

/** Seals, and puts the store's verdict on the bytes into our words. Bytes that two writers may have touched are hashed again. */
async function seal(ports: ImagesPorts, staged: Staged, digest: Digest, suspect: boolean): Promise<SealedBlob> {
  try {
    // The commit that follows requires the record as it was read, without a writer.
    const sealed = await ports.blobs.seal(staged, digest, { quiet: !suspect });
    if (suspect) await verify(ports, sealed);
    return sealed;
  } catch (error) {
    if (!(error instanceof DigestMismatch)) throw error;
    throw new ImagesError('UploadDigestMismatch', `The bytes received hash to ${error.actual}, not ${error.expected}`, {
      actual: error.actual,
    });
  }
}

async function verify(ports: ImagesPorts, sealed: SealedBlob): Promise<void> {
  const algorithm = sealed.digest.startsWith('sha512:') ? 'sha512' : 'sha256';
  const hash = createHash(algorithm);
  const source = await ports.blobs.open(sealed);
  for await (const chunk of source.stream()) hash.update(chunk);
  const actual: Digest = `${algorithm}:${hash.digest('hex')}`;
  if (actual === sealed.digest) return;
  await ports.blobs.remove(sealed);
  throw new DigestMismatch(sealed.digest, actual);
}
