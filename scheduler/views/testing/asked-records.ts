import type { EventSource, ListOptions, RecordStore } from '@slipway/storage/records';

/** What readers asked of a store: first pages of lists by partition and prefix, and feeds. */
export interface Asked {
  readonly lists: { readonly partition: string; readonly prefix: string }[];
  /** Partitions, once for each time that following began. */
  readonly follows: string[];
  /** Partitions that are being followed now, once for each feed. */
  readonly following: string[];
}

/** The same store, noting what is asked of it; `loseEvents` makes every feed say that it has a gap. */
export function askedRecords(truth: RecordStore & EventSource): {
  readonly records: RecordStore & EventSource;
  readonly asked: Asked;
  readonly loseEvents: () => void;
} {
  const asked: Asked = { lists: [], follows: [], following: [] };
  let lost = Promise.withResolvers<'lost'>();
  const records: RecordStore & EventSource = {
    get: (...given) => truth.get(...given),
    getMany: (...given) => truth.getMany(...given),
    count: (...given) => truth.count(...given),
    commit: (...given) => truth.commit(...given),
    version: (...given) => truth.version(...given),
    partitions: (...given) => truth.partitions(...given),
    close: () => truth.close(),
    announced: (...given) => truth.announced(...given),
    streams: (...given) => truth.streams(...given),
    list: <T>(partition: string, options: ListOptions = {}) => {
      if (options.after === undefined) asked.lists.push({ partition, prefix: options.prefix ?? '' });
      return truth.list<T>(partition, options);
    },
    async *follow(partition, options) {
      asked.follows.push(partition);
      asked.following.push(partition);
      const feed = truth.follow(partition, options)[Symbol.asyncIterator]();
      try {
        for (;;) {
          const next = await Promise.race([feed.next(), lost.promise]);
          if (next === 'lost') yield [{ kind: 'reset', version: 0 }];
          else if (next.done === true) return;
          else yield next.value;
        }
      } finally {
        asked.following.splice(asked.following.indexOf(partition), 1);
      }
    },
  };
  const loseEvents = (): void => {
    lost.resolve('lost');
    lost = Promise.withResolvers();
  };
  return { records, asked, loseEvents };
}
