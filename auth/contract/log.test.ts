import { expect, test } from 'vitest';
import type { Log } from './index.ts';

test('an error is logged under err: a call with error or cause does not compile', () => {
  const lines: object[] = [];
  const write = (fields: object): void => void lines.push(fields);
  const log: Log = { info: write, warn: write, error: write };
  const thrown = new Error('the disk is full');
  log.warn({ task: 'web', err: thrown }, 'could not report');
  // The type check fails when one of these lines is accepted: loggers print such an error as `{}`.
  // @ts-expect-error
  log.warn({ error: thrown }, 'could not report');
  // @ts-expect-error
  log.error({ task: 'web', error: thrown.message }, 'could not report');
  // @ts-expect-error
  log.info({ cause: thrown }, 'could not report');
  expect(lines).toHaveLength(4);
  expect(lines[0]).toEqual({ task: 'web', err: thrown });
});
