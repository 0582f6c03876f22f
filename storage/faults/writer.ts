/**
 * A server in small, to be killed by the fault tests: writes to a storage without pause, and prints one line for each write after
 * it has been acknowledged. Reads its configuration from the first argument and a name that makes its keys unique from the second.
 */
import { createHash, randomBytes } from 'node:crypto';
import { writeSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { systemClock } from '../clock/index.ts';
import { openStorage, type StorageConfig } from '../engine/index.ts';

export interface Acknowledged {
  /** The number of the pair of records that was committed in one batch, with an event. */
  readonly pair?: string;
  readonly blob?: { readonly digest: `sha256:${string}`; readonly generation: string; readonly size: number };
}

const storage = await openStorage(JSON.parse(process.argv[2]!) as StorageConfig, systemClock);
const run = process.argv[3]!;
// It is killed, and what it compiled would be kept only by a process that ends by itself.
flushCompileCache();
const acknowledge = (line: Acknowledged): void => void writeSync(1, `${JSON.stringify(line)}\n`);

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += 16_384) yield bytes.subarray(at, at + 16_384);
}

async function commits(lane: number): Promise<void> {
  for (let n = 0; ; n++) {
    const pair = `${run}-${lane}-${n}`;
    await storage.records.commit('faults', {
      require: [{ key: `a/${pair}`, exists: false }],
      put: [
        { key: `a/${pair}`, value: n },
        { key: `b/${pair}`, value: n },
      ],
      announce: [{ topic: 'faults', type: 'pair', data: pair }],
    });
    acknowledge({ pair });
  }
}

async function uploads(): Promise<void> {
  for (;;) {
    const bytes = randomBytes(20_000 + Math.floor(Math.random() * 60_000));
    const half = Math.floor(bytes.byteLength / 2);
    const first = await storage.blobs.append(await storage.blobs.stage(), once(bytes.subarray(0, half)));
    const { staged } = await storage.blobs.append(first.staged, once(bytes.subarray(half)));
    const blob = await storage.blobs.seal(staged, `sha256:${createHash('sha256').update(bytes).digest('hex')}`);
    // As a registry does it: what a blob's row says is only true once the blob is durable.
    await storage.records.commit('faults', { put: [{ key: `blob/${blob.generation}`, value: { ...blob } }] });
    acknowledge({ blob: { ...blob, digest: blob.digest as `sha256:${string}` } });
  }
}

await Promise.all([commits(0), commits(1), uploads()]);
