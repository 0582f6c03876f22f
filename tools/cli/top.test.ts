import { expect, test } from 'vitest';
import { joined, lastMinutes } from './top.ts';

test('minutes of a service: each metric beside the others, the oldest first, and what was not told is not there', () => {
  const [first, second] = [1_781_000_040, 1_781_000_100];
  expect(
    joined(
      [{ Timestamp: second, Average: 40, Maximum: 60, SampleCount: 2 }],
      [
        { Timestamp: second, Average: 10, Maximum: 12, SampleCount: 3 },
        { Timestamp: first, Average: 9, Maximum: 9, SampleCount: 1 },
      ],
      [
        { Timestamp: second, Sum: 30 },
        { Timestamp: second, Sum: 12 },
      ],
    ),
  ).toEqual([
    { time: new Date(first * 1000).toISOString(), tasks: 1, memory: { average: 9, maximum: 9 } },
    {
      time: new Date(second * 1000).toISOString(),
      tasks: 3,
      cpu: { average: 40, maximum: 60 },
      memory: { average: 10, maximum: 12 },
      requests: 42,
    },
  ]);
  expect(joined([], [], [])).toEqual([]);
});

test('a day is asked for as 1,440 whole minutes, which is all that one answer has', () => {
  const { StartTime, EndTime } = lastMinutes(Date.parse('2026-06-15T12:00:59.999Z'), 1_440);
  expect(EndTime).toBe(Date.parse('2026-06-15T12:00:00Z') / 1000);
  expect((EndTime - StartTime) / 60).toBe(1_440);
});
