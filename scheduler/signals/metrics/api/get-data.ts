import { createHash } from 'node:crypto';

import { checkQueries, evaluateQueries, type QueryResult } from '../queries/index.ts';

import { rangeOf } from './get-statistics.ts';
import { badToken, invalid } from './errors.ts';
import { type CloudWatchOperations, mayAny, operation } from './operation.ts';
import { list, metricDataQuery, number, numbers, required, struct, text, time } from './shapes.ts';

/** Queries of one request, and points of one page (API reference, GetMetricData). */
const mostQueries = 500;
const mostPoints = 100_800;

const messages = list(struct('MessageData', { Code: text, Value: text }));

/** Where a page begins: a result, and a point of it. */
interface Place {
  readonly result: number;
  readonly point: number;
}

export const dataOperations: CloudWatchOperations = {
  GetMetricData: operation({
    input: struct('GetMetricDataInput', {
      MetricDataQueries: required(list(metricDataQuery)),
      StartTime: required(time),
      EndTime: required(time),
      NextToken: text,
      ScanBy: text,
      MaxDatapoints: number,
      LabelOptions: struct('LabelOptions', { Timezone: text }),
    }),
    output: struct('GetMetricDataOutput', {
      MetricDataResults: list(
        struct('MetricDataResult', {
          Id: text,
          Label: text,
          Timestamps: list(time),
          Values: numbers,
          StatusCode: text,
          Messages: messages,
        }),
      ),
      NextToken: text,
      Messages: messages,
    }),
    access: mayAny('GetMetricData'),
    handle: async (input, { api, account }) => {
      const { MetricDataQueries, NextToken, ScanBy = 'TimestampDescending', MaxDatapoints = mostPoints } = input;
      if (MetricDataQueries.length === 0) throw invalid('The parameter MetricDataQueries must not be empty.');
      if (MetricDataQueries.length > mostQueries)
        throw invalid(`The collection MetricDataQueries must not have a size greater than ${mostQueries}.`);
      const queries = checkQueries(MetricDataQueries, account);
      const { from, to } = rangeOf(input);
      const asked = createHash('sha256')
        .update(JSON.stringify([MetricDataQueries, from, to, ScanBy]))
        .digest('hex');
      const page = ['GetMetricData', asked];
      const start = placeOf(await api.pages.start(account, page, { nextToken: NextToken }));
      const results = await evaluateQueries(api.metrics, account, queries, { from, to, now: api.clock.now() });
      const { shown, next } = pageOf(results, start, MaxDatapoints, ScanBy === 'TimestampDescending');
      if (next === undefined) return { MetricDataResults: shown };
      const token = await api.pages.token(account, page, `${next.result} ${next.point}`);
      return { MetricDataResults: shown, NextToken: token };
    },
  }),
};

function placeOf(text: string | undefined): Place {
  if (text === undefined) return { result: 0, point: 0 };
  const [result, point] = text.split(' ').map(Number);
  if (result === undefined || point === undefined) throw badToken();
  return { result, point };
}

/** As many points as a page has: results without one come with those before them. */
function pageOf(results: readonly QueryResult[], start: Place, most: number, descending: boolean) {
  const shown = [];
  let left = most;
  for (let index = start.result; index < results.length; index++) {
    const { id, label, points } = results[index] as QueryResult;
    if (left === 0 && points.size > 0) return { shown, next: { result: index, point: 0 } };
    const all = descending ? [...points].reverse() : [...points];
    const first = index === start.result ? start.point : 0;
    const part = all.slice(first, first + left);
    left -= part.length;
    const isCut = first + part.length < all.length;
    shown.push({
      Id: id,
      Label: label,
      Timestamps: part.map(([at]) => new Date(at)),
      Values: part.map(([, value]) => value),
      StatusCode: isCut ? 'PartialData' : 'Complete',
    });
    if (isCut) return { shown, next: { result: index, point: first + part.length } };
  }
  return { shown, next: undefined };
}
