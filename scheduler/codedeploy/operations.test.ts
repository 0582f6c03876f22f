import * as sdk from '@aws-sdk/client-codedeploy';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { notServed } from './not-served.ts';
import { openCodeDeploy, type TestCodeDeploy } from './testing/open-codedeploy.ts';

let opened: TestCodeDeploy;
beforeAll(async () => {
  opened = await openCodeDeploy();
});
afterAll(() => opened[Symbol.asyncDispose]());

const namesIn = (table: string): string[] =>
  [...table.matchAll(/^\| [^|]+ \| (.+) \|$/gm)].flatMap(([, row = '']) =>
    [...row.matchAll(/`([A-Z][A-Za-z]+)`/g)].map(([, name = '']) => name),
  );

test('every operation of the API model is served or refused by name, as the page says', () => {
  const model = Object.keys(sdk).flatMap((name) => /^([A-Z]\w+)Command$/.exec(name)?.[1] ?? []);
  const [served = '', refused = ''] =
    /## Served\n([^]*?)\n## Refused by name\n([^]*?)\n## /
      .exec(readFileSync(join(import.meta.dirname, 'README.md'), 'utf8'))
      ?.slice(1) ?? [];
  expect(namesIn(refused).toSorted()).toEqual(Object.keys(notServed).toSorted());
  expect([...namesIn(served), ...namesIn(refused)].toSorted()).toEqual(model.filter((name) => name !== '$').toSorted());
  expect(opened.served.toSorted()).toEqual(model.toSorted());
});
