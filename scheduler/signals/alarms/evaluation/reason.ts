import type { Evaluation } from './evaluate.ts';
import { isBreaching } from './evaluate.ts';
import type { AlarmPoint, AlarmRule, AlarmState, Comparison } from './types.ts';

const words: Readonly<Record<Comparison, string>> = {
  GreaterThanOrEqualToThreshold: 'greater than or equal to',
  GreaterThanThreshold: 'greater than',
  LessThanThreshold: 'less than',
  LessThanOrEqualToThreshold: 'less than or equal to',
};

/** Datapoints that a text names; more are said to be there. */
const mostNamed = 5;

/** Numbers as CloudWatch prints them: whole ones with one decimal. */
const decimal = (value: number): string =>
  Number.isInteger(value) && Math.abs(value) < 1e7 ? value.toFixed(1) : String(value);

const two = (value: number): string => String(value).padStart(2, '0');

/** `20/11/26 10:04:00`, UTC. */
function shortTime(at: number): string {
  const date = new Date(at);
  const day = `${two(date.getUTCDate())}/${two(date.getUTCMonth() + 1)}/${two(date.getUTCFullYear() % 100)}`;
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}

const count = (many: number, noun: string): string => `${many} ${noun}${many === 1 ? '' : 's'}`;

/** Why an alarm changed its state, for people; in the words of CloudWatch. */
export function reasonOf(rule: AlarmRule, { state, points, filled }: Evaluation, before: AlarmState): string {
  const { evaluationPeriods: wanted, datapointsToAlarm: enough, threshold, comparison } = rule;
  if (state === 'INSUFFICIENT_DATA')
    return `Insufficient Data: ${count(wanted, 'datapoint')} ${wanted === 1 ? 'was' : 'were'} unknown.`;
  const treated = rule.treatMissingData === 'breaching' ? '[Breaching]' : '[NonBreaching]';
  const stands = `${count(filled, 'missing datapoint')} ${filled === 1 ? 'was' : 'were'} treated as ${treated}`;
  if (points.length === 0)
    return `Threshold Crossed: no datapoints were received for ${count(wanted, 'period')} and ${stands}.`;
  const alarms = state === 'ALARM';
  const proof = points.filter(({ value }) => isBreaching(rule, value) === alarms);
  const named = proof.slice(-mostNamed).map(({ value, at }) => `${decimal(value)} (${shortTime(at)})`);
  const list = `${named.join(', ')}${proof.length > mostNamed ? ', …' : ''}`;
  const was = `${proof.length === 1 ? 'was' : 'were'}${alarms ? '' : ' not'} ${words[comparison]}`;
  const needed = alarms ? enough : wanted - enough + 1;
  const minimum = `minimum ${count(needed, 'datapoint')} for ${before} -> ${state} transition`;
  const rest = filled === 0 ? '' : `, and ${stands}`;
  return `Threshold Crossed: ${proof.length} out of the last ${count(wanted, 'datapoint')} [${list}] ${was} the threshold (${decimal(threshold)})${rest} (${minimum}).`;
}

/** `2026-11-20T10:04:00.000+0000` */
export const zonedTime = (at: number): string => new Date(at).toISOString().replace('Z', '+0000');

/** What the datapoints of an alarm are. */
export interface Measured {
  readonly statistic?: string;
  readonly unit?: string;
}

/**
 * The same for programs: CloudWatch's `StateReasonData`, JSON of its version 1.0.
 * @param times when it was evaluated, and where its last period ended
 */
export function reasonDataOf(
  rule: AlarmRule,
  { points }: Evaluation,
  { statistic, unit }: Measured,
  { now, end }: { readonly now: number; readonly end: number },
): string {
  const times = points.map(({ at }) => ({ startDate: zonedTime(at) }))[0];
  return JSON.stringify({
    version: '1.0',
    queryDate: zonedTime(now),
    ...times,
    ...(statistic === undefined ? {} : { statistic }),
    ...(unit === undefined ? {} : { unit }),
    period: rule.period,
    recentDatapoints: points.map(({ value }) => value),
    threshold: rule.threshold,
    evaluatedDatapoints: evaluated(rule, points, end),
  });
}

/** Every period of the range, newest first; those without a value are missing. */
function evaluated(rule: AlarmRule, points: readonly AlarmPoint[], end: number): readonly object[] {
  return Array.from({ length: Math.min(rule.evaluationPeriods, mostNamed) }, (_, index) => {
    const at = end - (index + 1) * rule.period * 1000;
    const point = points.find((one) => one.at === at);
    return { timestamp: zonedTime(at), ...(point === undefined ? {} : { value: point.value }) };
  });
}
