import { parsePattern } from '../patterns/index.ts';

import { type LogsOperations, mayAny, operation } from './operation.ts';
import { list, map, number, required, struct, text, texts } from './shapes.ts';

/** Tries a filter pattern on some lines. */
export const filterOperations: LogsOperations = {
  TestMetricFilter: operation({
    input: struct('TestMetricFilterRequest', { filterPattern: required(text), logEventMessages: required(texts) }),
    output: struct('TestMetricFilterResponse', {
      matches: list(
        struct('MetricFilterMatchRecord', { eventNumber: number, eventMessage: text, extractedValues: map(text) }),
      ),
    }),
    access: mayAny('TestMetricFilter'),
    handle: ({ filterPattern, logEventMessages }) => {
      const { matches, extract } = parsePattern(filterPattern);
      return {
        matches: logEventMessages.flatMap((eventMessage, index) =>
          matches(eventMessage)
            ? [{ eventNumber: index + 1, eventMessage, extractedValues: extract(eventMessage) }]
            : [],
        ),
      };
    },
  }),
};
