import type { AlarmState } from '../evaluation/index.ts';
import type { CompositeRule } from './parse.ts';

/** The alarms that a rule names, each once, in the order of its text. */
export function childrenOf(rule: CompositeRule): readonly string[] {
  const found = new Set<string>();
  const look = (one: CompositeRule): void => {
    if (one.kind === 'state') found.add(one.alarm);
    else if (one.kind === 'not') look(one.of);
    else if (one.kind !== 'constant') for (const part of one.parts) look(part);
  };
  look(rule);
  return [...found];
}

/** Whether a rule holds; an alarm that is not there is INSUFFICIENT_DATA, as one is of which nothing is known. Pure. */
export function holds(rule: CompositeRule, stateOf: (alarm: string) => AlarmState | undefined): boolean {
  switch (rule.kind) {
    case 'constant':
      return rule.value;
    case 'state':
      return (stateOf(rule.alarm) ?? 'INSUFFICIENT_DATA') === rule.state;
    case 'not':
      return !holds(rule.of, stateOf);
    case 'and':
      return rule.parts.every((part) => holds(part, stateOf));
    case 'or':
      return rule.parts.some((part) => holds(part, stateOf));
  }
}

/**
 * The way from an alarm back to itself that a new rule would make; undefined: there is none.
 * @param name of the composite alarm that is to get the rule
 * @param childrenOfAlarm the alarms that the rule of another one names; none for metric alarms
 */
export function cycleThrough(
  name: string,
  children: readonly string[],
  childrenOfAlarm: (alarm: string) => readonly string[],
): readonly string[] | undefined {
  const cameFrom = new Map<string, string>(children.map((child) => [child, name]));
  const open = [...children];
  for (let alarm = open.pop(); alarm !== undefined; alarm = open.pop()) {
    if (alarm === name) return wayTo(name, cameFrom);
    for (const child of childrenOfAlarm(alarm))
      if (!cameFrom.has(child)) {
        cameFrom.set(child, alarm);
        open.push(child);
      }
  }
  return undefined;
}

function wayTo(name: string, cameFrom: ReadonlyMap<string, string>): readonly string[] {
  const way = [name];
  for (let from = cameFrom.get(name); from !== undefined && from !== name; from = cameFrom.get(from)) way.unshift(from);
  return [name, ...way];
}
