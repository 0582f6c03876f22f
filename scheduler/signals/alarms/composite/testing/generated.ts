import * as fc from 'fast-check';

import { type AlarmState, alarmStates } from '../../evaluation/index.ts';

type States = readonly (AlarmState | undefined)[];

/** A rule by its text, and what it is by the meaning of its parts alone. */
export interface GeneratedRule {
  readonly text: string;
  readonly value: (states: States) => boolean;
}

/** States of the alarms `alarm 0` to `alarm 4`; undefined: there is none of that name. */
export const statesOfAlarms = Array.from({ length: 5 }, () => fc.constantFrom(...alarmStates, undefined));

const gap = fc.constantFrom(' ', '  ', '\n', '\t ');

/** Rules of a few levels, each part with more brackets than it needs, or just enough. */
export const generatedRule: fc.Arbitrary<GeneratedRule> = fc.letrec<{ rule: GeneratedRule; leaf: GeneratedRule }>(
  (tie) => ({
    leaf: fc.oneof(
      fc.constantFrom(true, false).map((value) => ({ text: value ? 'TRUE' : 'FALSE', value: () => value })),
      fc
        .tuple(fc.constantFrom(...alarmStates), fc.integer({ min: 0, max: 4 }), fc.constantFrom('"', "'", ''))
        .map(([state, place, quote]) => ({
          text: `${state}(${quote}${quote === '' ? `alarm-${place}` : `alarm ${place}`}${quote})`,
          value: (states: States) => (states[place] ?? 'INSUFFICIENT_DATA') === state,
        })),
    ),
    rule: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      tie('leaf'),
      tie('rule').map(({ text, value }) => ({ text: `NOT (${text})`, value: (states: States) => !value(states) })),
      fc.tuple(tie('rule'), tie('rule'), gap, fc.boolean()).map(([a, b, blank, isAnd]) => ({
        text: `(${a.text})${blank}${isAnd ? 'AND' : 'OR'}${blank}(${b.text})`,
        value: (states: States) => (isAnd ? a.value(states) && b.value(states) : a.value(states) || b.value(states)),
      })),
      // Without brackets: AND before OR, NOT before both.
      fc.tuple(tie('leaf'), tie('leaf'), tie('leaf'), gap).map(([a, b, c, blank]) => ({
        text: `NOT ${a.text}${blank}AND ${b.text}${blank}OR${blank}${c.text}`,
        value: (states: States) => (!a.value(states) && b.value(states)) || c.value(states),
      })),
    ),
  }),
).rule;
