import { createHash } from 'node:crypto';

import { newEventId } from '../../../state/index.ts';
import { parseQuery, QueryError } from '../insights/index.ts';
import { DefinitionMissing, sortKey } from '../queries/index.ts';

import { invalid } from './errors.ts';
import { type LogsOperations, mayAny, operation } from './operation.ts';
import { onlyOurs } from './queries.ts';
import { flag, list, number, refused, required, struct, text, texts } from './shapes.ts';

const parameter = struct('QueryParameter', { name: required(text), defaultValue: text, description: text });

/** Queries that are kept under names, as the console has them. */
export const queryDefinitionOperations: LogsOperations = {
  PutQueryDefinition: operation({
    input: struct('PutQueryDefinitionRequest', {
      queryLanguage: text,
      name: required(text),
      queryDefinitionId: text,
      logGroupNames: texts,
      queryString: required(text),
      clientToken: text,
      parameters: refused(
        list(parameter),
        'Queries have no parameters. Leave it out, and write the values into the query.',
      ),
    }),
    output: struct('PutQueryDefinitionResponse', { queryDefinitionId: text }),
    access: mayAny('PutQueryDefinition'),
    handle: async (input, { api, account }) => {
      const { name, queryDefinitionId, logGroupNames: groups = [], queryString: query, clientToken } = input;
      onlyOurs(input.queryLanguage);
      try {
        parseQuery(query, api.clock.now());
      } catch (error) {
        throw error instanceof QueryError ? invalid(error.message) : error;
      }
      if (queryDefinitionId !== undefined && !isDefinitionId(queryDefinitionId))
        throw new DefinitionMissing('The specified query definition does not exist.');
      const id = queryDefinitionId ?? (clientToken === undefined ? newEventId(api.random) : idOfToken(clientToken));
      const definition = { name, query, groups, modifiedAt: api.clock.now() };
      await api.definitions.put(account, id, definition, queryDefinitionId !== undefined);
      return { queryDefinitionId: id };
    },
  }),
  DescribeQueryDefinitions: operation({
    input: struct('DescribeQueryDefinitionsRequest', {
      queryLanguage: text,
      queryDefinitionNamePrefix: text,
      maxResults: number,
      nextToken: text,
    }),
    output: struct('DescribeQueryDefinitionsResponse', {
      queryDefinitions: list(
        struct('QueryDefinition', {
          queryLanguage: text,
          queryDefinitionId: text,
          name: text,
          queryString: text,
          lastModified: number,
          logGroupNames: texts,
        }),
      ),
      nextToken: text,
    }),
    access: mayAny('DescribeQueryDefinitions'),
    handle: async (
      { queryLanguage, queryDefinitionNamePrefix: prefix = '', maxResults, nextToken },
      { api, account },
    ) => {
      const name = ['DescribeQueryDefinitions', prefix, queryLanguage];
      const request = { maxResults, nextToken };
      const start = await api.pages.start(account, name, request);
      const rows = (await api.definitions.list(account))
        .filter((one) => one.name.startsWith(prefix) && (queryLanguage ?? 'CWLI') === 'CWLI')
        .map((value) => ({ key: sortKey(value), value }))
        .filter(({ key }) => start === undefined || key > start);
      const page = await api.pages.page(
        account,
        name,
        request,
        rows,
        ({ id, name: of, query, groups, modifiedAt }) => ({
          queryLanguage: 'CWLI',
          queryDefinitionId: id,
          name: of,
          queryString: query,
          lastModified: modifiedAt,
          logGroupNames: groups,
        }),
        { usual: 1000, most: 1000 },
      );
      return { queryDefinitions: page.items, ...(page.nextToken === undefined ? {} : { nextToken: page.nextToken }) };
    },
  }),
  DeleteQueryDefinition: operation({
    input: struct('DeleteQueryDefinitionRequest', { queryDefinitionId: required(text) }),
    output: struct('DeleteQueryDefinitionResponse', { success: flag }),
    access: mayAny('DeleteQueryDefinition'),
    handle: async ({ queryDefinitionId }, { api, account }) => {
      if (!isDefinitionId(queryDefinitionId))
        throw new DefinitionMissing('The specified query definition does not exist.');
      await api.definitions.remove(account, queryDefinitionId);
      return { success: true };
    },
  }),
};

const isDefinitionId = (id: string): boolean => /^[0-9a-f-]{36}$/.test(id);

/** The same for every request with the token, so that one that is sent again makes nothing new. */
function idOfToken(token: string): string {
  const hex = createHash('sha256').update(token).digest('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join('-');
}
