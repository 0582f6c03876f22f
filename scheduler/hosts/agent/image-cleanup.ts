import type { Log } from '@slipway/auth/contract';
import type { Clock } from '@slipway/storage/clock';
import type Docker from 'dockerode';

import { parseImageReference, sameRepository } from '../../references/index.ts';
import { engineCall, EngineError, EngineUnavailable } from './docker.ts';
import { imagesToRemove, type KeptImage, type KeptImages } from './kept-images.ts';

/** When images that no task needs go. Times in milliseconds. */
export interface ImageCleanupRule {
  /** From one look to the next. */
  readonly every: number;
  /** An image that was pulled, or asked for, less long ago stays. */
  readonly minimumAge: number;
  /** Images removed at one look at most. */
  readonly perCycle: number;
}

/** Those of amazon-ecs-agent. */
export const usualImageCleanup: ImageCleanupRule = { every: 1_800_000, minimumAge: 3_600_000, perCycle: 5 };

export interface ImageCleanupOptions {
  readonly docker: Docker;
  readonly clock: Clock;
  readonly log: Log;
  readonly rule: ImageCleanupRule;
  readonly kept: KeptImages;
  /** Ids of images that tasks of this host are about to make containers of. */
  readonly awaited: () => Iterable<string>;
  /** Runs something while no image is brought. */
  readonly alone: (work: () => Promise<void>) => Promise<void>;
}

/** Removes images that this agent pulled and that nothing on the engine needs any more; never those of anybody else. */
export class ImageCleanup {
  readonly #options: ImageCleanupOptions;

  constructor(options: ImageCleanupOptions) {
    this.#options = options;
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, rule, log } = this.#options;
    while (!signal.aborted) {
      await clock.sleep(rule.every, signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.#look(signal);
      } catch (error) {
        if (!(error instanceof EngineUnavailable)) log.warn({ err: error }, 'cannot remove images; trying again later');
      }
    }
  }

  async #look(signal: AbortSignal): Promise<void> {
    const { clock, rule, kept, alone } = this.#options;
    const needed = await this.#needed();
    for (const image of imagesToRemove(kept.all, needed, { ...rule, now: clock.now() })) {
      if (signal.aborted) break;
      await alone(async () => {
        // It may have been asked for while another one was removed.
        const [still] = imagesToRemove(
          kept.all.filter(({ id }) => id === image.id),
          await this.#needed(),
          {
            ...rule,
            now: clock.now(),
          },
        );
        if (still !== undefined) await this.#remove(still);
      });
    }
    await kept.save();
  }

  /** Whatever a container was made of, whosever it is and whether or not it runs, and what is about to be. */
  async #needed(): Promise<Set<string>> {
    const { docker, awaited } = this.#options;
    const containers = await engineCall(() => docker.listContainers({ all: true }));
    return new Set([...containers.map(({ ImageID: id }) => id), ...awaited()]);
  }

  async #remove(image: KeptImage): Promise<void> {
    const { kept, log } = this.#options;
    const found = await this.#inspect(image.id);
    // Older engines call what has no name any more `<none>`.
    const names = [...(found?.RepoTags ?? []), ...(found?.RepoDigests ?? [])].filter(
      (name) => !name.includes('<none>'),
    );
    if (found === undefined || !names.every((name) => isOf(name, image.repositories))) {
      // It is gone, or somebody gave it a name of their own.
      kept.forget(image.id);
      return;
    }
    try {
      // Without force: an engine keeps what a container has, and what is the base of another image of its own.
      for (const name of [...names, image.id]) await this.#untag(name);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      log.warn({ image: image.id, names, err: error }, 'the Docker engine keeps an image that no task needs');
      return;
    }
    kept.forget(image.id);
    log.info(
      { image: image.id, names, usedAt: new Date(image.usedAt).toISOString() },
      'removed an image that no task needs',
    );
  }

  async #inspect(id: string): Promise<Docker.ImageInspectInfo | undefined> {
    try {
      return await engineCall(() => this.#options.docker.getImage(id).inspect());
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return undefined;
      throw error;
    }
  }

  async #untag(name: string): Promise<void> {
    try {
      await engineCall(() => this.#options.docker.getImage(name).remove());
    } catch (error) {
      // The last name took the image with it.
      if (!(error instanceof EngineError && error.status === 404)) throw error;
    }
  }
}

/** Whether a name of the engine's is in one of these repositories. */
function isOf(name: string, repositories: readonly string[]): boolean {
  const reference = parseImageReference(name);
  if (reference === undefined) return false;
  return repositories.some((repository) => {
    const own = parseImageReference(repository);
    return own !== undefined && sameRepository(own, reference);
  });
}
