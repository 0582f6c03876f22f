import { expect, test } from 'vitest';

import { ForecastTurns } from './forecast-turns.ts';

/** Turns by a clock that stands where the test puts it, and who had one. */
function open() {
  const clock = { at: 0, monotonic: () => clock.at };
  const turns = new ForecastTurns(clock);
  const made: string[] = [];
  /** A look at these policies, each of which takes so long; milliseconds. */
  const look = async (policies: readonly string[], takes: number): Promise<readonly string[]> => {
    made.length = 0;
    turns.begin();
    for (const policy of policies)
      await turns
        .take(policy, () => {
          made.push(policy);
          clock.at += takes;
          return policy === 'torn' ? Promise.reject(new Error('torn')) : Promise.resolve();
        })
        .catch(() => undefined);
    return made;
  };
  return { clock, look };
}

test('a look makes forecasts for two seconds, and one at least', async () => {
  const { look } = open();
  expect(await look(['a', 'b', 'c', 'd'], 700)).toEqual(['a', 'b', 'c']);
  expect(await look(['d', 'e'], 60_000)).toEqual(['d']);
  expect(await look(['e'], 0)).toEqual(['e']);
});

test('one that fails does not take the turns of others', async () => {
  const { clock, look } = open();
  expect(await look(['torn', 'a'], 3_000)).toEqual(['torn']);
  expect(await look(['torn', 'a'], 3_000)).toEqual(['a']);
  clock.at += 300_000;
  expect(await look(['torn', 'b'], 3_000)).toEqual(['torn']);
});
