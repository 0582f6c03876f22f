import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  BlobMissing,
  type BlobStore,
  type Digest,
  DigestMismatch,
  hasDirectAccess,
  hasSideNotes,
  type Staged,
  StagedLost,
} from '../index.ts';

export interface OpenedBlobs {
  readonly store: BlobStore;
  /** A second handle on the same data, as another server process or the same one after a restart has it. */
  readonly another: () => Promise<BlobStore>;
  readonly dispose: () => Promise<void>;
}

export const sha256 = (bytes: Uint8Array): Digest => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const sha512 = (bytes: Uint8Array): Digest => `sha512:${createHash('sha512').update(bytes).digest('hex')}`;

/** A body in chunks of the given size; with `failAfter`, it breaks off after so many bytes. */
export async function* bodyOf(bytes: Uint8Array, chunk = 64 * 1024, failAfter = Infinity): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += chunk) {
    if (at >= failAfter) throw new Error('the client went away');
    yield bytes.subarray(at, Math.min(at + chunk, bytes.byteLength, at < failAfter ? failAfter : Infinity));
  }
  if (failAfter <= bytes.byteLength) throw new Error('the client went away');
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(Uint8Array.from(chunk));
  return Buffer.concat(chunks);
}

/** The promises of `BlobStore`, as tests that each driver runs. */
export function describeBlobStore(name: string, open: () => Promise<OpenedBlobs>, missing?: string): void {
  describe.skipIf(missing !== undefined)(`blob store: ${name}${missing ?? ''}`, () => {
    let opened: OpenedBlobs;
    let store: BlobStore;
    beforeAll(async () => {
      opened = await open();
      store = opened.store;
    });
    afterAll(() => opened.dispose());

    const upload = async (bytes: Uint8Array, chunk?: number): Promise<Staged> =>
      (await store.append(await store.stage(), bodyOf(bytes, chunk))).staged;
    const read = async (location: { digest: Digest; generation: string }) =>
      collect((await store.open(location)).stream());

    test.each([
      ['no bytes', 0, 1],
      ['one byte', 1, 1],
      ['odd chunks', 1_234_567, 7_919],
      ['more than a part', 17 * 1024 * 1024 + 3, 65_536],
    ])('what is uploaded is what is read: %s', async (_title, size, chunk) => {
      const bytes = randomBytes(size);
      const staged = await upload(bytes, chunk);
      expect(staged.size).toBe(size);
      const sealed = await store.seal(staged, sha256(bytes));
      expect(sealed).toMatchObject({ digest: sha256(bytes), size });
      expect(await store.stat(sealed)).toEqual({ size });
      expect(sha256(await read(sealed))).toBe(sha256(bytes));
    });

    test('chunks of any size may come in any number of calls, from any server', async () => {
      const bytes = randomBytes(14 * 1024 * 1024 + 11);
      const other = await opened.another();
      let staged = await store.stage();
      const cuts = [0, 1, 5_000_000, 5_000_001, 11_000_000, 11_000_010, bytes.byteLength];
      for (let index = 1; index < cuts.length; index++) {
        const server = index % 3 === 0 ? other : store;
        // The state goes through the caller's records, which hold JSON.
        staged = JSON.parse(JSON.stringify(staged)) as Staged;
        staged = (await server.append(staged, bodyOf(bytes.subarray(cuts[index - 1], cuts[index])))).staged;
        expect(staged.size).toBe(cuts[index]);
      }
      const sealed = await other.seal(staged, sha256(bytes));
      expect(sha256(await read(sealed))).toBe(sha256(bytes));
      await other.close();
    });

    test('sha512 is taken too', async () => {
      const bytes = randomBytes(6 * 1024 * 1024);
      const sealed = await store.seal(await upload(bytes), sha512(bytes));
      expect(sealed.digest).toBe(sha512(bytes));
      expect(sha256(await read(sealed))).toBe(sha256(bytes));
    });

    test('a body that breaks off keeps what came before, and the upload goes on from there', async () => {
      const bytes = randomBytes(9 * 1024 * 1024);
      const cutAt = 6 * 1024 * 1024 + 100;
      const first = await store.append(await store.stage(), bodyOf(bytes, 64 * 1024, cutAt));
      expect(first.cut).toEqual(new Error('the client went away'));
      expect(first.staged.size).toBe(cutAt);
      const { staged, cut } = await store.append(first.staged, bodyOf(bytes.subarray(cutAt)));
      expect(cut).toBeUndefined();
      const sealed = await store.seal(staged, sha256(bytes));
      expect(sha256(await read(sealed))).toBe(sha256(bytes));
    });

    test('an abort cuts the body', async () => {
      const stop = new AbortController();
      async function* endless(): AsyncGenerator<Uint8Array> {
        yield Buffer.from('abc');
        stop.abort(new Error('too slow'));
        await new Promise(() => {});
      }
      const { staged, cut } = await store.append(await store.stage(), endless(), stop.signal);
      expect(cut).toEqual(new Error('too slow'));
      expect(staged.size).toBe(3);
      const sealed = await store.seal(staged, sha256(Buffer.from('abc')));
      expect((await read(sealed)).toString()).toBe('abc');
    });

    test('an append that was never recorded leaves no trace', async () => {
      const bytes = randomBytes(12 * 1024 * 1024);
      const half = 7 * 1024 * 1024;
      const recorded = (await store.append(await store.stage(), bodyOf(bytes.subarray(0, half)))).staged;
      await store.append(recorded, bodyOf(randomBytes(8 * 1024 * 1024)));
      const { staged } = await store.append(recorded, bodyOf(bytes.subarray(half)));
      const sealed = await store.seal(staged, sha256(bytes));
      expect(sha256(await read(sealed))).toBe(sha256(bytes));
    });

    test('bytes that hash to something else are refused, and the upload is still there', async () => {
      const bytes = randomBytes(100_000);
      const staged = await upload(bytes);
      const wrong = sha256(Buffer.from('wrong'));
      await expect(store.seal(staged, wrong)).rejects.toThrow(DigestMismatch);
      expect(await store.stat({ digest: wrong, generation: staged.id })).toBeUndefined();
      const sealed = await store.seal(staged, sha256(bytes));
      expect(sha256(await read(sealed))).toBe(sha256(bytes));
    });

    test('sealing again gives the same blob', async () => {
      const bytes = randomBytes(70_000);
      const staged = await upload(bytes);
      const first = await store.seal(staged, sha256(bytes));
      expect(await store.seal(staged, sha256(bytes))).toEqual(first);
    });

    test('two uploads of the same bytes are two generations, and removing one leaves the other', async () => {
      const bytes = randomBytes(50_000);
      const first = await store.seal(await upload(bytes), sha256(bytes));
      const second = await store.seal(await upload(bytes), sha256(bytes));
      expect(first.generation).not.toBe(second.generation);
      await store.remove(first);
      await store.remove(first);
      expect(await store.stat(first)).toBeUndefined();
      await expect(store.open(first)).rejects.toThrow(BlobMissing);
      expect(sha256(await read(second))).toBe(sha256(bytes));
    });

    test.each([
      [0, 0],
      [5, 5],
      [1_000, 700_000],
      [999_999, 999_999],
      [0, 999_999],
    ])('the range %i to %i is read exactly', async (start, end) => {
      const bytes = randomBytes(1_000_000);
      const sealed = await store.seal(await upload(bytes), sha256(bytes));
      const source = await store.open(sealed);
      expect(Buffer.compare(await collect(source.stream({ start, end })), bytes.subarray(start, end + 1))).toBe(0);
      expect(() => source.stream({ start, end: 1_000_000 })).toThrow(RangeError);
      await expect(source.read({ start, end: 1_000_000 })).rejects.toThrow(RangeError);
      for (let again = 0; again < 2; again++) {
        const own = await source.read({ start, end });
        expect(Buffer.compare(own, bytes.subarray(start, end + 1))).toBe(0);
        expect((own.buffer as ArrayBuffer).transfer(0).byteLength).toBe(0);
        expect(own).toHaveLength(0);
      }
    });

    test('a blob goes to a slow socket whole, and ranges and aborted downloads beside it do not mix bytes', async () => {
      const bytes = randomBytes(5 * 1024 * 1024 + 17);
      const sealed = await store.seal(await upload(bytes), sha256(bytes));
      const source = await store.open(sealed);
      const server = createServer((incoming, response) => {
        const range = incoming.url === '/part' ? { start: 1_000_000, end: 3_000_000 } : undefined;
        source.pipe(response, range).then(
          () => response.end(),
          () => response.destroy(),
        );
      }).listen(0, '127.0.0.1');
      await new Promise((resolve) => server.once('listening', resolve));
      const { port } = server.address() as AddressInfo;
      const download = async (path: string, stopAfter = Infinity): Promise<Buffer> => {
        const call = request({ port, path, host: '127.0.0.1' }).end();
        const [response] = (await once(call, 'response')) as [IncomingMessage];
        const chunks: Buffer[] = [];
        let size = 0;
        for await (const chunk of response) {
          chunks.push(chunk as Buffer);
          size += (chunk as Buffer).byteLength;
          if (size > stopAfter) break;
          if (chunks.length % 20 === 0) await sleep(2);
        }
        return Buffer.concat(chunks);
      };
      const results = await Promise.all(
        Array.from({ length: 9 }, (_, index) =>
          index % 3 === 0
            ? download('/')
            : index % 3 === 1
              ? download('/part')
              : download('/', 100_000).catch(() => undefined),
        ),
      );
      for (let index = 0; index < 9; index += 3) {
        expect(sha256(results[index]!)).toBe(sha256(bytes));
        expect(sha256(results[index + 1]!)).toBe(sha256(bytes.subarray(1_000_000, 3_000_001)));
      }
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });

    test('an abandoned upload is gone, and abandoning it again is harmless', async () => {
      const staged = await upload(randomBytes(6 * 1024 * 1024));
      await store.abandon(staged);
      await store.abandon(staged);
      await expect(store.append(staged, bodyOf(Buffer.from('x')))).rejects.toThrow(StagedLost);
      const other = await opened.another();
      await expect(other.seal(staged, sha256(Buffer.from('x')))).rejects.toThrow(StagedLost);
      await other.close();
    });

    test('the list names every sealed blob and no upload', async () => {
      const bytes = randomBytes(1000);
      const sealed = await store.seal(await upload(bytes), sha256(bytes));
      const staged = await upload(randomBytes(6 * 1024 * 1024));
      const listed = new Map<string, unknown>();
      for await (const { modifiedAt, ...blob } of store.list()) {
        listed.set(blob.generation, blob);
        expect(Math.abs(modifiedAt - Date.now())).toBeLessThan(3_600_000);
      }
      expect(listed.get(sealed.generation)).toEqual(sealed);
      expect(listed.has(staged.id)).toBe(false);
      await store.abandon(staged);
    });

    test('uploads that nobody claims are swept when they are old, and the others are not', async () => {
      const bytes = randomBytes(6 * 1024 * 1024);
      const kept = await upload(bytes);
      const dropped = await upload(bytes);
      expect(await store.sweepStaged(3_600_000, async () => false)).toBe(0);
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await store.sweepStaged(1, async (id) => id !== dropped.id)).toBe(1);
      await expect(store.append(dropped, bodyOf(Buffer.from('x')))).rejects.toThrow(StagedLost);
      const sealed = await store.seal(kept, sha256(bytes));
      expect(sha256(await read(sealed))).toBe(sha256(bytes));
    });

    test('many uploads at once do not mix', async () => {
      const blobs = Array.from({ length: 12 }, (_, index) => randomBytes(400_000 + index));
      const sealed = await Promise.all(
        blobs.map(async (bytes) => store.seal(await upload(bytes, 10_000), sha256(bytes))),
      );
      for (const [index, bytes] of blobs.entries()) expect(sha256(await read(sealed[index]!))).toBe(sha256(bytes));
    });

    test('notes are kept beside the blobs, for every server', async () => {
      if (!hasSideNotes(store)) throw new Error('every driver keeps notes');
      expect(await store.readNote('mark')).toBeUndefined();
      await store.writeNote('mark', 'one');
      await store.writeNote('mark', 'zwölf');
      const other = await opened.another();
      expect(hasSideNotes(other) && (await other.readNote('mark'))).toBe('zwölf');
      await other.close();
      await expect(store.readNote('../mark')).rejects.toThrow(TypeError);
    });

    test('names that are not digests or generations reach no file', async () => {
      const digest = '../../etc/passwd' as Digest;
      await expect(store.stat({ digest, generation: 'x' })).rejects.toThrow(TypeError);
      await expect(store.remove({ digest: sha256(Buffer.from('')), generation: '../x' })).rejects.toThrow(TypeError);
    });

    test('a direct URL, where there is one, serves the bytes', async () => {
      const bytes = randomBytes(100_000);
      const sealed = await store.seal(await upload(bytes), sha256(bytes));
      if (!hasDirectAccess(store)) return;
      const response = await fetch(await store.directUrl(sealed, { expiresInSeconds: 60 }));
      expect(response.status).toBe(200);
      expect(sha256(Buffer.from(await response.arrayBuffer()))).toBe(sha256(bytes));
    });
  });
}
