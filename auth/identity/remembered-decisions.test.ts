import { expect, test } from 'vitest';

import type { Decision } from '../policy/index.ts';
import { RememberedDecisions } from './remembered-decisions.ts';

const decision: Decision = { allowed: true, outcome: 'allowed', reason: 'a policy allows it', considered: [] };

test('a question of a caller is decided once while it is remembered, and for each caller by itself', () => {
  const [remembered, decided] = [new RememberedDecisions(), [] as string[]];
  const ask = (caller: number, question: string) =>
    remembered.of(caller, question, () => {
      decided.push(`${caller} asks ${question}`);
      return decision;
    });
  for (const caller of [1, 2, 1, 2]) ask(caller, 'a');
  ask(1, '2 a');
  ask(12, 'a');
  expect(decided).toEqual(['1 asks a', '2 asks a', '1 asks 2 a', '12 asks a']);
});

test('however many callers ask however much, so many decisions are held, in so much memory', () => {
  const many = new RememberedDecisions();
  for (let caller = 0; caller < 5000; caller++)
    for (let question = 0; question < 40; question++) many.of(caller, `question ${question}`, () => decision);
  expect(many.size.decisions).toBe(50_000);
  const long = new RememberedDecisions();
  for (let question = 0; question < 20_000; question++) long.of(1, 'x'.repeat(8192) + question, () => decision);
  expect(long.size.bytes).toBeLessThanOrEqual(32 * 1024 * 1024);
  expect(long.size.decisions).toBeGreaterThan(1000);
  const wide = new RememberedDecisions();
  const considered = Array.from({ length: 100 }, (_, index) => ({ layer: 'identity' as const, name: `p${index}` }));
  for (let question = 0; question < 10_000; question++)
    wide.of(1, `question ${question}`, () => ({ ...decision, considered }));
  expect(wide.size.decisions).toBeGreaterThan(1000);
  expect(wide.size.decisions).toBeLessThan(7000);
});
