import { serializationProblem } from './problems.ts';

/** How deep arrays, maps and tags may nest; below what `readInput` takes, and far below the stack's end. */
const MAX_DEPTH = 64;
/** How many values one body may hold. */
const MAX_VALUES = 200_000;

const BREAK = Symbol('break');

/**
 * Reads one CBOR value (RFC 8949): the types that Smithy's protocol uses. Maps become objects without a prototype, bytes
 * `Uint8Array`s over the body, tag 1 a `Date`; null and undefined are both undefined. Every length is compared with the bytes
 * that are left before anything is allocated for it.
 * @throws InputError for what is cut off, trails, nests too deep, holds too much, has a key twice, or is of no such type
 */
export function readCbor(body: Uint8Array): unknown {
  const reader = new Reader(body);
  const value = reader.value(0);
  if (value === BREAK) throw broken('a break outside of anything');
  if (!reader.atEnd) throw broken('bytes follow the value');
  return value;
}

class Reader {
  readonly #body: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  #values = 0;

  constructor(body: Uint8Array) {
    this.#body = body;
    this.#view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  }

  get atEnd(): boolean {
    return this.#at === this.#body.byteLength;
  }

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw broken('the input is nested too deeply');
    if (++this.#values > MAX_VALUES) throw broken('the input holds too many values');
    const first = this.#byte();
    const major = first >> 5;
    const info = first & 0x1f;
    if (info > 27 && info < 31) throw broken('a reserved length');
    if (major === 7) return this.#simple(info);
    if (info === 31) return this.#indefinite(major, depth);
    const argument = this.#argument(info);
    switch (major) {
      case 0:
        return safe(argument);
      case 1:
        return safe(-1n - argument);
      case 2:
        return this.#take(argument);
      case 3:
        return text(this.#take(argument));
      case 4:
        return this.#array(depth, this.#count(argument, 1));
      case 5:
        return this.#map(depth, this.#count(argument, 2));
      default:
        return this.#tagged(argument, depth);
    }
  }

  #indefinite(major: number, depth: number): unknown {
    if (major === 2) return this.#chunks(2);
    if (major === 3) return text(this.#chunks(3));
    if (major === 4) return this.#array(depth, undefined);
    if (major === 5) return this.#map(depth, undefined);
    throw broken('a reserved length');
  }

  /** @param count undefined: until a break */
  #array(depth: number, count: number | undefined): unknown[] {
    const items: unknown[] = [];
    for (let left = count ?? Infinity; left > 0; left--) {
      const item = this.value(depth + 1);
      if (item === BREAK) {
        if (count === undefined) return items;
        throw broken('a break inside of an array of known length');
      }
      items.push(item);
    }
    return items;
  }

  #map(depth: number, count: number | undefined): Record<string, unknown> {
    const entries = Object.create(null) as Record<string, unknown>;
    for (let left = count ?? Infinity; left > 0; left--) {
      const key = this.value(depth + 1);
      if (key === BREAK && count === undefined) return entries;
      if (typeof key !== 'string') throw broken('a key that is not a text');
      if (Object.hasOwn(entries, key)) throw broken('a key is given twice');
      const value = this.value(depth + 1);
      if (value === BREAK) throw broken('a key without a value');
      entries[key] = value;
    }
    return entries;
  }

  /** The pieces of a text or of bytes of unknown length; each is of the same type and of known length. */
  #chunks(major: number): Uint8Array {
    const pieces: Uint8Array[] = [];
    for (;;) {
      const first = this.#byte();
      if (first === 0xff) return pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces);
      if (++this.#values > MAX_VALUES) throw broken('the input holds too many values');
      const info = first & 0x1f;
      if (first >> 5 !== major || info > 27) throw broken('a piece of another type');
      const piece = this.#take(this.#argument(info));
      // A text's pieces are texts themselves: no character is cut in two.
      if (major === 3) text(piece);
      pieces.push(piece);
    }
  }

  /** Tag 1 is a time in seconds since the epoch; Smithy's protocol has no other. */
  #tagged(tag: bigint, depth: number): Date {
    if (tag !== 1n) throw broken(`the tag ${tag} is not supported`);
    const seconds = this.value(depth + 1);
    const date = typeof seconds === 'number' ? new Date(seconds * 1000) : undefined;
    if (date === undefined || Number.isNaN(date.getTime())) throw broken('not a timestamp');
    return date;
  }

  #simple(info: number): unknown {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
      case 23:
        return undefined;
      case 25:
        return this.#fixed(2, (at) => half(this.#view.getUint16(at)));
      case 26:
        return this.#fixed(4, (at) => this.#view.getFloat32(at));
      case 27:
        return this.#fixed(8, (at) => this.#view.getFloat64(at));
      case 31:
        return BREAK;
      default:
        throw broken('a simple value that is not supported');
    }
  }

  #argument(info: number): bigint {
    if (info < 24) return BigInt(info);
    if (info === 24) return BigInt(this.#byte());
    if (info === 25) return BigInt(this.#fixed(2, (at) => this.#view.getUint16(at)));
    if (info === 26) return BigInt(this.#fixed(4, (at) => this.#view.getUint32(at)));
    return this.#fixed(8, (at) => this.#view.getBigUint64(at));
  }

  /** How many items follow; each takes `least` bytes or more, so a number that cannot be true is refused at once. */
  #count(argument: bigint, least: number): number {
    if (argument * BigInt(least) > BigInt(this.#body.byteLength - this.#at)) throw cut();
    return Number(argument);
  }

  #take(length: bigint): Uint8Array {
    if (length > BigInt(this.#body.byteLength - this.#at)) throw cut();
    const from = this.#at;
    this.#at += Number(length);
    return this.#body.subarray(from, this.#at);
  }

  #fixed<T>(size: number, read: (at: number) => T): T {
    const at = this.#at;
    this.#take(BigInt(size));
    return read(at);
  }

  #byte(): number {
    return this.#fixed(1, (at) => this.#body[at] as number);
  }
}

/** A number that holds every digit of a 64-bit one. */
function safe(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw broken('a number is too large');
  return number;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function text(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw broken('a text is not valid UTF-8');
  }
}

/** IEEE 754 half precision (RFC 8949, appendix D). */
function half(bits: number): number {
  const sign = bits >> 15 === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}

const broken = (what: string): Error => serializationProblem('', `the request body is not valid CBOR: ${what}`);
const cut = (): Error => broken('it ends too early');
