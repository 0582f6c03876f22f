import { readFileSync } from 'node:fs';
import * as sdk from '@aws-sdk/client-ecs';
import type { Call } from '@slipway/auth/contract';
import { modelOf } from '@slipway/auth/protocol';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { notServedOperations } from './not-served.ts';
import { openApi, type TestApi } from './testing/open-api.ts';

let api: TestApi;
beforeAll(async () => {
  api = await openApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const modelled = [...modelOf(sdk as never).operations.keys()].sort();
const refused = Object.keys(notServedOperations()).sort();

/** The operations that a section of the README names, in its own order. */
function named(section: string): string[] {
  const readme = readFileSync(new URL('./README.md', import.meta.url), 'utf8');
  const text = readme.split(/^## /m).find((part) => part.startsWith(`${section}\n`)) ?? '';
  return [...text.matchAll(/^\|.*\|$/gm)].flatMap(([row]) =>
    [...row.matchAll(/`([A-Z]\w+)`/g)].map(([, name = '']) => name).filter((name) => name !== 'DAEMON'),
  );
}

describe('every operation of the API model', () => {
  test('is served or refused by name, and never both', () => {
    const all = Object.keys(api.service.operations).sort();
    expect(all).toEqual(modelled);
    expect(named('Served').sort()).toEqual(all.filter((name) => !refused.includes(name)));
    expect(named('Refused by name').sort()).toEqual(refused);
  });

  test.each(refused)('%s is refused with what to do instead', async (name) => {
    const operation = api.service.operations[name];
    const refusal = operation?.handle({} as never, {} as Call);
    await expect(refusal).rejects.toMatchObject({
      code: 'UnsupportedFeatureException',
      message: expect.stringMatching(
        new RegExp(`^${name} is not supported by this installation\\. [A-Z].+\\.$`),
      ) as string,
    });
  });

  test('the refusal reaches the SDK as an error of its own, and only callers who may call', async () => {
    const list = () => api.ecs.send(new sdk.ListDaemonsCommand({}));
    await expect(list()).rejects.toBeInstanceOf(sdk.UnsupportedFeatureException);
    await expect(list()).rejects.toThrow(/strategy 'DAEMON'/);
    expect(api.asked.at(-1)).toMatchObject({ action: 'ecs:ListDaemons', resources: [{ arn: '*' }] });
    api.denied.add('ecs:ListDaemons');
    await expect(list()).rejects.toMatchObject({ name: 'AccessDeniedException' });
    api.denied.clear();
  });
});
