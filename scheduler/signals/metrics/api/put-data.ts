import { mostValue, type Sample } from '../store/index.ts';

import { combination, invalid, missing } from './errors.ts';
import { type CloudWatchOperations, mayAny, operation } from './operation.ts';
import {
  dimensions,
  flag,
  list,
  map,
  nothing,
  number,
  numbers,
  type Of,
  required,
  struct,
  text,
  time,
} from './shapes.ts';

const hour = 3_600_000;
/** What one call may bring, and how far from now (API reference, PutMetricData). */
const mostData = 1000;
const mostValues = 150;
const mostDimensions = 30;
const mostAge = 14 * 24 * hour;
const mostAhead = 2 * hour;
/** A call has 1 MB on AWS, packed or not; unpacked it may be so much here. */
const bodyBytes = 4 * 1024 * 1024;

const metricDatum = struct('MetricDatum', {
  MetricName: required(text),
  Dimensions: dimensions,
  Timestamp: time,
  Value: number,
  StatisticValues: struct('StatisticSet', {
    SampleCount: required(number),
    Sum: required(number),
    Minimum: required(number),
    Maximum: required(number),
  }),
  Values: numbers,
  Counts: numbers,
  Unit: text,
  StorageResolution: number,
});
type Datum = Of<typeof metricDatum>;

export const putOperations: CloudWatchOperations = {
  PutMetricData: operation({
    input: struct('PutMetricDataInput', {
      Namespace: required(text),
      MetricData: list(metricDatum),
      EntityMetricData: list(
        struct('EntityMetricData', {
          Entity: struct('Entity', { KeyAttributes: map(text), Attributes: map(text) }),
          MetricData: list(metricDatum),
        }),
      ),
      StrictEntityValidation: flag,
    }),
    output: nothing,
    bodyBytes,
    access: mayAny('PutMetricData', ({ Namespace }) => ({ 'cloudwatch:namespace': Namespace })),
    handle: async (input, { api, account }) => {
      const { Namespace, MetricData = [], EntityMetricData = [], StrictEntityValidation } = input;
      // They drive scaling and deployments, and say what really happened.
      if (Namespace.startsWith('AWS/'))
        throw invalid('The value for parameter Namespace is invalid: it must not begin with AWS/.');
      if (StrictEntityValidation === true && EntityMetricData.length > 0)
        throw invalid('Metrics are of no entity here: leave out StrictEntityValidation, and the entities are ignored.');
      const all = [
        ...MetricData.map((datum, index) => ({ datum, at: `MetricData.member.${index + 1}` })),
        ...EntityMetricData.flatMap(({ MetricData: data = [] }, one) =>
          data.map((datum, index) => ({
            datum,
            at: `EntityMetricData.member.${one + 1}.MetricData.member.${index + 1}`,
          })),
        ),
      ];
      if (all.length === 0) throw missing('The parameter MetricData is required.');
      if (all.length > mostData) throw tooMany('MetricData', mostData);
      const now = api.clock.now();
      await api.metrics.put(
        account,
        all.map(({ datum, at }) => sampleOf(Namespace, datum, at, now)),
      );
      return {};
    },
  }),
};

/** @param at the datum's path in the request */
function sampleOf(namespace: string, datum: Datum, at: string, now: number): Sample {
  const { MetricName, Dimensions = [], Timestamp, Unit, StorageResolution = 60 } = datum;
  if (Dimensions.length > mostDimensions) throw tooMany(`${at}.Dimensions`, mostDimensions);
  const names = new Set<string>();
  for (const [index, { Name, Value }] of Dimensions.entries()) {
    const path = `${at}.Dimensions.member.${index + 1}`;
    if (Name.startsWith(':') || !isText(Name)) throw badValue(`${path}.Name`, Name);
    if (!isText(Value)) throw badValue(`${path}.Value`, Value);
    if (names.has(Name)) throw invalid(`No parameter ${at}.Dimensions may have the name ${Name} twice.`);
    names.add(Name);
  }
  if (StorageResolution !== 1 && StorageResolution !== 60)
    throw badValue(`${at}.StorageResolution`, StorageResolution, 'It is 1 or 60.');
  const timestamp = Timestamp?.getTime() ?? now;
  if (timestamp > now + mostAhead)
    throw invalid(`The parameter ${at}.Timestamp must specify a time no more than two hours in the future.`);
  if (!(timestamp >= now - mostAge))
    throw invalid(`The parameter ${at}.Timestamp must specify a time within the past two weeks.`);
  return {
    namespace,
    name: MetricName,
    dimensions: Dimensions.map(({ Name, Value }) => ({ name: Name, value: Value })),
    timestamp: Math.floor(timestamp),
    unit: Unit,
    resolution: StorageResolution,
    measured: measuredOf(datum, at),
  };
}

function measuredOf({ Value, StatisticValues, Values, Counts }: Datum, at: string): Sample['measured'] {
  const given = Object.entries({ Value, StatisticValues, Values }).flatMap(([name, one]) =>
    one === undefined ? [] : [`${at}.${name}`],
  );
  const [first, second] = given;
  if (first === undefined)
    throw missing(
      `At least one of the parameters ${at}.Value, ${at}.Values and ${at}.StatisticValues must be specified.`,
    );
  if (second !== undefined)
    throw combination(`The parameters ${first} and ${second} are mutually exclusive and you have specified both.`);
  if (Counts !== undefined && Values === undefined)
    throw combination(`The parameter ${at}.Counts needs the parameter ${at}.Values.`);
  if (Value !== undefined) return checked(Value, `${at}.Value`);
  if (StatisticValues !== undefined) {
    const { SampleCount, Sum, Minimum, Maximum } = StatisticValues;
    const path = `${at}.StatisticValues`;
    if (!(SampleCount > 0)) throw badValue(`${path}.SampleCount`, SampleCount, 'It is above 0.');
    if (Minimum > Maximum)
      throw combination(`The parameter ${path}.Minimum must not be above the parameter ${path}.Maximum.`);
    return {
      count: checked(SampleCount, `${path}.SampleCount`),
      sum: checked(Sum, `${path}.Sum`),
      min: checked(Minimum, `${path}.Minimum`),
      max: checked(Maximum, `${path}.Maximum`),
    };
  }
  const values = Values ?? [];
  if (values.length === 0) throw missing(`The parameter ${at}.Values must not be empty.`);
  if (values.length > mostValues) throw tooMany(`${at}.Values`, mostValues);
  if (Counts !== undefined && Counts.length !== values.length)
    throw combination(`The parameters ${at}.Values and ${at}.Counts must be of the same size.`);
  for (const [index, value] of values.entries()) checked(value, `${at}.Values.member.${index + 1}`);
  for (const [index, count] of (Counts ?? []).entries())
    if (!(checked(count, `${at}.Counts.member.${index + 1}`) > 0))
      throw badValue(`${at}.Counts.member.${index + 1}`, count, 'It is above 0.');
  return { values, counts: Counts };
}

function checked(value: number, at: string): number {
  if (!(Math.abs(value) <= mostValue)) throw badValue(at, value);
  return value;
}

/** Printable ASCII, not only blanks (API reference, Dimension). */
const isText = (text: string): boolean => /^[\x20-\x7e]*$/.test(text) && text.trim() !== '';

const badValue = (at: string, value: number | string, rule = '') =>
  invalid(`The value ${String(value).slice(0, 100)} for parameter ${at} is invalid.${rule === '' ? '' : ` ${rule}`}`);

const tooMany = (what: string, most: number) =>
  invalid(`The collection ${what} must not have a size greater than ${most}.`);
