/** What containers of an image do; times in milliseconds. */
export interface Behaviour {
  /** How long the engine pulls it. */
  readonly pull: number;
  /** How long it takes from start to running. */
  readonly start: number;
  /** Why it cannot be pulled or started. */
  readonly fails?: 'pull' | 'create' | 'start';
  /** Ends by itself this long after it started. */
  readonly ends?: { readonly after: number; readonly code: number; readonly outOfMemory?: boolean };
  /** When its health check answers well; `never` answers badly. Only where the definition has a check. */
  readonly healthy: number | 'never';
  /** How long it takes from SIGTERM to its end; longer than the stop timeout means SIGKILL. */
  readonly stop: number;
}

/** An image that runs well. */
export const good: Behaviour = { pull: 800, start: 100, healthy: 3_000, stop: 200 };

/** What only waits until it is stopped. */
export const waits: Behaviour = { pull: 0, start: 20, healthy: 0, stop: 10 };

/** The installation's registry as the scheduler and the engines see it: tags that move, and what each image does. */
export class SimulatedImages {
  /** The host in image references. */
  readonly host = '127.0.0.1:7500';
  readonly account: string;
  readonly #tags = new Map<string, string>();
  readonly #behaviours = new Map<string, Behaviour>();
  #made = 0;

  constructor(account: string) {
    this.account = account;
  }

  /** Makes an image that nothing names yet. @returns its digest */
  build(behaviour: Behaviour): string {
    this.#made += 1;
    const digest = `sha256:${this.#made.toString(16).padStart(64, '0')}`;
    this.#behaviours.set(digest, behaviour);
    return digest;
  }

  /** What an image needs is gone: from now on its containers end before they are healthy. */
  break(digest: string): void {
    const { healthy, ...before } = this.#behaviours.get(digest) ?? good;
    this.#behaviours.set(digest, { ...before, healthy, ends: { after: 300, code: 1 } });
  }

  tag(repository: string, tag: string, digest: string): void {
    this.#tags.set(`${repository}:${tag}`, digest);
  }

  digestOf(repository: string, tag: string): string | undefined {
    return this.#tags.get(`${repository}:${tag}`);
  }

  behaviour(digest: string): Behaviour | undefined {
    return this.#behaviours.get(digest);
  }

  /** What an engine gets for a reference; undefined when there is no such image. */
  resolve(reference: string): string | undefined {
    const [name = '', digest] = reference.split('@');
    if (!name.startsWith(`${this.host}/`)) return undefined;
    if (digest !== undefined) return this.#behaviours.has(digest) ? digest : undefined;
    const path = name.slice(this.host.length + 1);
    return this.#tags.get(path.includes(':') ? path : `${path}:latest`);
  }
}
