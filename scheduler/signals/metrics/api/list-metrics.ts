import type { Series } from '../store/index.ts';

import { badToken } from './errors.ts';
import { type CloudWatchOperations, mayAny, operation } from './operation.ts';
import { flag, list, metric, required, struct, text, texts } from './shapes.ts';

/** Metrics in a page, and how long ago one may have reported last: two weeks, or three hours where that is asked for (API reference). */
const pageSize = 500;
const twoWeeks = 14 * 24 * 3_600_000;
const threeHours = 3 * 3_600_000;
/** Pages of the store that one answer looks at: a filter that nothing passes must not go over everything at once. */
const mostPages = 20;

export const listOperations: CloudWatchOperations = {
  ListMetrics: operation({
    input: struct('ListMetricsInput', {
      Namespace: text,
      MetricName: text,
      Dimensions: list(struct('DimensionFilter', { Name: required(text), Value: text })),
      NextToken: text,
      RecentlyActive: text,
      IncludeLinkedAccounts: flag,
      OwningAccount: text,
    }),
    output: struct('ListMetricsOutput', { Metrics: list(metric), NextToken: text, OwningAccounts: texts }),
    access: mayAny('ListMetrics'),
    handle: async (input, { api, account }) => {
      const { Namespace, MetricName, Dimensions = [], NextToken, RecentlyActive, OwningAccount } = input;
      // Accounts are not linked to each other here: every one has its own metrics only.
      if (OwningAccount !== undefined && OwningAccount !== account) return { Metrics: [] };
      const page = ['ListMetrics', Namespace, MetricName, JSON.stringify(Dimensions), RecentlyActive];
      let after = await api.pages.start(account, page, { nextToken: NextToken });
      if (NextToken === '') throw badToken();
      const found: Series[] = [];
      const since = api.clock.now() - (RecentlyActive === undefined ? twoWeeks : threeHours);
      for (let looked = 0; looked < mostPages; looked++) {
        const { series, next } = await api.metrics.list(account, {
          namespace: Namespace,
          name: MetricName,
          dimensions: Dimensions.map(({ Name, Value }) => ({ name: Name, value: Value })),
          since,
          after,
          limit: pageSize - found.length,
        });
        found.push(...series);
        after = next;
        if (next === undefined || found.length >= pageSize) break;
      }
      const Metrics = found.map(shown);
      return after === undefined ? { Metrics } : { Metrics, NextToken: await api.pages.token(account, page, after) };
    },
  }),
};

const shown = ({ namespace, name, dimensions }: Series) => ({
  Namespace: namespace,
  MetricName: name,
  Dimensions: dimensions.map((dimension) => ({ Name: dimension.name, Value: dimension.value })),
});
