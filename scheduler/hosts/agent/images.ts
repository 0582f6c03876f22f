import type { Clock } from '@slipway/storage/clock';
import type Docker from 'dockerode';

import {
  dockerName,
  effectiveTag,
  type ImageReference,
  parseImageReference,
  sameRepository,
  withoutTag,
} from '../../references/index.ts';
import { ImageRefused, RegistryUnresolved } from '../../reach/index.ts';
import { engineCall, EngineError, EngineUnavailable } from './docker.ts';
import type { KeptImages } from './kept-images.ts';
import { LoginRefused, LoginUnanswered, type PullRights, type RegistryLogin } from './logins.ts';
import { foreignReason } from './pull-reasons.ts';

/** An image that the engine has. */
export interface LocalImage {
  /** What to create containers from: the pinned digest when there is one, otherwise the image's id. */
  readonly reference: string;
  /** `sha256:…` of the manifest in its repository; absent for images that never came from a registry. */
  readonly digest?: string;
  /** The engine's own id of it; absent from what earlier agents noted. */
  readonly id?: string;
}

export type PullBehavior = 'default' | 'always' | 'once' | 'prefer-cached';

export interface ImagesOptions {
  readonly docker: Docker;
  readonly clock: Clock;
  /** As ECS_IMAGE_PULL_BEHAVIOR: `default` pulls and falls back to what is there; `always` does not; `once` and `prefer-cached` pull only what is absent. */
  readonly behavior: PullBehavior;
  /** A pull that makes no progress for this long has failed. Milliseconds. */
  readonly inactivity: number;
  /** How often a pull is tried, when the failure may pass. */
  readonly attempts: number;
  /** Learns which images this agent brought, and which of them are asked for. */
  readonly kept: Pick<KeptImages, 'pulled' | 'used'>;
}

/** Failures that the next attempt would meet again. */
const final =
  /denied|unauthorized|no basic auth|not found|manifest unknown|invalid reference|no such image|name unknown/i;

/** What a registry says to a login that may not have an image. */
const refused = /denied|unauthorized|forbidden/i;

/** Whoever the image is pulled for may not have it; that the engine has a copy from another time changes nothing. */
class PullRefused extends Error {
  override readonly name = 'PullRefused';
}

/** The engine gave no sign of a pull for too long. */
class PullStalled extends Error {
  override readonly name = 'PullStalled';
}

/** Brings images to the engine: at most one pull of a reference at a time with the same rights, none when its digest is already there. */
export class Images {
  readonly #options: ImagesOptions;
  readonly #pulls = new Map<string, Promise<LocalImage>>();
  /** Calls whose image is being brought, or is here and not noted yet. */
  readonly #uses = new Set<Promise<void>>();
  /** Ends with the removal that is under way, if one is. */
  #removal: Promise<unknown> = Promise.resolve();

  constructor(options: ImagesOptions) {
    this.#options = options;
  }

  /**
   * Hands an image, pulled when it must be, to `noted`, which writes down that it is needed: none is removed before that has ended.
   * @throws EngineUnavailable and whatever `noted` throws; any other error means that the image cannot be had, and its message says why
   */
  async ensure(image: string, rights: PullRights, noted: (image: LocalImage) => Promise<void>): Promise<void> {
    const use = this.#bring(image, rights).then(noted);
    this.#uses.add(use);
    try {
      await use;
    } finally {
      this.#uses.delete(use);
    }
  }

  /** Removes images while none is brought: one that a task was just told is there must not go. */
  async alone(work: () => Promise<void>): Promise<void> {
    while (this.#uses.size > 0) await Promise.allSettled(this.#uses);
    const removal = work();
    this.#removal = removal.catch(() => undefined);
    await removal;
  }

  async #bring(image: string, rights: PullRights): Promise<LocalImage> {
    const reference = parseImageReference(image);
    if (reference === undefined) throw new Error(`invalid reference format: '${image}'`);
    // One task's refusal is not another's.
    const key = `${dockerName(reference)} ${rights.of}`;
    const underWay = this.#pulls.get(key);
    if (underWay !== undefined) return underWay;
    // What is being removed may be what is found.
    const pull = this.#removal.then(() => this.#ensure(reference, rights));
    this.#pulls.set(key, pull);
    try {
      return await pull;
    } finally {
      this.#pulls.delete(key);
    }
  }

  async #ensure(reference: ImageReference, rights: PullRights): Promise<LocalImage> {
    const { behavior, kept } = this.#options;
    const present = await this.#find(reference);
    if (present?.id !== undefined) kept.used(present.id);
    const pinned = reference.digest !== undefined;
    if (present !== undefined && (pinned || behavior === 'once' || behavior === 'prefer-cached')) return present;
    try {
      await this.#pull(reference, rights);
    } catch (error) {
      if (error instanceof EngineUnavailable) throw error;
      if (present !== undefined && behavior === 'default' && !(error instanceof PullRefused)) return present;
      throw error;
    }
    const pulled = await this.#find(reference);
    if (pulled === undefined) throw new Error(`${dockerName(reference)} was pulled, but the engine does not have it`);
    // One that was there before is whoever's brought it.
    if (pulled.id !== undefined && pulled.id !== present?.id) await kept.pulled(pulled.id, withoutTag(reference));
    return pulled;
  }

  async #find(reference: ImageReference): Promise<LocalImage | undefined> {
    try {
      const image = await engineCall(() => this.#options.docker.getImage(dockerName(reference)).inspect());
      const listed = (image.RepoDigests ?? []).map(parseImageReference);
      const pinned = listed.find((name) => name !== undefined && sameRepository(name, reference));
      const digest = reference.digest ?? pinned?.digest;
      return {
        reference: pinned === undefined ? image.Id : `${withoutTag(reference)}@${digest}`,
        ...(digest === undefined ? {} : { digest }),
        id: image.Id,
      };
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return undefined;
      throw error;
    }
  }

  async #pull(reference: ImageReference, { check, login, own }: PullRights): Promise<void> {
    const { clock, attempts } = this.#options;
    for (let attempt = 1; ; attempt++) {
      let used: RegistryLogin | undefined;
      try {
        await check();
        const found = await login();
        used = found;
        await engineCall(() => this.#pullOnce(reference, found));
        return;
      } catch (error) {
        // Only what the engine does says something of the engine: the login is asked of the control plane.
        const failed = error instanceof Error ? error : new Error(String(error));
        const denied = used !== undefined && refused.test(failed.message);
        if (failed instanceof LoginRefused || failed instanceof ImageRefused)
          throw new PullRefused(failed.message, { cause: failed });
        // A task's own login may be of any registry: what was read there is not told.
        if (denied)
          throw new PullRefused(own ? failed.message : foreignReason(reference, failed.message), { cause: failed });
        if (failed instanceof EngineUnavailable) throw failed;
        // A server that starts again takes longer than a request that goes wrong.
        const most = failed instanceof LoginUnanswered ? attempts * 2 : attempts;
        if (attempt >= most || final.test(failed.message)) {
          if (own || failed instanceof PullStalled || failed instanceof RegistryUnresolved) throw failed;
          throw new Error(foreignReason(reference, failed.message), { cause: failed });
        }
        await clock.sleep(500 * 2 ** attempt);
      }
    }
  }

  async #pullOnce(reference: ImageReference, login: RegistryLogin | undefined): Promise<void> {
    const { docker, clock, inactivity } = this.#options;
    const stream = (await docker.createImage(login ?? {}, {
      fromImage: withoutTag(reference),
      tag: reference.digest ?? effectiveTag(reference),
    })) as NodeJS.ReadableStream & {
      destroy(error?: Error): void;
    };
    let progressed = clock.monotonic();
    const done = new AbortController();
    const watchdog = (async () => {
      while (!done.signal.aborted) {
        await clock.sleep(inactivity / 4, done.signal).catch(() => undefined);
        if (!done.signal.aborted && clock.monotonic() - progressed > inactivity) {
          stream.destroy(new PullStalled(`the pull made no progress for ${inactivity / 1000} s`));
          return;
        }
      }
    })();
    try {
      let rest = '';
      for await (const chunk of stream) {
        progressed = clock.monotonic();
        const lines = (rest + String(chunk)).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) checkProgress(line);
      }
      checkProgress(rest);
    } finally {
      done.abort();
      await watchdog;
    }
  }
}

/** The engine reports a failed pull in the stream of its progress. */
function checkProgress(line: string): void {
  if (line.trim() === '') return;
  const { error } = JSON.parse(line) as { error?: string };
  if (error !== undefined) throw new Error(error);
}
