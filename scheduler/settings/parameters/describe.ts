import { validation } from './errors.ts';
import { checkFilters, fits } from './filters.ts';
import { described, mayList, operation, type ParametersOperations } from './operation.ts';
import { filters, flag, list, page, refused, required, struct, text, texts, versionMembers } from './shapes.ts';
import { newest } from './store.ts';

/** The list of an account's parameters, without their values. */
export const describeOperations: ParametersOperations = {
  DescribeParameters: operation({
    input: struct('DescribeParametersRequest', {
      Filters: list(struct('ParametersFilter', { Key: required(text), Values: required(texts) })),
      ParameterFilters: filters,
      ...page,
      Shared: refused(flag, 'Nothing is shared with other accounts: leave it out.'),
    }),
    output: struct('DescribeParametersResult', {
      Parameters: list(struct('ParameterMetadata', { ...versionMembers, ARN: text })),
      NextToken: text,
    }),
    access: mayList('DescribeParameters'),
    handle: async (input, { api, account }) => {
      const { Filters: old = [], ParameterFilters: given = [] } = input;
      if (old.length > 0 && given.length > 0)
        throw validation('You can use either Filters or ParameterFilters in a single request.');
      checkFilters(given, ['Name', 'Path', 'Type', 'KeyId', 'Tier', 'DataType', 'Label', 'tag:']);
      // The old kind of filter looks at the beginning of names.
      const all = [...given, ...old.map((one) => (one.Key === 'Name' ? { ...one, Option: 'BeginsWith' } : one))];
      const name = ['DescribeParameters', all];
      const request = { maxResults: input.MaxResults, nextToken: input.NextToken };
      const rows = api.parameters.list(account, { after: await api.pages.start(account, name, request) });
      const { items, nextToken } = await api.pages.page(account, name, request, rows, (found) =>
        fits(found, all)
          ? { ...described(found.name, newest(found)), ARN: api.parameters.arn(account, found.name) }
          : undefined,
      );
      return { Parameters: items, ...(nextToken === undefined ? {} : { NextToken: nextToken }) };
    },
  }),
};
