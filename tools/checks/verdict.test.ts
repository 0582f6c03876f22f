import { expect, test } from 'vitest';
import { againOf, together, type TestReport, verdictOf } from './verdict.ts';

const steady = { file: 'a.test.ts', passed: 3, skipped: 1, failed: [] };
const broken = { file: 'b.test.ts', passed: 1, skipped: 0, failed: ['one', 'two'] };
const report = (...files: TestReport['files']): TestReport => ({ unhandled: 0, files });

test('what passes at once is counted, and nothing is run again', () => {
  expect(againOf(report(steady))).toEqual([]);
  expect(verdictOf(report(steady))).toEqual({ passed: 3, failed: 0, skipped: 1, unsteady: [] });
});

test('a test that fails twice has failed; one that passes alone is named', () => {
  const first = report(steady, broken);
  expect(againOf(first)).toEqual(['b.test.ts']);
  expect(verdictOf(first, report({ ...broken, passed: 2, failed: ['two'] }))).toEqual({
    passed: 5,
    failed: 1,
    skipped: 1,
    unsteady: ['b.test.ts: one'],
  });
  expect(verdictOf(first, report({ ...broken, passed: 3, failed: [] }))).toMatchObject({
    failed: 0,
    unsteady: ['b.test.ts: one', 'b.test.ts: two'],
  });
});

test('a test that fails only the second time has failed', () => {
  const second = report({ ...broken, passed: 2, failed: ['three'] });
  expect(verdictOf(report(broken), second)).toMatchObject({ failed: 1 });
});

test('when many files fail, or an error belongs to no test, nothing is run again and the run has failed', () => {
  const many = Array.from({ length: 6 }, (_, i) => ({ ...broken, file: `${i}.test.ts` }));
  expect(againOf(report(...many))).toEqual([]);
  expect(verdictOf(report(...many)).failed).toBe(12);
  const unhandled = { ...report(steady, broken), unhandled: 1 };
  expect(againOf(unhandled)).toEqual([]);
  expect(verdictOf({ ...report(steady), unhandled: 1 }).failed).toBe(1);
  expect(verdictOf(report(broken), { ...report({ ...broken, failed: [] }), unhandled: 1 }).failed).toBe(1);
});

test('several runs count as one, and one that has told nothing has failed', () => {
  expect(together(report(steady), report(broken))).toEqual(report(steady, broken));
  expect(together({ ...report(steady), unhandled: 2 }, report(broken)).unhandled).toBe(2);
  expect(verdictOf(together(report(steady), undefined))).toMatchObject({ passed: 3, failed: 1 });
  expect(againOf(together(report(broken), undefined))).toEqual([]);
});
