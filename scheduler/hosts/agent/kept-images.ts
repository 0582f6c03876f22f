import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import { z } from 'zod';

import type { Disk } from './files.ts';

/** An image that this agent has brought to its engine: only such are removed again. */
const keptImage = z.object({
  /** `sha256:…`, the engine's own. */
  id: z.string().min(1),
  /** Repositories that it was pulled from, as definitions name them: `host/team/web`. */
  repositories: z.array(z.string()),
  /** Milliseconds since the epoch; `usedAt` is the last time that a task asked for it. */
  pulledAt: z.number(),
  usedAt: z.number(),
});

const file = z.object({ images: z.array(keptImage).default([]) });

export type KeptImage = z.infer<typeof keptImage>;

/** Notes nothing: where no image is ever removed. */
export const noKeptImages: Pick<KeptImages, 'pulled' | 'used'> = {
  pulled: () => Promise.resolve(),
  used: () => undefined,
};

export interface KeptImagesOptions {
  readonly disk: Disk;
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What this agent has pulled, and when it was last asked for. Survives restarts; what is not written down is never removed. */
export class KeptImages {
  readonly #options: KeptImagesOptions;
  readonly #images = new Map<string, KeptImage>();
  #writes: Promise<void> = Promise.resolve();

  constructor(options: KeptImagesOptions) {
    this.#options = options;
  }

  /** Reads what earlier runs noted. What cannot be read is never removed. */
  async open(): Promise<void> {
    const { disk, path, log } = this.#options;
    try {
      const { images } = file.parse((await disk.read(path)) ?? {});
      for (const image of images) this.#images.set(image.id, image);
    } catch (error) {
      log.error({ path, err: error }, 'cannot read which images are of this agent; it removes none of them');
    }
  }

  get all(): readonly KeptImage[] {
    return [...this.#images.values()];
  }

  /** A task asks for an image that is there. Written down with the next change. */
  used(id: string): void {
    const known = this.#images.get(id);
    if (known !== undefined) this.#images.set(id, { ...known, usedAt: this.#options.clock.now() });
  }

  /** An image came that the engine did not have. Never throws: what cannot be written down stays, and runs. */
  async pulled(id: string, repository: string): Promise<void> {
    const now = this.#options.clock.now();
    const { repositories = [], pulledAt = now } = this.#images.get(id) ?? {};
    const all = [...new Set([...repositories, repository])];
    this.#images.set(id, { id, repositories: all, pulledAt, usedAt: now });
    const { log } = this.#options;
    await this.save().catch((error: unknown) => log.warn({ image: id, err: error }, 'could not note an image'));
  }

  /** An image is gone, or somebody else's by now. */
  forget(id: string): void {
    this.#images.delete(id);
  }

  /** Durable when it resolves. */
  async save(): Promise<void> {
    const { disk, path } = this.#options;
    const written = this.#writes.then(() => disk.write(path, JSON.stringify({ images: this.all })));
    this.#writes = written.catch(() => undefined);
    await written;
  }
}

/**
 * The images to remove now, those first that nobody has asked for for longest (ECS developer guide, "automated task and image
 * cleanup"). Pure.
 * @param needed ids that a container has or a task is about to
 */
export function imagesToRemove(
  images: readonly KeptImage[],
  needed: Pick<ReadonlySet<string>, 'has'>,
  { now, minimumAge, perCycle }: { readonly now: number; readonly minimumAge: number; readonly perCycle: number },
): KeptImage[] {
  return images
    .filter(({ id, pulledAt, usedAt }) => !needed.has(id) && now - Math.max(pulledAt, usedAt) >= minimumAge)
    .sort((one, other) => one.usedAt - other.usedAt || one.pulledAt - other.pulledAt)
    .slice(0, perCycle);
}
