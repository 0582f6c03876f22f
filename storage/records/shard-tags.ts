import { hash } from 'node:crypto';

import { shardCount } from './redis-library.ts';
import { Remembered } from './remembered.ts';

/** Partitions whose tag is remembered: the names of most come with requests, also of those that nobody ever made. */
const remembered = 10_000;

/** The hash tags that begin the keys of each shard, in which a partition lies as a whole; in a cluster they decide the slot. */
export class ShardTags {
  readonly #prefix: string;
  readonly #known = new Remembered<string>(remembered);

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** How many partitions' tags are remembered. */
  get known(): number {
    return this.#known.size;
  }

  /** @param shard from 0, below the number of shards */
  ofShard(shard: number): string {
    return `${this.#prefix}:{${this.#prefix}-${shard}}`;
  }

  /** The first byte of a hash spreads partitions evenly. */
  of(partition: string): string {
    let tag = this.#known.get(partition);
    if (tag === undefined) {
      tag = this.ofShard(hash('sha1', partition, 'buffer')[0]! % shardCount);
      this.#known.set(partition, tag);
    }
    return tag;
  }
}
