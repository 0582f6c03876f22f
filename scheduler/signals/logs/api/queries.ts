import { type AccessList, AwsError } from '@slipway/auth/contract';

import { mostRows, parseQuery } from '../insights/index.ts';
import { type FoundQuery, isUnfinished } from '../queries/index.ts';

import { groupMissing, invalid } from './errors.ts';
import { groupOfIdentifier } from './names.ts';
import { type LogsOperations, mayAny, mayList, mayOn, mayOnAll, operation, type Scene } from './operation.ts';
import { flag, list, number, type Of, required, struct, text, texts } from './shapes.ts';

/** Log groups of one query (API reference, StartQuery). */
const mostGroups = 50;
/** The end of the year 9999, seconds since the epoch. */
const lastSecond = 253_402_300_799;

const asked = {
  queryLanguage: text,
  logGroupName: text,
  logGroupNames: texts,
  logGroupIdentifiers: texts,
  startTime: required(number),
  endTime: required(number),
  queryString: required(text),
  limit: number,
} as const;
const startQuery = struct('StartQueryRequest', asked);
const byId = { queryId: required(text) } as const;

/** Queries: started, looked at and stopped. */
export const queryOperations: LogsOperations = {
  StartQuery: operation({
    input: startQuery,
    output: struct('StartQueryResponse', { queryId: text }),
    access: (input, scene) => mayOnAll('StartQuery', groupsOf(input, scene), scene),
    handle: async (input, scene) => {
      const { api, account, call } = scene;
      const { startTime, endTime, queryString, limit } = input;
      onlyOurs(input.queryLanguage);
      if (
        [input.logGroupName, input.logGroupNames, input.logGroupIdentifiers].filter((one) => one !== undefined).length >
        1
      )
        throw invalid('Only one of logGroupName, logGroupNames and logGroupIdentifiers can be specified.');
      const groups = groupsOf(input, scene);
      if (groups.length === 0 || groups.length > mostGroups)
        throw invalid(
          `A query is over 1 to ${mostGroups} log groups: give logGroupName, logGroupNames or logGroupIdentifiers.`,
        );
      if (Math.max(startTime, endTime) > lastSecond)
        throw invalid('startTime and endTime are seconds since 1970, not milliseconds.');
      if (endTime < startTime) throw invalid('endTime is before startTime.');
      const query = parseQuery(queryString, api.clock.now());
      for (const group of groups) if ((await api.logs.group(account, group)) === undefined) throw groupMissing();
      const request = {
        query: queryString,
        groups,
        start: startTime * 1000,
        // The last instant is part of it.
        end: endTime * 1000 + 1,
        ...(limit === undefined ? {} : { limit }),
        by: call.principal.arn,
      };
      return { queryId: await api.queries.start(account, request, query) };
    },
  }),
  GetQueryResults: operation({
    input: struct('GetQueryResultsRequest', { ...byId, nextToken: text, maxItems: number }),
    output: struct('GetQueryResultsResponse', {
      queryLanguage: text,
      results: list(list(struct('ResultField', { field: text, value: text }))),
      statistics: struct('QueryStatistics', {
        recordsMatched: number,
        recordsScanned: number,
        estimatedRecordsSkipped: number,
        bytesScanned: number,
        estimatedBytesSkipped: number,
        logGroupsScanned: number,
      }),
      status: text,
      encryptionKey: text,
      nextToken: text,
    }),
    access: ofQuery('GetQueryResults'),
    handle: async ({ queryId, nextToken, maxItems }, scene) => {
      const { api, account } = scene;
      const found = await queryOf(scene, queryId);
      const name = ['GetQueryResults', queryId];
      const from = Number((await api.pages.start(account, name, { nextToken })) ?? 0);
      const count = maxItems === undefined || maxItems === 0 ? mostRows : maxItems;
      const rows = await api.queries.rows(found, from, count);
      const all = (found.pages ?? []).reduce((sum, page) => sum + page.rows, 0);
      const { matched, scanned, bytes, groups } = found.statistics;
      return {
        queryLanguage: 'CWLI',
        results: rows.map((row) => row.map(([field, value]) => ({ field, value }))),
        statistics: {
          recordsMatched: matched,
          recordsScanned: scanned,
          estimatedRecordsSkipped: 0,
          bytesScanned: bytes,
          estimatedBytesSkipped: 0,
          logGroupsScanned: groups,
        },
        status: found.status,
        ...(from + rows.length < all
          ? { nextToken: await api.pages.token(account, name, String(from + rows.length)) }
          : {}),
      };
    },
  }),
  StopQuery: operation({
    input: struct('StopQueryRequest', byId),
    output: struct('StopQueryResponse', { success: flag }),
    access: ofQuery('StopQuery'),
    handle: async ({ queryId }, { api, account }) => {
      const stopped = await api.queries.stop(account, queryId);
      if (stopped === undefined) throw queryMissing();
      if (!stopped) throw invalid('The query is not running any more: GetQueryResults has what it found.');
      return { success: true };
    },
  }),
  ListLogGroupsForQuery: operation({
    input: struct('ListLogGroupsForQueryRequest', { ...byId, nextToken: text, maxResults: number }),
    output: struct('ListLogGroupsForQueryResponse', { logGroupIdentifiers: texts, nextToken: text }),
    access: ofQuery('ListLogGroupsForQuery'),
    // A query has no more groups than the shortest page.
    handle: async ({ queryId }, scene) => ({ logGroupIdentifiers: (await queryOf(scene, queryId)).groups }),
  }),
  DescribeQueries: operation({
    input: struct('DescribeQueriesRequest', {
      logGroupName: text,
      status: text,
      maxResults: number,
      nextToken: text,
      queryLanguage: text,
    }),
    output: struct('DescribeQueriesResponse', {
      queries: list(
        struct('QueryInfo', {
          queryLanguage: text,
          queryId: text,
          queryString: text,
          status: text,
          createTime: number,
          logGroupName: text,
          queryDuration: number,
          bytesScanned: number,
          userIdentity: text,
        }),
      ),
      nextToken: text,
    }),
    access: (input, scene) =>
      input.logGroupName === undefined
        ? mayList('DescribeQueries')(input, scene)
        : mayOn('DescribeQueries', () => ({ group: input.logGroupName ?? '' }))(input, scene),
    handle: async ({ logGroupName, status, maxResults, nextToken, queryLanguage }, { api, account }) => {
      const name = ['DescribeQueries', logGroupName, status, queryLanguage];
      const request = { maxResults, nextToken };
      const start = await api.pages.start(account, name, request);
      const all = (await api.queries.list(account)).filter(
        (query) =>
          (logGroupName === undefined || query.groups.includes(logGroupName)) &&
          (status ?? query.status) === query.status &&
          (queryLanguage ?? 'CWLI') === 'CWLI',
      );
      // The newest first: keys that grow as times go back.
      const rows = all.map((value) => ({
        key: `${String(1e14 - value.createdAt).padStart(15, '0')} ${value.id}`,
        value,
      }));
      const page = await api.pages.page(
        account,
        name,
        request,
        rows.filter(({ key }) => start === undefined || key > start),
        described,
        { usual: 1000, most: 1000 },
      );
      return { queries: page.items, ...(page.nextToken === undefined ? {} : { nextToken: page.nextToken }) };
    },
  }),
};

/** The groups of a query by their names, each once: whatever was given is asked for. */
function groupsOf(input: Of<typeof startQuery>, scene: Pick<Scene, 'region' | 'account'>): readonly string[] {
  const { logGroupName, logGroupNames = [], logGroupIdentifiers = [] } = input;
  const named = logGroupIdentifiers.map((one) => groupOfIdentifier(scene, one));
  return [...new Set([...(logGroupName === undefined ? [] : [logGroupName]), ...logGroupNames, ...named])];
}

/** `logs:<action>` on each of the groups that a query is about: an id is no right to what others may read. */
function ofQuery(action: string) {
  return async ({ queryId }: { readonly queryId: string }, scene: Scene): Promise<AccessList> => {
    const found = await scene.api.queries.get(scene.account, queryId);
    return found === undefined ? mayAny(action)() : mayOnAll(action, found.groups, scene);
  };
}

/** @throws ResourceNotFoundException */
async function queryOf({ api, account }: Scene, id: string): Promise<FoundQuery> {
  const found = await api.queries.get(account, id);
  if (found === undefined) throw queryMissing();
  return found;
}

const queryMissing = (): AwsError =>
  new AwsError(
    'ResourceNotFoundException',
    'The specified query does not exist: queries are remembered for a day, and the newest 200 of an account.',
  );

/** @throws InvalidParameterException for a language of queries that is not AWS's own */
export function onlyOurs(language: string | undefined): void {
  if (language !== undefined && language !== 'CWLI')
    throw invalid(
      `The query language ${language} is not supported by this installation. Use CWLI, which is the default.`,
    );
}

function described(query: FoundQuery) {
  const { id, query: queryString, status, createdAt, groups, endedAt, statistics, by } = query;
  return {
    queryLanguage: 'CWLI',
    queryId: id,
    queryString,
    status,
    createTime: createdAt,
    logGroupName: groups.join(','),
    ...(isUnfinished(query) || endedAt === undefined ? {} : { queryDuration: endedAt - createdAt }),
    bytesScanned: statistics.bytes,
    userIdentity: by,
  };
}
