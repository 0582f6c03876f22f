import { Readable } from 'node:stream';
import {
  type AccessList,
  type Authorizer,
  type Call,
  GatewayError,
  renderPlainError,
  type WebRoute,
  type WebService,
} from '@slipway/auth/contract';
import { waitAtMost } from '@slipway/storage/clock';

import { type ClusterRef, type EcsPorts, findCluster } from '../cluster/index.ts';
import { clusterResource } from './access.ts';
import { ChangeFeeds, type FeedPorts } from './change-feeds.ts';

type Caller = NonNullable<WebRoute['caller']>;

interface ChangeStreamPorts extends FeedPorts {
  readonly records: EcsPorts['records'];
  readonly region: string;
  readonly authorizer: Authorizer;
  /** Who asks: whoever has signed in with a browser. Asked again while a stream lasts. */
  readonly caller: Caller;
}

const path = '/console/changes';
/** Clusters that one stream is about. */
const mostClusters = 10;
/** Streams of one principal, and of everybody, in one process. */
export const mostStreams = { each: 8, all: 256 };
/** Milliseconds between looks at whether the session lasts and the right holds; each time, the client hears that it is not forgotten. */
const checkEvery = 5000;
/** Milliseconds between two messages: a cluster that changes all the time is told of no more often. */
const pace = 1000;

/** A stream that was let in. */
interface Opened {
  readonly ctx: Parameters<Caller>[0];
  readonly call: Call;
  readonly clusters: readonly string[];
  /** Aborts when it is to end: the client is gone, or the server closes. */
  readonly over: AbortSignal;
  /** Makes room again. Harmless when it is called twice. */
  readonly leave: () => void;
}

/**
 * `GET /console/changes?cluster=…`: server-sent events that say which of up to ten clusters changed, not how: pages then ask for what they show
 * as always. For whoever may describe those clusters (`ecs:DescribeClusters`), which is asked again every five seconds, as is the session: a
 * stream ends soon after either. What waits to be sent is a set of names, however slowly a client reads.
 */
export class ChangeStreams {
  readonly #ports: ChangeStreamPorts;
  readonly #feeds: ChangeFeeds;
  /** What ends each stream. */
  readonly #open = new Set<AbortController>();
  /** How many there are, by the principal's id. */
  readonly #counts = new Map<string, number>();
  #closed = false;

  constructor(ports: ChangeStreamPorts) {
    this.#ports = ports;
    this.#feeds = new ChangeFeeds(ports);
  }

  /** How many streams are open in this process. */
  get open(): number {
    return this.#open.size;
  }

  get web(): WebService {
    return {
      name: 'changes',
      prefix: path,
      authentication: 'none',
      ownNamesOnly: true,
      samples: [{ method: 'GET', path }],
      route: (method, asked, query) => (method === 'GET' && asked === path ? this.#route(query) : undefined),
      renderError: (ctx, error) => {
        ctx.set('Cache-Control', 'no-store');
        renderPlainError(ctx, error);
      },
    };
  }

  /** Ends all streams; clients ask elsewhere. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const over of this.#open) over.abort();
    await this.#feeds.close();
  }

  #route(query: URLSearchParams): WebRoute {
    const clusters = [...new Set(query.getAll('cluster').slice(0, mostClusters + 1))];
    return {
      name: 'GET changes',
      caller: this.#ports.caller,
      access: (call) => this.#access(call, clusters),
      handle: async (ctx, call) => {
        await this.#mustBeThere(call, clusters);
        const { over, leave } = this.#enter(call);
        ctx.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' });
        ctx.body = Readable.from(this.#frames({ ctx, call, clusters, over, leave }), {
          objectMode: false,
          highWaterMark: 1,
        });
      },
    };
  }

  async #access(call: Call, clusters: readonly string[]): Promise<AccessList> {
    if (clusters.length === 0 || clusters.length > mostClusters || !clusters.every((one) => /^[\w-]{1,255}$/.test(one)))
      throw new GatewayError('bad-request', `name one to ${mostClusters} clusters, as cluster=default`);
    const refs = clusters.map((cluster): ClusterRef => ({ account: call.account, cluster }));
    const resources = await Promise.all(refs.map((ref) => clusterResource(this.#ports, ref)));
    return [{ action: 'ecs:DescribeClusters', resources }];
  }

  /**
   * Names are whatever a caller likes, and some stores remember each that was ever followed: only those of clusters are. Asked once it is
   * known that the caller may describe them.
   * @throws GatewayError `not-found`
   */
  async #mustBeThere({ account }: Call, clusters: readonly string[]): Promise<void> {
    for (const cluster of clusters)
      if ((await findCluster(this.#ports, { account, cluster })) === undefined)
        throw new GatewayError('not-found', `there is no cluster ${cluster}`);
  }

  /** @throws GatewayError `throttled` */
  #enter({ principal: { id }, signal }: Call): Pick<Opened, 'over' | 'leave'> {
    if (this.#closed) throw new GatewayError('unavailable', 'the server ends; ask again', 1);
    const own = this.#counts.get(id) ?? 0;
    if (own >= mostStreams.each || this.#open.size >= mostStreams.all)
      throw new GatewayError('throttled', 'there are too many streams of changes; ask again and again instead', 60);
    const over = new AbortController();
    this.#counts.set(id, own + 1);
    this.#open.add(over);
    const leave = (): void => {
      signal.removeEventListener('abort', leave);
      if (!this.#open.delete(over)) return;
      over.abort();
      const others = (this.#counts.get(id) ?? 1) - 1;
      if (others === 0) this.#counts.delete(id);
      else this.#counts.set(id, others);
    };
    // Who goes before anything was read never lets the frames begin, or end.
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    return { over: over.signal, leave };
  }

  async *#frames(opened: Opened): AsyncGenerator<string> {
    const { call, clusters, over, leave } = opened;
    const { clock } = this.#ports;
    const changed = new Set<string>();
    let wake: (() => void) | undefined;
    const deafs = clusters.map((cluster) =>
      this.#feeds.listen({ account: call.account, cluster }, () => {
        changed.add(cluster);
        wake?.();
      }),
    );
    try {
      // A comment: the head leaves at once, and the client knows that it is heard.
      yield ':\n\n';
      for (let check = clock.monotonic() + checkEvery; ;) {
        const listen = (ring: () => void): (() => void) => {
          wake = ring;
          return () => (wake = undefined);
        };
        if (changed.size === 0) await waitAtMost(Math.max(0, check - clock.monotonic()), listen, clock, over);
        if (over.aborted) return;
        if (clock.monotonic() >= check) {
          if (!(await this.#mayStill(opened))) return;
          check = clock.monotonic() + checkEvery;
          yield ':\n\n';
          // A client that was slow to take it may have lost its right meanwhile.
          continue;
        }
        if (changed.size === 0) continue;
        const told = [...changed].map((cluster) => `data: ${cluster}\n\n`).join('');
        changed.clear();
        yield told;
        await clock.sleep(pace, over).catch(() => undefined);
      }
    } finally {
      for (const deaf of deafs) deaf();
      leave();
    }
  }

  /** Whether the session lasts, is the same one's, and what the stream needs is allowed still. Whoever cannot be asked says no. */
  async #mayStill({ ctx, call, clusters }: Opened): Promise<boolean> {
    const { caller, authorizer, clock } = this.#ports;
    try {
      const { principal } = await caller(ctx, () => Promise.resolve(Buffer.alloc(0)), call);
      if (principal.id !== call.principal.id) return false;
      const now: Call = { ...call, principal, time: new Date(clock.now()), signal: call.signal };
      for (const access of await this.#access(now, clusters))
        if (!(await authorizer.authorize(principal, access, now)).allowed) return false;
      return true;
    } catch {
      return false;
    }
  }
}
