import { proofHeader, sessionHeaders, sessionIsOver } from './session.ts';

/** A stream is about so many clusters at most; who wants more asks again and again. */
const mostClusters = 10;
/** Milliseconds in which what is wanted settles: a page that goes wants nothing any more, and the next one not yet. */
const settling = 500;
/** A stream that says nothing for this long is taken for broken; the server says something every five seconds. Milliseconds. */
const patience = 30_000;
/** Until the next try; more each time, and long where the server says that it will not. Milliseconds. */
const [again, notSoon] = [5000, 300_000];
/** A line of a stream is a name; what is longer is none. */
const longestLine = 1024;

interface Ear {
  readonly clusters: readonly string[];
  readonly hear: () => void;
}

interface Stream {
  readonly key: string;
  readonly controller: AbortController;
  isLive: boolean;
}

/**
 * Which clusters changed, as the server tells it: one stream for all that a page shows, and only while somebody looks, since browsers open
 * few connections to one server. While there is none (refused, cut, too many), everything is asked again and again as if there were none.
 */
export class Changes {
  readonly #ears = new Set<Ear>();
  #stream: Stream | undefined;
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** What is not tried again before that time. */
  #putOff: { readonly key: string; readonly until: number } | undefined;
  readonly #looked = (): void => this.#settle(0);

  /** Calls back when something of these clusters may have changed, until the returned function is called. */
  listen(clusters: readonly string[], hear: () => void): () => void {
    const ear = { clusters, hear };
    if (this.#ears.size === 0) document.addEventListener('visibilitychange', this.#looked);
    this.#ears.add(ear);
    this.#settle(settling);
    return () => {
      this.#ears.delete(ear);
      if (this.#ears.size === 0) document.removeEventListener('visibilitychange', this.#looked);
      this.#settle(settling);
    };
  }

  /** Whether changes of all these clusters are told now, so that there is little to ask for. */
  tells(clusters: readonly string[]): boolean {
    const names = this.#stream?.isLive === true ? this.#stream.key.split(' ') : [];
    return clusters.length > 0 && clusters.every((cluster) => names.includes(cluster));
  }

  /** Has the stream that is wanted, or none, after so many milliseconds. */
  #settle(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const names = [...new Set([...this.#ears].flatMap(({ clusters }) => clusters))].toSorted();
      const key = document.hidden || names.length > mostClusters ? '' : names.join(' ');
      if (key === (this.#stream?.key ?? '')) return;
      this.#stream?.controller.abort();
      this.#stream = undefined;
      if (key === '') return;
      const early = this.#putOff?.key === key ? this.#putOff.until - Date.now() : 0;
      if (early > 0) return this.#settle(early);
      const stream: Stream = { key, controller: new AbortController(), isLive: false };
      this.#stream = stream;
      this.#read(stream).then(
        (wait) => this.#ended(stream, wait),
        () => this.#ended(stream),
      );
    }, wait);
  }

  #ended(stream: Stream, wait = Math.min(notSoon, again * 2 ** this.#failures++)): void {
    if (this.#stream !== stream) return;
    this.#stream = undefined;
    // What the stream would have told now is asked for.
    this.#tell(stream.key.split(' '));
    this.#putOff = { key: stream.key, until: Date.now() + wait };
    this.#settle(wait);
  }

  /** Reads a stream to its end. @returns milliseconds until the next try, where that is known */
  async #read(stream: Stream): Promise<number | undefined> {
    const { key, controller } = stream;
    const headers = sessionHeaders();
    const query = new URLSearchParams(key.split(' ').map((cluster) => ['cluster', cluster]));
    let silence = setTimeout(() => controller.abort(), patience);
    try {
      const answer = await fetch(`/console/changes?${query}`, {
        headers,
        credentials: 'same-origin',
        cache: 'no-store',
        signal: controller.signal,
      });
      if (answer.status === 401) sessionIsOver(headers[proofHeader]);
      if (!answer.ok || answer.body === null) return answer.status >= 500 ? undefined : notSoon;
      let rest = '';
      const decoder = new TextDecoder();
      const reader = answer.body.getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) return undefined;
        clearTimeout(silence);
        silence = setTimeout(() => controller.abort(), patience);
        if (!stream.isLive) {
          stream.isLive = true;
          this.#failures = 0;
          // It tells of what comes from now on; what came since the page asked, nobody has told.
          this.#tell(key.split(' '));
        }
        const lines = (rest + decoder.decode(value, { stream: true })).split('\n');
        rest = (lines.pop() ?? '').slice(0, longestLine);
        this.#tell(lines.flatMap((line) => (line.startsWith('data: ') ? [line.slice('data: '.length)] : [])));
      }
    } finally {
      clearTimeout(silence);
      stream.isLive = false;
      controller.abort();
    }
  }

  #tell(names: readonly string[]): void {
    for (const { clusters, hear } of this.#ears) if (clusters.some((cluster) => names.includes(cluster))) hear();
  }
}

/** The stream of this page. */
export const changes = new Changes();
