import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { Storage, StorageConfig } from '../engine/index.ts';
import { scan } from '../records/index.ts';
import type { Acknowledged } from './writer.ts';

/** How often a fault is provoked: on every submission, nightly, before a release. */
export function rounds(submission: number, nightly: number, release = nightly): number {
  const size = process.env['SLIPWAY_TEST_SIZE'];
  return size === 'release' ? release : size === 'nightly' ? nightly : submission;
}

/** A writer in a process of its own. */
export class Writer {
  readonly acknowledged: Acknowledged[] = [];
  readonly #child: ChildProcessByStdio<null, Readable, Readable>;
  readonly #ended: Promise<unknown>;
  #rest = '';
  #complaint = '';
  #waiting: { count: number; resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(config: StorageConfig, run: string, options: { readonly sync?: boolean } = {}) {
    const preload = options.sync === false ? ['--import', fileURLToPath(new URL('./no-sync.ts', import.meta.url))] : [];
    this.#child = spawn(
      process.execPath,
      [...preload, fileURLToPath(new URL('./writer.ts', import.meta.url)), JSON.stringify(config), run],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        // Hundreds of short processes: compile the sources once.
        env: { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), 'slipway-fault-cache'), NODE_OPTIONS: '' },
      },
    );
    this.#child.stdout.on('data', (chunk: Buffer) => this.#take(chunk.toString()));
    this.#child.stderr.on('data', (chunk: Buffer) => (this.#complaint += chunk.toString()));
    this.#ended = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.once('close', () => {
      for (const { reject } of this.#waiting) reject(new Error(`the writer ended by itself: ${this.#complaint}`));
    });
  }

  /** Resolves when so many writes have been acknowledged. */
  reached(count: number): Promise<void> {
    if (this.acknowledged.length >= count) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiting.push({ count, resolve, reject }));
  }

  /** Kills it as `kill -9` does and waits until it is gone and everything it said has been read. */
  async kill(): Promise<void> {
    this.#waiting = [];
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop()!;
    for (const line of lines) this.acknowledged.push(JSON.parse(line) as Acknowledged);
    const ready = this.#waiting.filter(({ count }) => this.acknowledged.length >= count);
    this.#waiting = this.#waiting.filter((entry) => !ready.includes(entry));
    for (const { resolve } of ready) resolve();
  }
}

/** What is wrong with a storage after a fault: acknowledged and lost, or visible by half. Empty when all is well. */
export async function damage(storage: Storage, acknowledged: readonly Acknowledged[]): Promise<readonly string[]> {
  const found: string[] = [];
  for (let from = 0; from < acknowledged.length; from += 100) {
    const some = acknowledged.slice(from, from + 100);
    found.push(...(await Promise.all(some.map((write) => damageOf(storage, write)))).flat());
  }
  return found;
}

async function damageOf(storage: Storage, { pair, blob }: Acknowledged): Promise<readonly string[]> {
  if (pair !== undefined) {
    const rows = await storage.records.getMany('faults', [`a/${pair}`, `b/${pair}`]);
    return rows.size === 2 ? [] : [`acknowledged and lost: pair ${pair}`];
  }
  if (blob === undefined) return [];
  const row = await storage.records.get('faults', `blob/${blob.generation}`);
  const lost = row === undefined ? [`acknowledged and lost: the row of blob ${blob.generation}`] : [];
  return [...lost, ...(await blobDamage(storage, blob))];
}

/** Looks at everything that is there, acknowledged or not: pairs without their half or event, rows without their blob. */
export async function halves(storage: Storage): Promise<readonly string[]> {
  const found: string[] = [];
  const pairs = new Map<string, number>();
  for (const prefix of ['a/', 'b/']) {
    for await (const { key } of scan(storage.records, 'faults', { prefix })) {
      pairs.set(key.slice(2), (pairs.get(key.slice(2)) ?? 0) + 1);
    }
  }
  for (let after = 0; ;) {
    const events = await storage.events.read('faults', 'faults', after, 1000);
    if (events.length === 0) break;
    for (const { data, position } of events) {
      pairs.set(data as string, (pairs.get(data as string) ?? 0) + 1);
      if (position !== after + 1) found.push(`a gap in the log before ${position}`);
      after = position;
    }
  }
  for (const [pair, parts] of pairs)
    if (parts !== 3) found.push(`visible by half: pair ${pair} has ${parts} of 3 parts`);
  for await (const { value } of scan(storage.records, 'faults', { prefix: 'blob/' })) {
    found.push(...(await blobDamage(storage, value as unknown as NonNullable<Acknowledged['blob']>)));
  }
  return found;
}

async function blobDamage(storage: Storage, blob: NonNullable<Acknowledged['blob']>): Promise<readonly string[]> {
  try {
    const hash = createHash('sha256');
    for await (const chunk of (await storage.blobs.open(blob)).stream()) hash.update(chunk);
    return `sha256:${hash.digest('hex')}` === blob.digest
      ? []
      : [`blob ${blob.generation} has other bytes than its digest says`];
  } catch (error) {
    return [`blob ${blob.generation} cannot be read: ${(error as Error).message}`];
  }
}
