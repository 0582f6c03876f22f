import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '@slipway/storage/clock';
import type { Audited } from '../audit/index.ts';
import type { Principal } from '../contract/index.ts';
import type { Exchange, Judged } from './exchange.ts';

/** How long an answer may be given again, whatever else: parts of it may be remembered elsewhere for about as long. Milliseconds. */
const longest = 1000;
/** Answers that are kept at once, and the characters of the longest request that is. */
const mostAnswers = 1000;
const longestRequest = 8192;

/** A whole answer, who it is for and why it may be given, as the log of it needs it. */
export interface Repeatable {
  readonly principal: Principal;
  readonly via: Exchange['via'];
  readonly operation: string;
  readonly judged: Judged[];
  readonly status: number;
  /** Names and values in turn, without the request's id. */
  readonly headers: readonly string[];
  readonly body: string | Buffer | undefined;
  /** What else happens with every such answer. */
  readonly also: (() => void) | undefined;
  /** What audit lines say of it, once one was written. */
  audited?: Audited;
}

/** What a connection asked for when it last got an answer again, and under which name that is kept. */
interface Asked {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly rawHeaders: readonly string[];
  readonly sourceIp: string;
  readonly name: string;
}

/**
 * Answers to reads that are asked for again and again, such as a tag that a fleet looks at: the very same request (method,
 * target, every header, address) gets the same answer while nothing at all was committed to the record store, where identities,
 * policies and images are; for at most a second, and not past the end of its credentials. So neither who calls, what it may do
 * nor what is there has to be found out anew. Rates, audit lines and metrics are of each request, as ever.
 */
export class Repeats {
  readonly #stamp: () => number;
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  readonly #answers = new Map<string, Repeatable & { readonly until: number }>();
  /** Most connections ask for the same thing all the time. */
  readonly #asked = new WeakMap<Socket, Asked>();
  #current = -1;

  /** @param stamp the record store's */
  constructor(stamp: () => number, clock: Pick<Clock, 'now' | 'monotonic'>) {
    this.#stamp = stamp;
    this.#clock = clock;
  }

  /** What was answered to the very same request, when it still holds; else how to remember what will be. */
  find({ request, sourceIp, startedAt: now }: Exchange): Repeatable | Remember | undefined {
    const before = this.#asked.get(request.socket);
    const asked = before !== undefined && isSame(before, request, sourceIp) ? before : undefined;
    const name = asked?.name ?? nameOf(request, sourceIp);
    if (name.length > longestRequest) return undefined;
    // Before anything is read for the answer: a commit that comes meanwhile ends it at once.
    const stamp = this.#stamp();
    if (stamp !== this.#current) {
      this.#answers.clear();
      this.#current = stamp;
    }
    const known = this.#answers.get(name);
    if (known !== undefined && known.until > now) {
      if (asked === undefined) {
        const { method, url, rawHeaders } = request;
        this.#asked.set(request.socket, { method, url, rawHeaders, sourceIp, name });
      }
      return known;
    }
    return (answer, ends) => {
      const lifetime = Math.min(longest, (ends ?? Infinity) - this.#clock.now());
      if (stamp !== this.#current || lifetime <= 0) return;
      if (this.#answers.size >= mostAnswers) this.#answers.clear();
      this.#answers.set(name, { ...answer, until: now + lifetime });
    };
  }
}

/** Keeps an answer. @param ends when the caller's credentials do, milliseconds since the epoch */
export type Remember = (answer: Repeatable, ends: number | undefined) => void;

function isSame(asked: Asked, { method, url, rawHeaders }: IncomingMessage, sourceIp: string): boolean {
  if (asked.method !== method || asked.url !== url || asked.sourceIp !== sourceIp) return false;
  if (asked.rawHeaders.length !== rawHeaders.length) return false;
  for (let i = 0; i < rawHeaders.length; i++) if (asked.rawHeaders[i] !== rawHeaders[i]) return false;
  return true;
}

/** Lengths keep the parts apart, whatever characters are in them. */
function nameOf({ method, url, rawHeaders }: IncomingMessage, sourceIp: string): string {
  let name = `${sourceIp} ${method} ${url}`;
  for (const part of rawHeaders) name += `\n${part.length} ${part}`;
  return name;
}

/** In every answer: what people store here is never taken for another type than it is said to be, such as a page or a script. */
export const noSniffing = ['X-Content-Type-Options', 'nosniff'] as const;

/** Head and body leave in one piece: node takes a head that is a list as it is, and a text along with it. */
export function send(
  response: ServerResponse,
  requestId: string,
  { status, headers, body }: Pick<Repeatable, 'status' | 'headers' | 'body'>,
): void {
  response.writeHead(status, [...headers, ...noSniffing, 'x-amzn-requestid', requestId]);
  if (body === undefined) response.end();
  else response.end(body, 'latin1');
}

/** Short bytes as a text where each character is one byte. */
export function oneByteText(bytes: Buffer): string | Buffer {
  if (bytes.length > 65_536) return bytes;
  let text = texts.get(bytes);
  if (text === undefined) texts.set(bytes, (text = bytes.toString('latin1')));
  return text;
}

const texts = new WeakMap<Buffer, string>();
