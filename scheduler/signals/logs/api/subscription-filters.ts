import { pageSize } from '@slipway/auth/kit';
import { OutboundError, webhookOf } from '@slipway/auth/outbound';

import { parsePattern } from '../patterns/index.ts';
import type { Subscription } from '../subscriptions/index.ts';

import { groupMissing, invalid } from './errors.ts';
import { type LogsOperations, mayOn, operation, type Scene } from './operation.ts';
import { byGroup, flag, list, nextPage, nothing, number, refused, required, struct, text, texts } from './shapes.ts';
import { sizes } from './streams.ts';

const asWritten = 'Lines are kept as they are written. Leave it out.';
const instead =
  'Name a webhook: arn:aws:slipway:<region>:<account>:webhook/https://… It may run your function, or write to your queue.';

/** What AWS lets a filter name, and what is said of it here. */
const refusals: readonly (readonly [RegExp, string])[] = [
  [/^arn:[^:]*:lambda:/, 'Lambda functions do not exist here.'],
  [/^arn:[^:]*:kinesis:/, 'Kinesis streams do not exist here.'],
  [/^arn:[^:]*:firehose:/, 'Firehose streams do not exist here.'],
  [/^arn:[^:]*:logs:/, 'Destinations of other accounts do not exist here.'],
];

const filterShape = struct('SubscriptionFilter', {
  filterName: text,
  logGroupName: text,
  filterPattern: text,
  destinationArn: text,
  distribution: text,
  creationTime: number,
});

/** Filters that tell webhooks what comes into a group. */
export const subscriptionOperations: LogsOperations = {
  PutSubscriptionFilter: operation({
    input: struct('PutSubscriptionFilterRequest', {
      ...byGroup,
      filterName: required(text),
      filterPattern: required(text),
      destinationArn: required(text),
      roleArn: refused(text, 'A webhook is called without a role: its calls are signed. Leave it out.'),
      distribution: text,
      applyOnTransformedLogs: refused(flag, asWritten),
      fieldSelectionCriteria: refused(text, 'Subscription filters have no system fields. Leave it out.'),
      emitSystemFields: refused(texts, 'Subscription filters have no system fields. Leave it out.'),
    }),
    output: nothing,
    access: mayOn('PutSubscriptionFilter', ({ logGroupName }) => ({ group: logGroupName })),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const { logGroupName: group, filterName, filterPattern: pattern, destinationArn: destination } = input;
      parsePattern(pattern);
      const url = checked(scene, destination);
      if ((await api.logs.group(account, group)) === undefined) throw groupMissing();
      const failure = await api.tell(account, { group, filter: filterName }, url);
      if (failure !== undefined)
        throw invalid(
          `Could not deliver test message to specified destination. Check if the destination is valid. ${failure}`,
        );
      await api.subscriptions.put(account, filterName, {
        group,
        pattern,
        destination,
        distribution: input.distribution === 'Random' ? 'Random' : 'ByLogStream',
        createdAt: api.clock.now(),
      });
      return {};
    },
  }),
  DescribeSubscriptionFilters: operation({
    input: struct('DescribeSubscriptionFiltersRequest', { ...byGroup, filterNamePrefix: text, ...nextPage }),
    output: struct('DescribeSubscriptionFiltersResponse', { subscriptionFilters: list(filterShape), nextToken: text }),
    access: mayOn('DescribeSubscriptionFilters', ({ logGroupName }) => ({ group: logGroupName })),
    handle: async (input, { api, account }) => {
      const { logGroupName, filterNamePrefix: prefix = '' } = input;
      const group = await api.logs.group(account, logGroupName);
      if (group === undefined) throw groupMissing();
      const name = ['DescribeSubscriptionFilters', logGroupName, prefix];
      const request = { nextToken: input.nextToken, maxResults: input.limit };
      pageSize(sizes, request);
      const start = await api.pages.start(account, name, request);
      const found = (await api.subscriptions.of(account, group)).filter(
        (one) => one.name.startsWith(prefix) && (start === undefined || one.name > start),
      );
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        found.map((value) => ({ key: value.name, value })),
        described,
      );
      return { subscriptionFilters: items, ...(nextToken === undefined ? {} : { nextToken }) };
    },
  }),
  DeleteSubscriptionFilter: operation({
    input: struct('DeleteSubscriptionFilterRequest', { ...byGroup, filterName: required(text) }),
    output: nothing,
    access: mayOn('DeleteSubscriptionFilter', ({ logGroupName }) => ({ group: logGroupName })),
    handle: async ({ logGroupName, filterName }, { api, account }) => {
      await api.subscriptions.remove(account, logGroupName, filterName);
      return {};
    },
  }),
};

/** The address of a destination. @throws InvalidParameterException, which says what may be named */
function checked({ api }: Scene, destination: string): string {
  const url = webhookOf(destination);
  if (url === undefined) {
    const why =
      refusals.find(([beginning]) => beginning.test(destination))?.[1] ?? 'It is nothing that can be told events.';
    throw invalid(`Invalid destinationArn '${destination.slice(0, 200)}'. ${why} ${instead}`);
  }
  try {
    api.outbound.check(url);
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    throw invalid(`Invalid destinationArn '${destination.slice(0, 200)}'. ${error.message}`);
  }
  return url;
}

const described = ({ name, group, pattern, destination, distribution, createdAt }: Subscription) => ({
  filterName: name,
  logGroupName: group,
  filterPattern: pattern,
  destinationArn: destination,
  distribution,
  creationTime: createdAt,
});
