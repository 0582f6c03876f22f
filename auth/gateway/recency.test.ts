import { array, assert, constantFrom, nat, property, tuple } from 'fast-check';
import { expect, test } from 'vitest';
import { Place, Recency } from './recency.ts';

test('whatever is added, used and removed, the order is that of the last uses', () => {
  const steps = array(tuple(constantFrom('add', 'use', 'remove'), nat({ max: 5 })), { maxLength: 60 });
  assert(
    property(steps, (taken) => {
      const order = new Recency<number>();
      const places = Array.from({ length: 6 }, (_, item) => new Place(item));
      let model: number[] = [];
      for (const [step, item] of taken) {
        const place = places[item] as Place<number>;
        if (model.includes(item) === (step === 'add')) continue;
        if (step === 'add') order.add(place);
        else if (step === 'use') order.use(place);
        else order.remove(place);
        model = model.filter((one) => one !== item);
        if (step !== 'remove') model.push(item);
        expect([...order]).toEqual(model);
        expect(order.size).toBe(model.length);
      }
    }),
  );
});

test('what was met may be removed on the way', () => {
  const order = new Recency<string>();
  const places = new Map(['a', 'b', 'c'].map((item) => [item, new Place(item)]));
  for (const place of places.values()) order.add(place);
  const met: string[] = [];
  for (const item of order) {
    met.push(item);
    order.remove(places.get(item) as Place<string>);
  }
  expect(met).toEqual(['a', 'b', 'c']);
  expect([...order]).toEqual([]);
});
