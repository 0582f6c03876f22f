import { expect, test } from 'vitest';
import { parseSince, quoted } from './logs.ts';
import { harmless } from './output.ts';

test('since is a time, or how long ago', () => {
  const now = Date.parse('2026-11-29T12:00:00Z');
  expect(parseSince('90s', now)).toBe(now - 90_000);
  expect(parseSince('3d', now)).toBe(now - 3 * 86_400_000);
  expect(parseSince('2026-11-29T11:00:00Z', now)).toBe(now - 3_600_000);
  expect(() => parseSince('soon', now)).toThrow("not 'soon'");
  expect(() => parseSince('5', now - 1)).not.toThrow();
});

test('a text is searched as it stands', () => {
  expect(quoted('exit code')).toBe('"exit code"');
  expect(quoted(String.raw`{"a":"\n"}`)).toBe(String.raw`"{\"a\":\"\\n\"}"`);
});

test('a container does nothing to a terminal', () => {
  expect(harmless('\u001b[31mred\u001b[0m\ttab\nline\u0007\u009b2J\u001b]0;title\u0007')).toBe('red\ttab\nline\ufffd');
});
