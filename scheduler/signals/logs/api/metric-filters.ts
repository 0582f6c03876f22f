import { AwsError } from '@slipway/auth/contract';
import { pageSize, type Row } from '@slipway/auth/kit';

import { fieldReader, isMetricValue, type MetricFilter, type MetricTransformation } from '../filters/index.ts';
import { parsePattern } from '../patterns/index.ts';

import type { LogGroup } from '../store/index.ts';
import { groupMissing, invalid } from './errors.ts';
import { type LogsOperations, mayList, mayOn, operation, type Scene } from './operation.ts';
import {
  byGroup,
  flag,
  list,
  map,
  nextPage,
  nothing,
  number,
  type Of,
  refused,
  required,
  struct,
  text,
  texts,
} from './shapes.ts';
import { sizes } from './streams.ts';

/** Dimensions of a metric that is made of fields (API reference, MetricTransformation). */
const mostDimensions = 3;
const asWritten = 'Lines are kept as they are written. Leave it out.';
const noFields = 'Metrics have no system fields. Leave it out.';

const transformation = struct('MetricTransformation', {
  metricName: required(text),
  metricNamespace: required(text),
  metricValue: required(text),
  defaultValue: number,
  dimensions: map(text),
  unit: text,
});

/** Filters that count what comes into a group. */
export const metricFilterOperations: LogsOperations = {
  PutMetricFilter: operation({
    input: struct('PutMetricFilterRequest', {
      ...byGroup,
      filterName: required(text),
      filterPattern: required(text),
      metricTransformations: required(list(transformation)),
      applyOnTransformedLogs: refused(flag, asWritten),
      fieldSelectionCriteria: refused(text, noFields),
      emitSystemFieldDimensions: refused(texts, noFields),
    }),
    output: nothing,
    access: mayOn('PutMetricFilter', ({ logGroupName }) => ({ group: logGroupName })),
    handle: async (input, { api, account }) => {
      const { logGroupName, filterName, filterPattern, metricTransformations } = input;
      const [given] = metricTransformations;
      if (given === undefined) throw invalid('A metric filter has one metric transformation.');
      const filter = {
        pattern: filterPattern,
        transformation: checked(filterPattern, given),
        createdAt: api.clock.now(),
      };
      await api.filters.put(account, logGroupName, filterName, filter, hasExpression);
      return {};
    },
  }),
  DescribeMetricFilters: operation({
    input: struct('DescribeMetricFiltersRequest', {
      logGroupName: text,
      filterNamePrefix: text,
      ...nextPage,
      metricName: text,
      metricNamespace: text,
    }),
    output: struct('DescribeMetricFiltersResponse', {
      metricFilters: list(
        struct('MetricFilter', {
          filterName: text,
          filterPattern: text,
          metricTransformations: list(transformation),
          creationTime: number,
          logGroupName: text,
        }),
      ),
      nextToken: text,
    }),
    access: (input, scene) =>
      input.logGroupName === undefined
        ? mayList('DescribeMetricFilters')(input, scene)
        : mayOn('DescribeMetricFilters', () => ({ group: input.logGroupName ?? '' }))(input, scene),
    handle: async (input, scene) => {
      const { api, account } = scene;
      const { logGroupName, filterNamePrefix: prefix = '', metricName, metricNamespace } = input;
      if ((metricName === undefined) !== (metricNamespace === undefined))
        throw invalid('metricName and metricNamespace must be specified together.');
      const name = ['DescribeMetricFilters', logGroupName, prefix, metricName, metricNamespace];
      const request = { nextToken: input.nextToken, maxResults: input.limit };
      pageSize(sizes, request);
      const { items, nextToken } = await api.pages.page(
        account,
        name,
        request,
        rows(scene, logGroupName, await api.pages.start(account, name, request)),
        (filter) =>
          filter.name.startsWith(prefix) &&
          (metricName ?? filter.transformation.name) === filter.transformation.name &&
          (metricNamespace ?? filter.transformation.namespace) === filter.transformation.namespace
            ? described(filter)
            : undefined,
      );
      return { metricFilters: items, ...(nextToken === undefined ? {} : { nextToken }) };
    },
  }),
  DeleteMetricFilter: operation({
    input: struct('DeleteMetricFilterRequest', { ...byGroup, filterName: required(text) }),
    output: nothing,
    access: mayOn('DeleteMetricFilter', ({ logGroupName }) => ({ group: logGroupName })),
    handle: async ({ logGroupName, filterName }, { api, account }) => {
      await api.filters.remove(account, logGroupName, filterName);
      return {};
    },
  }),
};

/** Whether a pattern has a regular expression: they take longer, and groups may have few. */
const hasExpression = (pattern: string): boolean => /%[^%]+%/.test(pattern);

/** @throws InvalidParameterException, PatternError */
function checked(pattern: string, given: Of<typeof transformation>): MetricTransformation {
  parsePattern(pattern);
  const {
    metricName: name,
    metricNamespace: namespace,
    metricValue: value,
    defaultValue,
    dimensions = {},
    unit,
  } = given;
  if (namespace.startsWith('AWS/')) throw invalid("The metric namespaces that begin with 'AWS/' are AWS's own.");
  if (name === '' || namespace === '') throw invalid('A metric filter needs a metricName and a metricNamespace.');
  if (!value.startsWith('$') && !isMetricValue(value))
    throw invalid(`Invalid metric transformation: '${value}' is neither a number nor a field, which begins with $.`);
  const wanted = Object.entries(dimensions);
  if (wanted.length > mostDimensions) throw invalid(`A metric filter has at most ${mostDimensions} dimensions.`);
  if (wanted.length > 0 && defaultValue !== undefined)
    throw invalid('Invalid metric transformation: dimensions and a default value are mutually exclusive.');
  if (defaultValue !== undefined && !isMetricValue(String(defaultValue)))
    throw invalid('Invalid metric transformation: defaultValue is no number that a metric can have.');
  for (const [dimension] of wanted)
    if (!/^[^:\p{C}][^\p{C}]{0,254}$/u.test(dimension)) throw invalid(`'${dimension}' is no name of a dimension.`);
  for (const field of [...(value.startsWith('$') ? [value] : []), ...wanted.map(([, of]) => of)])
    checkField(pattern, field);
  return {
    namespace,
    name,
    value,
    unit: unit ?? 'None',
    ...(defaultValue === undefined ? {} : { defaultValue }),
    ...(wanted.length === 0 ? {} : { dimensions }),
  };
}

function checkField(pattern: string, field: string): void {
  try {
    fieldReader(pattern, field);
  } catch (error) {
    if (error instanceof AwsError) throw error;
    throw invalid(
      `Invalid metric transformation: '${field}' is no field of the filter pattern. ` +
        'Of a JSON pattern it is $.name, of one with columns $ and the name of a column; patterns of terms have none.',
    );
  }
}

function described({ name, group, pattern, createdAt, transformation: of }: MetricFilter) {
  return {
    filterName: name,
    filterPattern: pattern,
    creationTime: createdAt,
    logGroupName: group,
    metricTransformations: [
      {
        metricName: of.name,
        metricNamespace: of.namespace,
        metricValue: of.value,
        unit: of.unit,
        ...(of.defaultValue === undefined ? {} : { defaultValue: of.defaultValue }),
        ...(of.dimensions === undefined ? {} : { dimensions: of.dimensions }),
      },
    ],
  };
}

/** Filters in the order of their groups and names, read as they are asked for. No name of a group or filter has a NUL. */
async function* rows(
  { api, account }: Scene,
  group: string | undefined,
  start: string | undefined,
): AsyncGenerator<Row<MetricFilter>> {
  const ofGroup = async function* (of: Pick<LogGroup, 'name' | 'id'>): AsyncGenerator<Row<MetricFilter>> {
    for (const value of await api.filters.of(account, of)) {
      const key = `${of.name}\0${value.name}`;
      if (start === undefined || key > start) yield { key, value };
    }
  };
  const [first] = start?.split('\0') ?? [];
  const one = group ?? first;
  const begun = one === undefined ? undefined : await api.logs.group(account, one);
  if (group !== undefined && begun === undefined) throw groupMissing();
  if (begun !== undefined) yield* ofGroup(begun);
  if (group !== undefined) return;
  for (let after = first; ;) {
    const page = await api.logs.groups(account, { after, limit: 200 });
    for (const found of page.groups) yield* ofGroup(found);
    after = page.groups.at(-1)?.name;
    if (!page.more || after === undefined) return;
  }
}
