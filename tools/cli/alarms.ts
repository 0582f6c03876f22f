import { CliError } from './errors.ts';
import { callJson } from './json-api.ts';
import { harmless, parseOutput, print, printJson, table } from './output.ts';
import { askServer } from './own-routes.ts';

interface Options {
  readonly output: string;
}

/** An alarm as DescribeAlarms has it; times are seconds since the epoch. */
interface Alarm {
  readonly AlarmName: string;
  readonly AlarmDescription?: string;
  readonly StateValue: string;
  readonly StateReason: string;
  readonly StateTransitionedTimestamp: number;
  readonly ActionsEnabled: boolean;
  readonly OKActions: readonly string[];
  readonly AlarmActions: readonly string[];
  readonly InsufficientDataActions: readonly string[];
  readonly AlarmRule?: string;
  readonly Namespace?: string;
  readonly MetricName?: string;
  readonly Statistic?: string;
  readonly ExtendedStatistic?: string;
  readonly Dimensions?: readonly { readonly Name: string; readonly Value: string }[];
  readonly Period?: number;
  readonly EvaluationPeriods?: number;
  readonly DatapointsToAlarm?: number;
  readonly Threshold?: number;
  readonly ComparisonOperator?: string;
  readonly TreatMissingData?: string;
}

interface Described {
  readonly MetricAlarms: readonly Alarm[];
  readonly CompositeAlarms: readonly Alarm[];
  readonly NextToken?: string;
}

interface History {
  readonly AlarmHistoryItems: readonly {
    readonly AlarmName: string;
    readonly Timestamp: number;
    readonly HistoryItemType: string;
    readonly HistorySummary: string;
  }[];
}

const bothTypes = ['MetricAlarm', 'CompositeAlarm'];

/** `slipway alarms list`: every alarm with its state, those in ALARM first. */
export async function listAlarms(options: Options & { readonly state?: string }): Promise<void> {
  const output = parseOutput(options.output);
  const found: Alarm[] = [];
  const filter = options.state === undefined ? {} : { StateValue: options.state.toUpperCase() };
  for (let NextToken: string | undefined; ;) {
    const input = { AlarmTypes: bothTypes, ...filter, ...(NextToken === undefined ? {} : { NextToken }) };
    const page = await callJson<Described>('monitoring', 'DescribeAlarms', input);
    found.push(...page.MetricAlarms, ...page.CompositeAlarms);
    NextToken = page.NextToken;
    if (NextToken === undefined) break;
  }
  const order = ['ALARM', 'INSUFFICIENT_DATA', 'OK'];
  found.sort(
    (a, b) => order.indexOf(a.StateValue) - order.indexOf(b.StateValue) || (a.AlarmName < b.AlarmName ? -1 : 1),
  );
  if (output === 'json') printJson(found);
  else if (found.length === 0) print('There are no such alarms. Make one with aws cloudwatch put-metric-alarm.');
  else
    print(
      table(
        ['state', 'alarm', 'since', 'when'],
        found.map((one) => [one.StateValue, one.AlarmName, iso(one.StateTransitionedTimestamp), conditionOf(one)]),
      ),
    );
}

/** `slipway alarms show`: what an alarm looks at, how it stands and why, and whom it tells. */
export async function showAlarm(name: string, options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const page = await callJson<Described>('monitoring', 'DescribeAlarms', { AlarmNames: [name], AlarmTypes: bothTypes });
  const [alarm] = [...page.MetricAlarms, ...page.CompositeAlarms];
  if (alarm === undefined) throw new CliError(`there is no alarm ${name}`);
  if (output === 'json') {
    printJson(alarm);
    return;
  }
  print(`${alarm.AlarmName}: ${alarm.StateValue} since ${iso(alarm.StateTransitionedTimestamp)}`);
  if (alarm.AlarmDescription !== undefined) print(harmless(alarm.AlarmDescription));
  print(`  why:   ${harmless(alarm.StateReason)}`);
  print(`  when:  ${harmless(conditionOf(alarm))}`);
  if (alarm.TreatMissingData !== undefined) print(`  missing datapoints: ${alarm.TreatMissingData}`);
  for (const [state, actions] of [
    ['ALARM', alarm.AlarmActions],
    ['OK', alarm.OKActions],
    ['INSUFFICIENT_DATA', alarm.InsufficientDataActions],
  ] as const)
    for (const action of actions)
      print(`  tells: ${state} ${harmless(action)}${alarm.ActionsEnabled ? '' : ' (actions are disabled)'}`);
}

/** `slipway alarms history`: what happened to an alarm, or to all of them, the newest first. */
export async function showHistory(name: string | undefined, options: Options): Promise<void> {
  const output = parseOutput(options.output);
  const input = { ...(name === undefined ? { AlarmTypes: bothTypes } : { AlarmName: name }), MaxRecords: 100 };
  const { AlarmHistoryItems: items } = await callJson<History>('monitoring', 'DescribeAlarmHistory', input);
  if (output === 'json') printJson(items);
  else if (items.length === 0) print('Nothing has happened in the last 30 days.');
  else
    print(
      table(
        ['at', 'alarm', 'what'],
        items.map((one) => [iso(one.Timestamp), one.AlarmName, one.HistorySummary]),
      ),
    );
}

/** `slipway alarms secret`: what the webhook calls of an alarm are signed with, through the server's own administration route. */
export async function alarmSecret(name: string, options: Options & { readonly renew?: boolean }): Promise<void> {
  const output = parseOutput(options.output);
  const method = options.renew === true ? 'DELETE' : 'POST';
  const path = `/slipway/alarms/${encodeURIComponent(name)}`;
  const answer = (await askServer(method, path, { service: 'monitoring' })) as { readonly secret?: string };
  if (output === 'json') printJson(answer);
  else print(answer.secret ?? '');
}

const iso = (seconds: number): string => new Date(seconds * 1000).toISOString();

const signs: Readonly<Record<string, string>> = {
  GreaterThanOrEqualToThreshold: '>=',
  GreaterThanThreshold: '>',
  LessThanThreshold: '<',
  LessThanOrEqualToThreshold: '<=',
};

/** When an alarm is in ALARM, on one line. */
export function conditionOf(alarm: Alarm): string {
  if (alarm.AlarmRule !== undefined) return alarm.AlarmRule;
  const { EvaluationPeriods = 1, DatapointsToAlarm = EvaluationPeriods, Period, Threshold } = alarm;
  const dimensions = (alarm.Dimensions ?? []).map(({ Name, Value }) => `${Name}=${Value}`).join(', ');
  const metric =
    alarm.MetricName === undefined
      ? 'an expression'
      : `${alarm.Statistic ?? alarm.ExtendedStatistic ?? ''} of ${alarm.Namespace ?? ''} ${alarm.MetricName}${dimensions === '' ? '' : ` (${dimensions})`}`;
  return `${metric} ${signs[alarm.ComparisonOperator ?? ''] ?? '?'} ${Threshold ?? '?'} in ${DatapointsToAlarm} of ${EvaluationPeriods} periods of ${Period ?? '?'} s`;
}
