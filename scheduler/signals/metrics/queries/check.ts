import { MathError, type Expression, parseExpression } from '../math/index.ts';
import { type Series, type Statistic, statisticOf, units } from '../store/index.ts';

/** A query as the API has it: GetMetricData's, and those of alarms on metric math. */
export interface MetricQuery {
  readonly Id: string;
  readonly MetricStat?:
    | {
        readonly Metric: {
          readonly Namespace?: string | undefined;
          readonly MetricName?: string | undefined;
          readonly Dimensions?: readonly { readonly Name: string; readonly Value: string }[] | undefined;
        };
        readonly Period: number;
        readonly Stat: string;
        readonly Unit?: string | undefined;
      }
    | undefined;
  readonly Expression?: string | undefined;
  readonly Label?: string | undefined;
  readonly ReturnData?: boolean | undefined;
  readonly Period?: number | undefined;
  readonly AccountId?: string | undefined;
}

interface Checked {
  readonly id: string;
  readonly label: string | undefined;
  /** Whether it is part of the answer. */
  readonly returned: boolean;
}
/** A metric that is asked for. */
export interface CheckedMetric extends Checked {
  readonly series: Series;
  /** Seconds. */
  readonly period: number;
  readonly stat: string;
  readonly statistic: Statistic;
  readonly unit: string | undefined;
}
/** What is worked out of others. */
export interface CheckedExpression extends Checked {
  readonly expression: Expression;
  readonly period: number | undefined;
}
export type CheckedQuery = CheckedMetric | CheckedExpression;

/** What is wrong with queries. `kind` is how the API calls it: a value that is none, one that is missing, or an expression. */
export class QueryError extends Error {
  override readonly name = 'QueryError';
  readonly kind: 'value' | 'missing' | 'expression';
  constructor(kind: QueryError['kind'], message: string) {
    super(message);
    this.kind = kind;
  }
}

const id = /^[a-z][a-zA-Z0-9_]{0,254}$/;
const subMinute = [1, 5, 10, 20, 30];
const longestPeriod = 365 * 86_400;

export const isPeriod = (period: number): boolean =>
  Number.isInteger(period) &&
  period > 0 &&
  period <= longestPeriod &&
  (period % 60 === 0 || subMinute.includes(period));

/**
 * Reads queries.
 * @param account whose metrics may be asked for: there are no others
 * @throws QueryError that names the query
 */
export function checkQueries(queries: readonly MetricQuery[], account: string): readonly CheckedQuery[] {
  const ids = new Set<string>();
  return queries.map((query, index) => {
    const at = `MetricDataQueries.member.${index + 1}`;
    const { Id, MetricStat, Expression, Label, ReturnData, Period, AccountId } = query;
    if (!id.test(Id)) {
      const rule = 'Ids begin with a small letter and have letters, digits and _ only.';
      throw new QueryError('value', `The value ${Id.slice(0, 100)} for parameter ${at}.Id is not valid. ${rule}`);
    }
    if (ids.has(Id)) throw new QueryError('value', `The value ${Id} for parameter ${at}.Id is not unique.`);
    ids.add(Id);
    if (AccountId !== undefined && AccountId !== account)
      throw new QueryError(
        'value',
        `The parameter ${at}.AccountId must be the account of the caller: accounts are not linked here.`,
      );
    if ((MetricStat === undefined) === (Expression === undefined))
      throw new QueryError(
        'value',
        `Exactly one of the parameters ${at}.MetricStat and ${at}.Expression must be specified.`,
      );
    if (Period !== undefined && !isPeriod(Period)) throw badPeriod(`${at}.Period`, Period);
    const common = { id: Id, label: Label, returned: ReturnData ?? true };
    return MetricStat === undefined
      ? { ...common, expression: parsed(Id, Expression as string), period: Period }
      : { ...common, ...metricOf(MetricStat, `${at}.MetricStat`) };
  });
}

function metricOf(
  { Metric: { Namespace, MetricName, Dimensions = [] }, Period, Stat, Unit }: NonNullable<MetricQuery['MetricStat']>,
  at: string,
): Omit<CheckedMetric, keyof Checked> {
  if (Namespace === undefined) throw new QueryError('missing', `The parameter ${at}.Metric.Namespace is required.`);
  if (MetricName === undefined) throw new QueryError('missing', `The parameter ${at}.Metric.MetricName is required.`);
  if (!isPeriod(Period)) throw badPeriod(`${at}.Period`, Period);
  const statistic = statisticOf(Stat);
  if (statistic === undefined)
    throw new QueryError('value', `The value ${Stat.slice(0, 100)} for parameter ${at}.Stat is not supported.`);
  if (Unit !== undefined && !units.includes(Unit))
    throw new QueryError('value', `The value ${Unit.slice(0, 100)} for parameter ${at}.Unit is not valid.`);
  return {
    series: {
      namespace: Namespace,
      name: MetricName,
      dimensions: Dimensions.map(({ Name, Value }) => ({ name: Name, value: Value })),
    },
    period: Period,
    stat: Stat,
    statistic,
    unit: Unit,
  };
}

function parsed(of: string, text: string): Expression {
  try {
    return parseExpression(text);
  } catch (error) {
    throw inQuery(of, error);
  }
}

/** What went wrong with an expression, with the query that it is of. */
export function inQuery(of: string, error: unknown): unknown {
  return error instanceof MathError
    ? new QueryError('expression', `Error in expression '${of}': ${error.message}`)
    : error;
}

const badPeriod = (at: string, period: number): QueryError =>
  new QueryError(
    'value',
    `The value ${period} for parameter ${at} is not valid: it is 1, 5, 10, 20, 30 or a multiple of 60 seconds.`,
  );
