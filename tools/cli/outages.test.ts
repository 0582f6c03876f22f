import { expect, test, vi } from 'vitest';
import { CliError } from './errors.ts';
import { isFinal, Outages } from './outages.ts';
import { ApiError } from './query-api.ts';

test('who follows waits for a server that is away, and ends with what one says no to', () => {
  const ofEcs = (name: string, httpStatusCode?: number): Error =>
    Object.assign(new Error('no'), { name, $metadata: { attempts: 3, httpStatusCode } });
  const ends = [
    new CliError('there is no service web'),
    new ApiError('AccessDeniedException', 'no'),
    ofEcs('AccessDeniedException', 400),
    ofEcs('ClusterNotFoundException', 400),
  ];
  const waits = [
    new ApiError('ThrottlingException', 'slowly'),
    new ApiError('503', 'the server answers 503'),
    new TypeError('fetch failed'),
    ofEcs('ThrottlingException', 400),
    ofEcs('SyntaxError', 429),
    ofEcs('ServerException', 500),
    ofEcs('SyntaxError', 200),
    ofEcs('TimeoutError'),
  ];
  expect([ends.filter((error) => !isFinal(error)), waits.filter(isFinal)]).toEqual([[], []]);
});

test('what is wrong while a server is away is said once, until something else is, or it was there again', () => {
  const noted: string[] = [];
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => noted.push(String(text)) > 0);
  const away = (): Error => new TypeError('fetch failed');
  const outages = new Outages();
  try {
    expect(outages.isOn).toBe(false);
    for (let i = 0; i < 3; i++) outages.failed(away());
    outages.failed(new ApiError('503', 'the server answers 503\u001B[2J'));
    expect(outages.isOn).toBe(true);
    outages.over();
    expect(outages.isOn).toBe(false);
    outages.failed(away());
    const late = away();
    expect(() => new Outages(0).failed(late)).toThrow(late);
  } finally {
    err.mockRestore();
  }
  expect(noted).toEqual(
    ['TypeError: fetch failed', 'the server answers 503', 'TypeError: fetch failed'].map(
      (told) => `slipway: ${told}; trying again\n`,
    ),
  );
});
