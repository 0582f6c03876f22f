import { expect, test } from 'vitest';
import { Bells } from './bell.ts';

test('who waits for a name is woken when it is rung for, or all are, and by nothing else', async () => {
  const bells = new Bells();
  const woken: string[] = [];
  const waits = (name: string): Promise<unknown> => bells.next(name).then(() => woken.push(name));
  const [first, second] = [waits('first'), waits('second')];
  bells.ring('third');
  bells.ring('first');
  await first;
  await new Promise((resolve) => setImmediate(resolve));
  expect(woken).toEqual(['first']);
  const again = waits('first');
  bells.ringAll();
  await Promise.all([second, again]);
  expect(woken).toEqual(['first', 'second', 'first']);
  expect(bells.awaited).toBe(false);
});
