import type { AlarmPoint, AlarmRule, AlarmState, Comparison } from './types.ts';

/** What one evaluation came to. */
export interface Evaluation {
  readonly state: AlarmState;
  /** The datapoints that decided, oldest first; of those that are there. */
  readonly points: readonly AlarmPoint[];
  /** How many missing ones the setting for missing data stood in for. */
  readonly filled: number;
}

const tests: Readonly<Record<Comparison, (value: number, threshold: number) => boolean>> = {
  GreaterThanOrEqualToThreshold: (value, threshold) => value >= threshold,
  GreaterThanThreshold: (value, threshold) => value > threshold,
  LessThanThreshold: (value, threshold) => value < threshold,
  LessThanOrEqualToThreshold: (value, threshold) => value <= threshold,
};

export const isBreaching = ({ comparison, threshold }: AlarmRule, value: number): boolean =>
  tests[comparison](value, threshold);

/** Periods that are looked at: a few more than decide, since datapoints come late (CloudWatch: "evaluation range"). */
export const rangeOf = ({ evaluationPeriods }: Pick<AlarmRule, 'evaluationPeriods'>): number => evaluationPeriods + 2;

/** The longest period, in seconds, whose window slides: it is evaluated each minute, as CloudWatch does it. Longer ones are evaluated at their ends. */
const longestSliding = 3600;

/** Seconds between two evaluations of an alarm that slides: ten with a period of less than a minute, else sixty. */
export const paceOf = ({ period }: Pick<AlarmRule, 'period'>): number => (period < 60 ? 10 : 60);

/** Seconds from one window of an alarm to the next; where the window does not slide, the period. */
export const strideOf = (rule: Pick<AlarmRule, 'period'>, slides: boolean): number =>
  slides && rule.period <= longestSliding ? paceOf(rule) : rule.period;

/**
 * The times that an evaluation is about; milliseconds since the epoch, the end not included.
 * @param slides whether datapoints may begin at any step of the alarm's pace; else they begin at multiples of the period
 */
export function windowOf(
  rule: Pick<AlarmRule, 'period' | 'evaluationPeriods'>,
  slides: boolean,
  now: number,
): { readonly start: number; readonly end: number } {
  const stride = strideOf(rule, slides) * 1000;
  const end = Math.floor(now / stride) * stride;
  return { start: end - rangeOf(rule) * rule.period * 1000, end };
}

/**
 * In which state an alarm is, from the datapoints of its evaluation range. As CloudWatch's user guide has it ("Configuring how CloudWatch
 * alarms treat missing data"): where enough datapoints are there, the newest decide and the setting does not matter; else it stands in for
 * those that are missing. Pure.
 * @param points of the range, oldest first, at most one for each period; those of NaN are missing
 * @param end of the range
 * @param state of the alarm so far: it is kept where nothing says otherwise
 */
export function evaluate(rule: AlarmRule, points: readonly AlarmPoint[], end: number, state: AlarmState): Evaluation {
  const { evaluationPeriods: wanted, datapointsToAlarm: enough, treatMissingData } = rule;
  const there = points.filter(({ value }) => !Number.isNaN(value));
  const deciding = there.slice(-wanted);
  const breaching = deciding.filter(({ value }) => isBreaching(rule, value));
  const missing = wanted - deciding.length;
  const found = (next: AlarmState, filled = 0): Evaluation => ({ state: next, points: deciding, filled });
  if (missing === 0) return found(breaching.length >= enough ? 'ALARM' : 'OK');
  switch (treatMissingData) {
    case 'breaching':
      return found(breaching.length + missing >= enough ? 'ALARM' : 'OK', missing);
    case 'notBreaching':
      return found(breaching.length >= enough ? 'ALARM' : 'OK', missing);
    case 'missing':
    case 'ignore': {
      const kept = treatMissingData === 'ignore' ? state : undefined;
      if (deciding.length === 0) return found(kept ?? 'INSUFFICIENT_DATA');
      if (breaching.length >= enough) return found('ALARM');
      if (breaching.length < deciding.length) return found('OK');
      // All that is there is breaching. Young ones say nothing yet: the next datapoint may be good.
      const oldest = deciding[0]?.at ?? end;
      const age = Math.round((end - oldest) / (rule.period * 1000));
      return found(age < enough ? state : (kept ?? 'ALARM'));
    }
  }
}
