import { createHash, randomUUID } from 'node:crypto';
import { constants, type FileHandle, open, opendir, readdir, readFile, rename, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import type { Clock } from '../clock/index.ts';
import {
  type Appended,
  type BlobLocation,
  BlobMissing,
  type BlobSource,
  type BlobStore,
  type Digest,
  DigestMismatch,
  type SealedBlob,
  type SealOptions,
  type SideNotes,
  type Staged,
  StagedLost,
} from './blob-store.ts';
import { type Format, FormatRefused, stampFolder } from '../format/index.ts';
import { checkId, splitDigest } from './digest.ts';
import { diskError, makeFolder, openFolder, SyncFailed, syncFile, syncFolder, writeAll } from './disk.ts';
import { fillFile } from './fill-file.ts';
import { FreeSpace } from './free-space.ts';
import { hashFile } from './hash-file.ts';
import { checkRange } from './range.ts';
import { RunningHashes } from './running-hash.ts';
import { readPart, sendFile, streamFile } from './send-file.ts';
import { addSegment, type Segment, segmentsOf, withLast } from './segments.ts';
import { isAbsent, removeFile, StagingFiles } from './staging-files.ts';
import { TransferBuffers } from './transfer-buffers.ts';
import { Turns } from './turns.ts';

export interface FilesystemBlobsConfig {
  /** The folder that holds everything; made when it is absent. A local file system (ext4, xfs): not NFS, not an overlay. */
  readonly root: string;
  /** Bytes that all uploads together may hold in memory. Default 32 MiB. */
  readonly bufferCeiling?: number;
  /** Free bytes that uploads leave alone, so that records can be written and the collector can work. Default 256 MiB. */
  readonly reserve?: number;
}

/** Raised when folders or names change in a way that older servers would misread. */
const format: Format = { holds: 'blobs', version: 1 };

type Algorithm = 'sha256' | 'sha512';

/**
 * Bytes as files: `staging/<upload>.<segment>` while they arrive, then `blobs/<algorithm>/<2 hex>/<hex>.<generation>`. A sealed
 * blob is synced, and so is the folder with its name. Several processes may use one folder.
 * @param newId unique names of uploads, at most 64 letters, digits, `-` or `_`
 * @throws BlobStoreError when the folder cannot be made or written
 * @throws FormatRefused when it has a newer format, or is not ours
 */
export async function openFilesystemBlobs(
  config: FilesystemBlobsConfig,
  clock: Clock,
  newId: () => string = randomUUID,
): Promise<BlobStore & SideNotes> {
  const store = new FilesystemBlobs(config, clock, newId);
  await store.prepare();
  return store;
}

class FilesystemBlobs implements BlobStore, SideNotes {
  readonly #root: string;
  readonly #space: FreeSpace;
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #buffers: TransferBuffers;
  readonly #hashes = new RunningHashes();
  readonly #turns = new Turns();
  readonly #staging: StagingFiles;
  /** Sealed files whose sync failed and that could not even be removed. */
  readonly #distrustedTargets = new Set<string>();
  /** Folders whose names this process knows to be durable. */
  readonly #folders = new Map<string, Promise<void>>();
  /**
   * Names this process as the maker of a segment. Only the maker goes on with a segment or renames it into place: another
   * process could not know whether a stalled request of the maker still writes to it.
   */
  readonly #maker: string;

  constructor(config: FilesystemBlobsConfig, clock: Clock, newId: () => string) {
    this.#root = config.root;
    this.#space = new FreeSpace(config.root, config.reserve ?? 256 * 1024 * 1024, clock);
    this.#staging = new StagingFiles(join(config.root, 'staging'), clock);
    this.#clock = clock;
    this.#newId = newId;
    this.#buffers = new TransferBuffers(config.bufferCeiling ?? 32 * 1024 * 1024, 1024 * 1024);
    this.#maker = newId();
  }

  async prepare(): Promise<void> {
    try {
      await makeFolder(this.#root);
      await stampFolder(this.#root, format);
      await this.#folder('staging');
      await this.#folder('blobs');
      const probe = `${this.#maker}.probe`;
      await (await this.#staging.create(probe)).close();
      await this.#staging.remove(probe);
    } catch (error) {
      if (error instanceof FormatRefused) throw error;
      throw diskError(error, `preparing ${this.#root}`);
    }
  }

  async stage(): Promise<Staged> {
    return { id: checkId(this.#newId()), size: 0 };
  }

  append(staged: Staged, body: AsyncIterable<Uint8Array>, signal?: AbortSignal): Promise<Appended> {
    return this.#turns.take(checkId(staged.id), signal, async (mine) => {
      let file: FileHandle | undefined;
      try {
        await this.#space.check();
        const segments = segmentsOf(staged);
        const last = segments.at(-1);
        const own = last?.maker === this.#maker ? last : undefined;
        const segment = own ?? { file: `${staged.id}.${this.#newId()}`, maker: this.#maker, size: 0 };
        file = own ? await this.#staging.open(own) : await this.#staging.create(segment.file);
        const hash = this.#hashes.resume(staged.id, staged.size);
        this.#hashes.forget(staged.id);
        const received = await fillFile(file, body, {
          from: segment.size,
          hash,
          buffers: this.#buffers,
          signal: mine,
          checkSpace: () => this.#space.look(),
        });
        const size = staged.size + received.size;
        if (hash) this.#hashes.keep(staged.id, size, hash);
        const grown = { ...segment, size: segment.size + received.size };
        this.#staging.keep(grown, file);
        return {
          staged: { id: staged.id, size, driver: own ? withLast(segments, grown) : addSegment(segments, grown) },
          ...('cut' in received && { cut: received.cut }),
        };
      } catch (error) {
        if (file) this.#staging.release(file);
        if (error instanceof StagedLost) throw error;
        if (error instanceof SyncFailed) await this.#distrust(staged);
        throw diskError(error, 'writing an upload');
      }
    });
  }

  seal(staged: Staged, digest: Digest, { quiet = false }: SealOptions = {}): Promise<SealedBlob> {
    const { algorithm, hex } = splitDigest(digest);
    const sealed: SealedBlob = { digest, generation: checkId(staged.id), size: staged.size };
    const target = this.#path(sealed);
    return this.#turns.take(staged.id, undefined, async () => {
      let file: FileHandle | undefined;
      let joined: Segment | undefined;
      try {
        const segments = segmentsOf(staged);
        const [only] = segments;
        const movable = segments.length === 1 && (quiet || only!.maker === this.#maker);
        if (!movable) joined = await this.#join(staged, segments);
        const source = joined ?? only!;
        file = await this.#staging.open(source);
        compare(algorithm, hex, await this.#digestOf(staged, source, file, algorithm));
        await this.#folder('blobs', algorithm, hex.slice(0, 2));
        await this.#place(file, this.#staging.path(source.file), target);
        this.#hashes.forget(staged.id);
        for (const segment of movable ? [] : segments) await this.#staging.remove(segment.file);
        return sealed;
      } catch (error) {
        if (joined) await this.#staging.remove(joined.file).catch(() => {});
        if (error instanceof DigestMismatch) throw error;
        if (error instanceof StagedLost) return await this.#sealedEarlier(sealed, target, error);
        if (error instanceof SyncFailed) await this.#distrust(staged);
        throw diskError(error, 'sealing a blob');
      } finally {
        if (file) this.#staging.release(file);
      }
    });
  }

  async abandon(staged: Staged): Promise<void> {
    await this.#turns.take(checkId(staged.id), undefined, async () => {
      this.#hashes.forget(staged.id);
      for (const segment of segmentsOf(staged)) await this.#staging.remove(segment.file);
    });
  }

  async open(location: BlobLocation): Promise<BlobSource> {
    const found = await this.stat(location);
    if (found === undefined) throw new BlobMissing(`no blob ${location.digest} in generation ${location.generation}`);
    return new FileSource(this.#path(location), found.size);
  }

  async stat(location: BlobLocation): Promise<{ readonly size: number } | undefined> {
    const path = this.#path(location);
    try {
      const { size } = await stat(path);
      return { size };
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw diskError(error, 'looking at a blob');
    }
  }

  async remove(location: BlobLocation): Promise<void> {
    await removeFile(this.#path(location));
  }

  async *list(): AsyncIterable<SealedBlob & { readonly modifiedAt: number }> {
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const base = join(this.#root, 'blobs', algorithm);
      for (const fan of await readdir(base).catch(noneIfAbsent)) {
        for await (const entry of await opendir(join(base, fan))) {
          const [hex, generation] = entry.name.split('.');
          if (hex === undefined || generation === undefined) continue;
          const found = await stat(join(base, fan, entry.name)).catch(noneIfAbsent);
          // Removed while this list was being read.
          if (Array.isArray(found)) continue;
          yield { digest: `${algorithm}:${hex}`, generation, size: found.size, modifiedAt: found.mtimeMs };
        }
      }
    }
  }

  async sweepStaged(olderThan: number, isLive: (id: string) => Promise<boolean>): Promise<number> {
    const swept = new Set<string>();
    for (const name of await readdir(join(this.#root, 'staging'))) {
      const id = name.split('.')[0]!;
      const path = join(this.#root, 'staging', name);
      const found = await stat(path).catch(noneIfAbsent);
      if (Array.isArray(found) || this.#clock.now() - found.mtimeMs < olderThan || (await isLive(id))) continue;
      await this.#staging.remove(name);
      swept.add(id);
    }
    return swept.size;
  }

  async readNote(name: string): Promise<string | undefined> {
    const path = join(this.#root, 'notes', checkId(name));
    try {
      return await readFile(path, 'utf8');
    } catch (error) {
      if (isAbsent(error)) return undefined;
      throw diskError(error, 'reading a note');
    }
  }

  async writeNote(name: string, text: string): Promise<void> {
    const path = join(this.#root, 'notes', checkId(name));
    try {
      await this.#folder('notes');
      const written = `${this.#newId()}.note`;
      const file = await this.#staging.create(written);
      try {
        await file.writeFile(text);
        await syncFile(file);
      } finally {
        await file.close();
      }
      await rename(this.#staging.path(written), path);
      await syncFolder(join(this.#root, 'notes'));
    } catch (error) {
      throw diskError(error, 'writing a note');
    }
  }

  async close(): Promise<void> {
    await this.#turns.all();
    await this.#staging.close();
  }

  /**
   * Moves a whole file to its place. File and folder are synced after the move and at once, which the file system makes one write
   * of its journal; nothing refers to the place before this has ended. @throws SyncFailed when the bytes may be lost
   */
  async #place(file: FileHandle, from: string, target: string): Promise<void> {
    const folder = await openFolder(dirname(target)).catch((error: unknown) => {
      throw isAbsent(error) ? new StagedLost("the store's folders are gone", { cause: error }) : error;
    });
    try {
      await rename(from, target).catch((error: unknown) => {
        throw isAbsent(error) ? new StagedLost(`the upload's bytes are gone`, { cause: error }) : error;
      });
      const [bytes, name] = await Promise.allSettled([syncFile(file), folder.sync()]);
      if (bytes.status === 'rejected') {
        await this.#distrustTarget(target);
        throw bytes.reason;
      }
      if (name.status === 'rejected') throw name.reason;
    } finally {
      this.#staging.release(folder);
    }
  }

  /**
   * What an earlier call moved into place without being answered. It may have ended before its syncs, and the power may have failed
   * after that: the bytes are hashed again. @throws `lost` when there is no such blob
   */
  async #sealedEarlier(sealed: SealedBlob, target: string, lost: StagedLost): Promise<SealedBlob> {
    if ((await this.stat(sealed))?.size !== sealed.size || this.#distrustedTargets.has(target)) throw lost;
    const { algorithm, hex } = splitDigest(sealed.digest);
    try {
      const file = await open(target, constants.O_RDONLY | constants.O_NOFOLLOW);
      try {
        const hash = await hashFile(file, sealed.size, createHash(algorithm));
        if (hash.digest('hex') !== hex) throw lost;
        await syncFile(file);
      } finally {
        await file.close();
      }
      await syncFolder(dirname(target));
      return sealed;
    } catch (error) {
      if (error instanceof SyncFailed) await this.#distrustTarget(target);
      if (error === lost) throw lost;
      throw diskError(error, 'sealing a blob');
    }
  }

  async #distrustTarget(target: string): Promise<void> {
    await removeFile(target).catch(() => this.#distrustedTargets.add(target));
  }

  /** The digest of a staged file: known from writing it, or read again. */
  async #digestOf(staged: Staged, source: Segment, file: FileHandle, algorithm: Algorithm): Promise<string> {
    const known = algorithm === 'sha256' ? this.#hashes.resume(staged.id, staged.size) : undefined;
    return (known ?? (await hashFile(file, source.size, createHash(algorithm)))).digest('hex');
  }

  /** Joins the segments that several processes wrote. Also makes the file of an empty upload. */
  async #join(staged: Staged, segments: readonly Segment[]): Promise<Segment> {
    const joined = { file: `${staged.id}.${this.#newId()}`, maker: this.#maker, size: staged.size };
    const file = await this.#staging.create(joined.file);
    const hash = createHash('sha256');
    try {
      let position = 0;
      for (const segment of segments) {
        const from = await this.#staging.open(segment);
        try {
          await hashFile(from, segment.size, hash, async (bytes) => {
            await writeAll(file, [bytes], position);
            position += bytes.byteLength;
          });
        } finally {
          await from.close();
        }
      }
    } catch (error) {
      this.#staging.release(file);
      await this.#staging.remove(joined.file);
      throw error;
    }
    this.#staging.keep(joined, file);
    this.#hashes.keep(staged.id, staged.size, hash);
    return joined;
  }

  /** After a failed sync nobody may go on with what is staged: the next call for it says that the bytes are gone. */
  async #distrust(staged: Staged): Promise<void> {
    this.#hashes.forget(staged.id);
    for (const { file } of segmentsOf(staged)) await this.#staging.distrust(file);
  }

  /** Makes a folder under the root durable, once per process. */
  #folder(...names: readonly string[]): Promise<void> {
    const path = join(this.#root, ...names);
    let made = this.#folders.get(path);
    if (made === undefined) {
      made = makeFolder(path);
      this.#folders.set(path, made);
      made.catch(() => this.#folders.delete(path));
    }
    return made;
  }

  #path({ digest, generation }: BlobLocation): string {
    const { algorithm, hex } = splitDigest(digest);
    return join(this.#root, 'blobs', algorithm, hex.slice(0, 2), `${hex}.${checkId(generation)}`);
  }
}

class FileSource implements BlobSource {
  readonly size: number;
  readonly #path: string;

  constructor(path: string, size: number) {
    this.#path = path;
    this.size = size;
  }

  stream(range?: { readonly start: number; readonly end: number }): AsyncIterable<Uint8Array> {
    const { start, end } = checkRange(range, this.size);
    return streamFile(this.#path, start, end);
  }

  async read(range: { readonly start: number; readonly end: number }): Promise<Buffer> {
    const { start, end } = checkRange(range, this.size);
    return readPart(this.#path, start, end);
  }

  async pipe(
    destination: Writable,
    range?: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): Promise<void> {
    const { start, end } = checkRange(range, this.size);
    await sendFile(this.#path, start, end, destination, signal);
  }
}

function compare(algorithm: Algorithm, expected: string, actual: string): void {
  if (actual !== expected) throw new DigestMismatch(`${algorithm}:${expected}`, `${algorithm}:${actual}`);
}

function noneIfAbsent(error: unknown): [] {
  if (isAbsent(error)) return [];
  throw diskError(error, 'listing');
}
