import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { type Level, Ranking } from './ranking.ts';

/** A number that tells when it is computed with. */
const counted = (value: number, note: () => void): number =>
  ({
    valueOf() {
      note();
      return value;
    },
  }) as unknown as number;

test('takes, each time, what is first by the levels as they stand then, the lowest position among equals', () => {
  const task = fc.record({ zone: fc.nat({ max: 2 }), host: fc.nat({ max: 3 }) });
  fc.assert(
    fc.property(fc.array(task, { minLength: 1, maxLength: 40 }), fc.boolean(), (tasks, drawn) => {
      const left = new Map(tasks.entries());
      const count = (name: 'zone' | 'host', value: number): number =>
        [...left.values()].filter((one) => one[name] === value).length;
      const level = (name: 'zone' | 'host', value: number): Level => {
        const key = `${name} ${value}`;
        return { key, dependsOn: key, score: () => count(name, value) };
      };
      const ranking = new Ranking();
      for (const [position, { zone, host }] of tasks.entries())
        ranking.add([level('zone', zone), level('host', host)], [position]);
      while (left.size > 0) {
        const worst = (name: 'zone' | 'host', among: readonly number[]): readonly number[] => {
          const most = Math.max(...among.map((position) => count(name, tasks[position]![name])));
          return among.filter((position) => count(name, tasks[position]![name]) === most);
        };
        const equals = worst('host', worst('zone', [...left.keys()]));
        let asked = equals.length;
        const taken = drawn ? ranking.takeDrawn((many) => (asked = many) - 1) : ranking.takeFirst();
        expect(taken).toBe(equals.at(drawn ? -1 : 0));
        expect(asked).toBe(equals.length);
        left.delete(taken);
        const { zone, host } = tasks[taken]!;
        ranking.changed([`zone ${zone}`, `host ${host}`]);
      }
    }),
  );
});

test('the order of twice the tasks on twice the hosts costs little more than twice the comparisons', () => {
  const comparisons = (hosts: number): number => {
    let noted = 0;
    const tasks = new Map<string, number>();
    const zoneOf = (host: number): string => `zone ${host % 3}`;
    const bump = (key: string, by: number): void => void tasks.set(key, (tasks.get(key) ?? 0) + by);
    const level = (key: string): Level => ({
      key,
      dependsOn: key,
      score: () => counted(tasks.get(key)!, () => noted++),
    });
    for (let host = 0; host < hosts; host++) for (const key of [zoneOf(host), `host ${host}`]) bump(key, 2);
    const ranking = new Ranking();
    for (let host = 0; host < hosts; host++)
      ranking.add([level(zoneOf(host)), level(`host ${host}`)], [2 * host, 2 * host + 1]);
    for (let taken = 0; taken < hosts; taken++) {
      const host = ranking.takeFirst() >> 1;
      for (const key of [zoneOf(host), `host ${host}`]) bump(key, -1);
      ranking.changed([zoneOf(host), `host ${host}`]);
    }
    return noted;
  };
  expect(comparisons(2_000)).toBeLessThan(2.4 * comparisons(1_000));
});
