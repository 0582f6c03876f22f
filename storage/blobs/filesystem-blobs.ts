import { createHash, type Hash, randomUUID } from 'node:crypto';
import {
  constants,
  type FileHandle,
  open,
  opendir,
  readdir,
  readFile,
  rename,
  stat,
  statfs,
  unlink,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Writable } from 'node:stream';
import type { Clock } from '../clock/index.ts';
import {
  type Appended,
  type BlobLocation,
  BlobMissing,
  type BlobSource,
  type BlobStore,
  BlobStoreError,
  type Digest,
  DigestMismatch,
  type SealedBlob,
  type SideNotes,
  type Staged,
  StagedLost,
} from './blob-store.ts';
import { BufferBudget } from './buffer-budget.ts';
import { checkId, splitDigest } from './digest.ts';
import { diskError, makeFolder, SyncFailed, syncFile, syncFolder, writeAll } from './disk.ts';
import { fillFile } from './fill-file.ts';
import { checkRange } from './range.ts';
import { RunningHashes } from './running-hash.ts';
import { sendFile, streamFile } from './send-file.ts';
import { addSegment, type Segment, segmentsOf, withLast } from './segments.ts';
import { Turns } from './turns.ts';

export interface FilesystemBlobsConfig {
  /** The folder that holds everything; made when it is absent. A local file system (ext4, xfs): not NFS, not an overlay. */
  readonly root: string;
  /** Bytes that all uploads together may hold in memory. Default 128 MiB. */
  readonly bufferCeiling?: number;
  /** Free bytes that uploads leave alone, so that records can be written and the collector can work. Default 256 MiB. */
  readonly reserve?: number;
}

const copySize = 1024 * 1024;

/**
 * Bytes as files: `staging/<upload>.<segment>` while they arrive, then `blobs/<algorithm>/<2 hex>/<hex>.<generation>`. A sealed
 * blob is synced, and so is the folder with its name. Several processes may use one folder.
 * @param newId unique names of uploads, at most 64 letters, digits, `-` or `_`
 * @throws BlobStoreError when the folder cannot be made or written
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
  readonly #reserve: number;
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #budget: BufferBudget;
  readonly #hashes = new RunningHashes();
  readonly #turns = new Turns();
  /** Segments after a failed sync that could not even be removed. */
  readonly #distrusted = new Set<string>();
  /** Folders whose names this process knows to be durable. */
  readonly #folders = new Map<string, Promise<void>>();
  /**
   * Names this process as the maker of a segment. Only the maker goes on with a segment or renames it into place: another
   * process could not know whether a stalled request of the maker still writes to it.
   */
  readonly #maker: string;

  constructor(config: FilesystemBlobsConfig, clock: Clock, newId: () => string) {
    this.#root = config.root;
    this.#reserve = config.reserve ?? 256 * 1024 * 1024;
    this.#clock = clock;
    this.#newId = newId;
    this.#budget = new BufferBudget(config.bufferCeiling ?? 128 * 1024 * 1024);
    this.#maker = newId();
  }

  async prepare(): Promise<void> {
    try {
      await this.#folder('staging');
      await this.#folder('blobs');
      const probe = join(this.#root, 'staging', `${this.#maker}.probe`);
      await (await this.#create(probe)).close();
      await unlink(probe);
    } catch (error) {
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
        await this.#checkSpace();
        const segments = segmentsOf(staged);
        const last = segments.at(-1);
        const own = last?.maker === this.#maker ? last : undefined;
        const segment = own ?? { file: `${staged.id}.${this.#newId()}`, maker: this.#maker, size: 0 };
        file = own ? await this.#openSegment(own) : await this.#create(this.#staging(segment.file));
        // What an earlier attempt left behind the recorded bytes goes.
        if (own) await file.truncate(own.size);
        const hash = this.#hashes.resume(staged.id, staged.size);
        this.#hashes.forget(staged.id);
        const received = await fillFile(file, body, {
          from: segment.size,
          hash,
          budget: this.#budget,
          signal: mine,
          checkSpace: () => this.#checkSpace(),
        });
        const size = staged.size + received.size;
        if (hash) this.#hashes.keep(staged.id, size, hash);
        const grown = { ...segment, size: segment.size + received.size };
        return {
          staged: { id: staged.id, size, driver: own ? withLast(segments, grown) : addSegment(segments, grown) },
          ...('cut' in received && { cut: received.cut }),
        };
      } catch (error) {
        if (error instanceof StagedLost) throw error;
        if (error instanceof SyncFailed) await this.#distrust(staged);
        throw diskError(error, 'writing an upload');
      } finally {
        await file?.close();
      }
    });
  }

  seal(staged: Staged, digest: Digest): Promise<SealedBlob> {
    const { algorithm, hex } = splitDigest(digest);
    const sealed: SealedBlob = { digest, generation: checkId(staged.id), size: staged.size };
    const target = this.#path(sealed);
    return this.#turns.take(staged.id, undefined, async () => {
      try {
        const segments = segmentsOf(staged);
        const [only] = segments;
        const movable = segments.length === 1 && only!.maker === this.#maker;
        let source: string;
        if (movable) source = await this.#verify(staged, only!, algorithm, hex);
        else source = await this.#join(staged, segments, algorithm, hex);
        await this.#folder('blobs', algorithm, hex.slice(0, 2));
        await rename(source, target);
        await syncFolder(dirname(target));
        this.#hashes.forget(staged.id);
        for (const segment of movable ? [] : segments) await this.#drop(this.#staging(segment.file));
        return sealed;
      } catch (error) {
        if (error instanceof DigestMismatch) throw error;
        if (error instanceof StagedLost) {
          if ((await this.stat(sealed))?.size !== staged.size) throw error;
          // Renamed into place by an earlier call that was not answered; its name may not be on the disk yet.
          await syncFolder(dirname(target)).catch((cause: unknown) => {
            throw diskError(cause, 'sealing a blob');
          });
          return sealed;
        }
        if (error instanceof SyncFailed) await this.#distrust(staged);
        throw diskError(error, 'sealing a blob');
      }
    });
  }

  async abandon(staged: Staged): Promise<void> {
    await this.#turns.take(checkId(staged.id), undefined, async () => {
      this.#hashes.forget(staged.id);
      for (const segment of segmentsOf(staged)) await this.#drop(this.#staging(segment.file));
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
    await this.#drop(this.#path(location));
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
      await this.#drop(path);
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
      const written = this.#staging(`${this.#newId()}.note`);
      const file = await this.#create(written);
      try {
        await file.writeFile(text);
        await syncFile(file);
      } finally {
        await file.close();
      }
      await rename(written, path);
      await syncFolder(join(this.#root, 'notes'));
    } catch (error) {
      throw diskError(error, 'writing a note');
    }
  }

  async close(): Promise<void> {
    await this.#turns.all();
  }

  /** The staged file of an upload that came in one piece: synced, complete, and hashing to the digest. */
  async #verify(staged: Staged, segment: Segment, algorithm: 'sha256' | 'sha512', hex: string): Promise<string> {
    const file = await this.#openSegment(segment);
    try {
      const hash =
        (algorithm === 'sha256' ? this.#hashes.resume(staged.id, staged.size) : undefined) ??
        (await hashFile(file, segment.size, createHash(algorithm)));
      compare(algorithm, hex, hash.digest('hex'));
      await file.truncate(segment.size);
      await syncFile(file);
    } finally {
      await file.close();
    }
    return this.#staging(segment.file);
  }

  /** Joins the segments that several processes wrote, hashing what is written. Also makes the file of an empty upload. */
  async #join(
    staged: Staged,
    segments: readonly Segment[],
    algorithm: 'sha256' | 'sha512',
    hex: string,
  ): Promise<string> {
    const path = this.#staging(`${staged.id}.${this.#newId()}`);
    const file = await this.#create(path);
    try {
      const hash = createHash(algorithm);
      let position = 0;
      for (const segment of segments) {
        const from = await this.#openSegment(segment);
        try {
          await hashFile(from, segment.size, hash, async (bytes) => {
            await writeAll(file, [bytes], position);
            position += bytes.byteLength;
          });
        } finally {
          await from.close();
        }
      }
      compare(algorithm, hex, hash.digest('hex'));
      await syncFile(file);
      return path;
    } catch (error) {
      await this.#drop(path);
      throw error;
    } finally {
      await file.close();
    }
  }

  async #openSegment(segment: Segment): Promise<FileHandle> {
    if (this.#distrusted.has(segment.file)) throw new StagedLost(`the disk did not keep the upload's bytes`);
    let file: FileHandle;
    try {
      file = await open(this.#staging(segment.file), constants.O_RDWR | constants.O_NOFOLLOW);
    } catch (error) {
      if (isAbsent(error)) throw new StagedLost(`the upload's bytes are gone`, { cause: error });
      throw error;
    }
    const { size } = await file.stat();
    if (size >= segment.size) return file;
    await file.close();
    throw new StagedLost(`the upload has ${size} bytes where ${segment.size} were recorded`);
  }

  /** After a failed sync nobody may go on with what is staged: the next call for it says that the bytes are gone. */
  async #distrust(staged: Staged): Promise<void> {
    this.#hashes.forget(staged.id);
    for (const { file } of segmentsOf(staged)) {
      // A disk in that state may refuse this too.
      await this.#drop(this.#staging(file)).catch(() => this.#distrusted.add(file));
    }
  }

  #create(path: string): Promise<FileHandle> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    return open(path, flags, 0o600);
  }

  async #drop(path: string): Promise<void> {
    try {
      await unlink(path);
    } catch (error) {
      if (!isAbsent(error)) throw diskError(error, 'removing a file');
    }
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

  async #checkSpace(): Promise<void> {
    if (this.#reserve === 0) return;
    const { bavail, bsize } = await statfs(this.#root);
    if (bavail * bsize >= this.#reserve) return;
    throw new BlobStoreError('full', `less than ${this.#reserve} bytes are free under ${this.#root}`);
  }

  #staging(name: string): string {
    return join(this.#root, 'staging', name);
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

  async pipe(
    destination: Writable,
    range?: { readonly start: number; readonly end: number },
    signal?: AbortSignal,
  ): Promise<void> {
    const { start, end } = checkRange(range, this.size);
    await sendFile(this.#path, start, end, destination, signal);
  }
}

function compare(algorithm: 'sha256' | 'sha512', expected: string, actual: string): void {
  if (actual !== expected) throw new DigestMismatch(`${algorithm}:${expected}`, `${algorithm}:${actual}`);
}

/** Hashes the first `size` bytes of a file, handing each piece on as well. */
async function hashFile(
  file: FileHandle,
  size: number,
  hash: Hash,
  each?: (bytes: Uint8Array) => Promise<void>,
): Promise<Hash> {
  const buffer = Buffer.allocUnsafeSlow(Math.min(copySize, Math.max(size, 1)));
  for (let position = 0; position < size;) {
    const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.byteLength, size - position), position);
    if (bytesRead === 0) throw new StagedLost(`the upload ends at byte ${position} of ${size}`);
    const bytes = buffer.subarray(0, bytesRead);
    hash.update(bytes);
    await each?.(bytes);
    position += bytesRead;
  }
  return hash;
}

function isAbsent(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

function noneIfAbsent(error: unknown): [] {
  if (isAbsent(error)) return [];
  throw diskError(error, 'listing');
}
