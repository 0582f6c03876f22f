import { type Row } from '@slipway/auth/kit';

import { combination, invalid } from '../../metrics/index.ts';
import { childrenOf, parseRule } from '../composite/index.ts';
import { type AlarmRecord, AlarmMissing } from '../store/index.ts';
import { metricOf } from '../keeper/index.ts';
import { type AlarmOperations, arnIn, mayList, operation, type Scene } from './operation.ts';
import { compositeAlarms, dimensions, metricAlarms, number, type Of, required, struct, text, texts } from './shapes.ts';
import { compositeView, metricView } from './view.ts';

const limits = { usual: 50, most: 100 };

const described = struct('DescribeAlarmsInput', {
  AlarmNames: texts,
  AlarmNamePrefix: text,
  AlarmTypes: texts,
  ChildrenOfAlarmName: text,
  ParentsOfAlarmName: text,
  StateValue: text,
  ActionPrefix: text,
  MaxRecords: number,
  NextToken: text,
});
type Input = Of<typeof described>;
type Metric = Of<typeof metricAlarms>[number];
type Composite = Of<typeof compositeAlarms>[number];

export const describeOperations: AlarmOperations = {
  DescribeAlarms: operation({
    input: described,
    output: struct('DescribeAlarmsOutput', {
      CompositeAlarms: compositeAlarms,
      MetricAlarms: metricAlarms,
      NextToken: text,
    }),
    access: mayList('DescribeAlarms'),
    handle: async (input, scene) => {
      const { AlarmNames, AlarmNamePrefix, AlarmTypes, StateValue, ActionPrefix } = input;
      if (AlarmNames !== undefined && AlarmNamePrefix !== undefined)
        throw combination('AlarmNames and AlarmNamePrefix cannot be specified together.');
      const family = familyOf(input);
      const { api, account } = scene;
      const list = ['DescribeAlarms', AlarmNames, AlarmNamePrefix, AlarmTypes, family, StateValue, ActionPrefix];
      const request = { nextToken: input.NextToken, maxResults: input.MaxRecords };
      const after = await api.pages.start(account, list, request);
      const types = family === undefined ? (AlarmTypes ?? ['MetricAlarm']) : ['MetricAlarm', 'CompositeAlarm'];
      const rows =
        family === undefined ? rowsOf(scene, AlarmNames, AlarmNamePrefix, after) : relatives(scene, family, after);
      const pick = (alarm: AlarmRecord): AlarmRecord | undefined => {
        const { subject, actions } = alarm;
        if (!types.includes(subject.kind === 'metric' ? 'MetricAlarm' : 'CompositeAlarm')) return undefined;
        if (StateValue !== undefined && alarm.state !== StateValue) return undefined;
        const isActing = Object.values(actions)
          .flat()
          .some((action) => action.startsWith(ActionPrefix ?? ''));
        return ActionPrefix === undefined || isActing ? alarm : undefined;
      };
      const { items, nextToken } = await api.pages.page(account, list, request, rows, pick, limits);
      return {
        ...shown(scene, items, family !== undefined),
        ...(nextToken === undefined ? {} : { NextToken: nextToken }),
      };
    },
  }),
  DescribeAlarmsForMetric: operation({
    input: struct('DescribeAlarmsForMetricInput', {
      MetricName: required(text),
      Namespace: required(text),
      Statistic: text,
      ExtendedStatistic: text,
      Dimensions: dimensions,
      Period: number,
      Unit: text,
    }),
    output: struct('DescribeAlarmsForMetricOutput', { MetricAlarms: metricAlarms }),
    access: mayList('DescribeAlarmsForMetric'),
    handle: async (input, scene) => {
      const found: Metric[] = [];
      const asked = keyOf((input.Dimensions ?? []).map(({ Name, Value }) => ({ name: Name, value: Value })));
      for await (const alarm of scene.api.alarms.list(scene.account)) {
        const { subject } = alarm;
        if (subject.kind !== 'metric') continue;
        const metric = metricOf(subject.source);
        if (metric?.metric !== input.MetricName || metric.namespace !== input.Namespace) continue;
        if (keyOf(metric.dimensions) !== asked) continue;
        if ((input.Statistic ?? input.ExtendedStatistic ?? metric.statistic) !== metric.statistic) continue;
        if ((input.Period ?? subject.rule.period) !== subject.rule.period) continue;
        if (input.Unit !== undefined && input.Unit !== metric.unit) continue;
        found.push(metricView(scene, alarm, subject));
      }
      return { MetricAlarms: found };
    },
  }),
};

const keyOf = (dimensions: readonly { readonly name: string; readonly value: string }[]): string =>
  JSON.stringify(dimensions.map(({ name, value }) => JSON.stringify([name, value])).toSorted());

interface Family {
  readonly of: string;
  readonly are: 'children' | 'parents';
}

function familyOf(input: Input): Family | undefined {
  const { ChildrenOfAlarmName, ParentsOfAlarmName, AlarmNames, AlarmNamePrefix, AlarmTypes, StateValue, ActionPrefix } =
    input;
  if (ChildrenOfAlarmName === undefined && ParentsOfAlarmName === undefined) return undefined;
  const isAlone = [AlarmNames, AlarmNamePrefix, AlarmTypes, StateValue, ActionPrefix].every(
    (member) => member === undefined,
  );
  if (!isAlone || (ChildrenOfAlarmName !== undefined && ParentsOfAlarmName !== undefined))
    throw combination(
      'ChildrenOfAlarmName and ParentsOfAlarmName can only be specified alone, with MaxRecords and NextToken.',
    );
  return ChildrenOfAlarmName === undefined
    ? { of: ParentsOfAlarmName ?? '', are: 'parents' }
    : { of: ChildrenOfAlarmName, are: 'children' };
}

async function* relatives(
  { api, account }: Scene,
  { of, are }: Family,
  after: string | undefined,
): AsyncGenerator<Row<AlarmRecord>> {
  const alarm = await api.alarms.find(account, of);
  if (alarm === undefined) throw new AlarmMissing([of]);
  const own = alarm.subject.kind === 'composite' ? childrenOf(parseRule(alarm.subject.rule)) : [];
  if (are === 'children' && alarm.subject.kind !== 'composite') throw invalid(`${of} is no composite alarm.`);
  for await (const value of api.alarms.list(account, { after })) {
    const { subject, name } = value;
    const isParent = subject.kind === 'composite' && childrenOf(parseRule(subject.rule)).includes(of);
    if (are === 'children' ? own.includes(name) : isParent) yield { key: name, value };
  }
}

async function* rowsOf(
  { api, account }: Scene,
  names: readonly string[] | undefined,
  prefix: string | undefined,
  after: string | undefined,
): AsyncGenerator<Row<AlarmRecord>> {
  if (names === undefined) {
    for await (const value of api.alarms.list(account, { ...(prefix === undefined ? {} : { prefix }), after }))
      yield { key: value.name, value };
    return;
  }
  const found = await api.alarms.states(account, names);
  for (const name of [...found.keys()].toSorted()) {
    const value = found.get(name);
    if (value !== undefined && (after === undefined || name > after)) yield { key: name, value };
  }
}

/** Relatives are told with little more than their names (API reference). */
function shown(
  scene: Scene,
  alarms: readonly AlarmRecord[],
  isBrief: boolean,
): { MetricAlarms: Metric[]; CompositeAlarms: Composite[] } {
  const brief = (alarm: AlarmRecord): Metric & Composite => ({
    AlarmName: alarm.name,
    AlarmArn: arnIn(scene, alarm.name),
    StateValue: alarm.state,
    StateUpdatedTimestamp: new Date(alarm.updatedAt),
  });
  const MetricAlarms: Metric[] = [];
  const CompositeAlarms: Composite[] = [];
  for (const alarm of alarms) {
    const { subject } = alarm;
    if (subject.kind === 'metric') MetricAlarms.push(isBrief ? brief(alarm) : metricView(scene, alarm, subject));
    else CompositeAlarms.push(isBrief ? brief(alarm) : compositeView(scene, alarm, subject.rule));
  }
  return { MetricAlarms, CompositeAlarms };
}
