import type { Batch, Condition, Fence, Json } from './record-store.ts';

/** What every driver accepts; beyond it a call throws a RangeError or TypeError and nothing is written. */
export const limits = {
  /** UTF-8 bytes of a key: those of a key of S3, and what a room puts before it. */
  keyBytes: 1100,
  /** UTF-8 bytes of a partition's name, a topic, or an event's type. */
  nameBytes: 512,
  /** Characters of one value as JSON. */
  valueLength: 8 * 1024 * 1024,
  /** Records written, conditions and events of one commit, each. */
  batchEntries: 10_000,
  pageDefault: 1000,
  pageMax: 10_000,
  /** Characters of values after which a page, or a batch of changes, ends. */
  pageCharacters: 16 * 1024 * 1024,
} as const;

/** A batch checked and turned into strings, ready for any driver. */
export interface EncodedBatch {
  readonly partition: string;
  readonly require: readonly Condition[];
  /** Pairs of key and JSON. */
  readonly put: readonly (readonly [string, string])[];
  readonly remove: readonly string[];
  /** Triples of topic, type and JSON. */
  readonly announce: readonly (readonly [string, string, string])[];
  readonly fence: Fence | undefined;
  readonly lazy: boolean;
  /** Milliseconds since the epoch, by the committing server's clock; events carry it. */
  readonly time: number;
}

/** @throws RangeError or TypeError when the batch breaks a limit or writes a key twice */
export function encodeBatch(partition: string, batch: Batch, time: number): EncodedBatch {
  checkName(partition, 'partition');
  const require = batch.require ?? [];
  const remove = batch.remove ?? [];
  for (const list of [require, remove, batch.put ?? [], batch.announce ?? []]) {
    if (list.length > limits.batchEntries)
      throw new RangeError(`a commit takes at most ${limits.batchEntries} entries`);
  }
  for (const condition of require) {
    if ('prefix' in condition) checkText(condition.prefix, 'prefix', limits.keyBytes);
    else checkKey(condition.key);
  }
  const written = new Set<string>(remove);
  for (const key of remove) checkKey(key);
  const put = (batch.put ?? []).map(({ key, value }) => {
    checkKey(key);
    written.add(key);
    return [key, encodeValue(value)] as const;
  });
  if (written.size !== put.length + remove.length) throw new TypeError('a commit may write a key only once');
  const announce = (batch.announce ?? []).map(({ topic, type, data }) => {
    checkName(topic, 'topic');
    checkName(type, 'event type');
    return [topic, type, encodeValue(data)] as const;
  });
  return { partition, require, put, remove, announce, fence: batch.fence, lazy: batch.lazy ?? false, time };
}

/** A page's size within the limits. */
export function pageLimit(limit: number | undefined): number {
  if (limit === undefined) return limits.pageDefault;
  if (!Number.isInteger(limit) || limit < 1) throw new RangeError(`a page holds at least one record, not ${limit}`);
  return Math.min(limit, limits.pageMax);
}

/** Characters of values after which a page ends, within the limits. */
export function pageCharacters(characters: number | undefined): number {
  if (characters === undefined) return limits.pageCharacters;
  if (!(characters >= 0)) throw new RangeError(`a page cannot end after ${characters} characters`);
  return Math.min(characters, limits.pageCharacters);
}

/**
 * The first string after all strings that start with `prefix`, in the order of UTF-8 bytes (which is that of code points);
 * undefined when there is none.
 */
export function afterPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0)!);
  while (points.length > 0) {
    const last = points.pop()!;
    // Surrogates are no characters: the code point after U+D7FF is U+E000.
    if (last < 0x10ffff) return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}

/** Orders keys as their UTF-8 bytes do, which is the order of code points and not quite that of JavaScript's `<`. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    // A surrogate stands for a code point above all others.
    if (left !== right)
      return (isSurrogate(left) ? left + 0x10000 : left) - (isSurrogate(right) ? right + 0x10000 : right);
  }
  return a.length - b.length;
}

/** The record of a lease whose epoch a fence is checked against; it lies in the partition that the lease guards. */
export function fenceKey(name: string): string {
  return `$lease/${name}/epoch`;
}

export function checkName(name: string, what: string): void {
  if (name === '') throw new RangeError(`a ${what} must not be empty`);
  checkText(name, what, limits.nameBytes);
}

function checkKey(key: string): void {
  if (key === '') throw new RangeError('a key must not be empty');
  checkText(key, 'key', limits.keyBytes);
}

function checkText(text: string, what: string, bytes: number): void {
  if (!text.isWellFormed()) throw new TypeError(`a ${what} must be well-formed Unicode`);
  if (text.length * 3 > bytes && Buffer.byteLength(text) > bytes) {
    throw new RangeError(`a ${what} may have at most ${bytes} bytes, this one has ${Buffer.byteLength(text)}`);
  }
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

function encodeValue(value: Json): string {
  const json = JSON.stringify(value) as string | undefined;
  if (json === undefined) throw new TypeError('a value must be JSON');
  if (json.length > limits.valueLength) {
    throw new RangeError(
      `a value may have at most ${limits.valueLength} characters as JSON, this one has ${json.length}`,
    );
  }
  return json;
}
