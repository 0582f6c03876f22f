import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { requestsNeeded } from './evidence.ts';
import { play, type Traffic } from './testing/traffic.ts';

const readme = readFileSync(join(import.meta.dirname, 'README.md'), 'utf8');

test('the README says how many requests it takes until a revision is called not worse', () => {
  const [, margins = '', rows = ''] = /\n\| old one fails \|(.*)\|\n\|[-|\s]*\|\n((?:\|.*\n)+)/.exec(readme) ?? [];
  const given = [...margins.matchAll(/`failed:(\d+)`/g)].map(([, points]) => Number(points) / 100);
  const table = rows
    .trim()
    .split('\n')
    .map((row) => [...row.matchAll(/[\d.]+/g)].map(([number]) => Number(number)));
  expect(table).toHaveLength(4);
  expect(table).toEqual(
    table.map(([percent = 0]) => [percent, ...given.map((margin) => requestsNeeded(percent / 100, 9, margin, 0.05))]),
  );
});

test('and what came of simulated traffic, which is the same each time', () => {
  const runs = 1_000;
  const rule = { weight: 0.1, margin: 0.01, alpha: 0.01 / 2, beta: 0.05, most: 200_000 };
  const played = (own: number, other: number) => {
    const traffic: Traffic = { ...rule, own, other };
    const found = Array.from({ length: runs }, (_, run) => play(run + 1, traffic));
    const worse = found.filter(({ verdict }) => verdict === 'worse').length;
    return { worse, half: found.map(({ requests }) => requests).toSorted((a, b) => a - b)[runs / 2] ?? 0 };
  };
  const bad = [0.1, 0.05, 0.02, 0.011].map((own) => played(own, 0.001));
  expect(bad.map(({ worse }) => worse)).toEqual([runs, runs, runs, runs]);
  const [first, second, third, last] = bad.map(({ half }) => half.toLocaleString('en-US'));
  expect(readme).toContain(`by ${first}, ${second}, ${third} and ${last} requests of theirs`);
  expect([0.001, 0.02].map((share) => played(share, share).worse)).toEqual([0, 0]);
});
