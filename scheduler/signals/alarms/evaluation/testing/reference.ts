import type { AlarmRule, AlarmState } from '../types.ts';

/**
 * A small slow program that evaluates by the sentences of CloudWatch's user guide, period by period, and shares no line with the one that is tested.
 * @param range one entry for each period, oldest first; undefined and NaN are missing
 */
export function slowlyEvaluated(
  rule: AlarmRule,
  range: readonly (number | undefined)[],
  state: AlarmState,
): AlarmState {
  const letters = range.map((value) => {
    if (value === undefined || value !== value) return '-';
    const order = Math.sign(value - rule.threshold);
    const bad = {
      GreaterThanOrEqualToThreshold: [0, 1],
      GreaterThanThreshold: [1],
      LessThanThreshold: [-1],
      LessThanOrEqualToThreshold: [-1, 0],
    };
    return bad[rule.comparison].some((sign) => sign === order) ? 'X' : '0';
  });
  const n = rule.evaluationPeriods;
  const m = rule.datapointsToAlarm;
  // "It uses the most recent existing data points": from the newest back, until there are enough.
  const recent: string[] = [];
  for (let place = letters.length - 1; place >= 0 && recent.length < n; place--) {
    const letter = letters[place];
    if (letter !== '-' && letter !== undefined) recent.push(letter);
  }
  const bad = (of: readonly string[]): number => of.join('').replaceAll('0', '').length;
  if (recent.length === n) return bad(recent) < m ? 'OK' : 'ALARM';
  // "It fills in missing data points according to the treatment."
  const fill = { breaching: 'X', notBreaching: '0', missing: '', ignore: '' }[rule.treatMissingData];
  if (fill !== '') {
    while (recent.length < n) recent.push(fill);
    return bad(recent) < m ? 'OK' : 'ALARM';
  }
  const isIgnored = rule.treatMissingData === 'ignore';
  if (recent.length === 0) return isIgnored ? state : 'INSUFFICIENT_DATA';
  if (bad(recent) >= m) return 'ALARM';
  if (recent.includes('0')) return 'OK';
  // "The oldest available breaching datapoint is at least as old as Datapoints to Alarm, and all more recent ones are breaching or missing."
  const newest = letters.slice(letters.length - m + 1).join('');
  const isOld = letters.slice(0, letters.length - m + 1).includes('X');
  if (!isOld || newest.includes('0')) return state;
  return isIgnored ? state : 'ALARM';
}
